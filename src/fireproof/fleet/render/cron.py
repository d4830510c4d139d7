"""A crontab."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path

from fireproof.fleet.entry import Entry


def render_cron(entries: Iterable[Entry], project: Path, fireproof: Path, evidence: Path) -> str:
    """Lines for ``crontab -``; cronie and Debian's cron from 3.0pl1-149 on know CRON_TZ.

    The evidence folder is named: cron knows nothing of FIREPROOF_EVIDENCE in somebody's shell.
    """
    lines = ["# fireproof schedule render --cron"]
    for entry in entries:
        words = shlex.join([str(fireproof), *entry.wake, "--evidence", str(evidence)])
        command = f"cd {shlex.quote(str(project))} && {words}"
        command = command.replace("%", "\\%")  # a bare % is a line break in a crontab
        lines += [
            "",
            f"# {' '.join(entry.title.split())}",  # a second line would be a command
            f"CRON_TZ={entry.schedule.timezone}",
            f"{entry.schedule.cron} {command}",
        ]
    return "\n".join(lines) + "\n"
