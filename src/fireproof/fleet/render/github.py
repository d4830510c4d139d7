"""A GitHub workflow, as JSON (which is YAML)."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from typing import Any

from fireproof.errors import UsageError
from fireproof.fleet.entry import Entry

CHECKOUT, KEEP = "actions/checkout@v4", "actions/upload-artifact@v4"
RESTORE, SAVE = "actions/cache/restore@v4", "actions/cache/save@v4"
# Never on a command line: printf is the shell's own.
_PLACE_KEY = (
    'if [ -n "$RUNNER_KEY" ]; then umask 077; mkdir -p evidence/keys; '
    'printf "%s\\n" "$RUNNER_KEY" > evidence/keys/runner.pem; fi'
)


def render_github(entries: Sequence[Entry]) -> str:
    """A workflow with one job a schedule; its agenda is cached, its bundles are artifacts.

    GitHub drops what nobody asked for in seven days from the cache. A job without its agenda runs
    what it was woken for; only what was missed before that is not sealed.

    Raises:
        UsageError: a schedule in another zone than UTC, which GitHub does not know.
    """
    wrong = [entry for entry in entries if entry.schedule.timezone != "UTC"]
    if wrong:
        listed = "\n".join(
            f"{entry.file}: schedule.timezone: GitHub knows only UTC, got "
            f"{entry.schedule.timezone!r}; state the hours in UTC"
            for entry in wrong
        )
        raise UsageError(listed)
    workflow: dict[str, Any] = {
        "name": "fireproof",
        "on": {
            "schedule": [
                {"cron": cron} for cron in dict.fromkeys(e.schedule.cron for e in entries)
            ],
            "workflow_dispatch": {},
        },
        "jobs": {entry.key: _job(entry) for entry in entries},
    }
    return json.dumps(workflow, indent=2) + "\n"


def _job(entry: Entry) -> dict[str, Any]:
    cron = entry.schedule.cron
    # The slash ends the name: drill-cache must not find the agenda of drill-cache-loss.
    agenda = {
        "path": "evidence/schedule",
        "key": f"fireproof/{entry.key}/${{{{ github.run_id }}}}-${{{{ github.run_attempt }}}}",
    }
    return {
        "if": f"github.event_name != 'schedule' || github.event.schedule == '{cron}'",
        "runs-on": "ubuntu-latest",
        "concurrency": {"group": f"fireproof-{entry.key}", "cancel-in-progress": False},
        "steps": [
            {"uses": CHECKOUT},
            {"uses": RESTORE, "with": agenda | {"restore-keys": f"fireproof/{entry.key}/"}},
            {"run": f"pip install 'fireproof[{','.join(entry.extras)}]'"},
            {
                "name": "The key that this repository keeps, if it keeps one",
                "env": {"RUNNER_KEY": "${{ secrets.FIREPROOF_RUNNER_KEY }}"},
                "run": _PLACE_KEY,
            },
            {"run": shlex.join(["fireproof", *entry.wake])},
            # A run that ends with 1, or is cancelled, was dealt with all the same.
            {"if": "always()", "uses": SAVE, "with": agenda},
            {
                "if": "always()",
                "uses": KEEP,
                "with": {
                    "name": f"{entry.key}-${{{{ github.run_attempt }}}}",
                    "path": "evidence/bundles\nevidence/trust",  # evidence/keys never leaves
                },
            },
        ],
    }
