"""A GitHub workflow, as JSON (which is YAML)."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from typing import Any

from fireproof.errors import UsageError
from fireproof.fleet.entry import Entry

CHECKOUT, CACHE, KEEP = "actions/checkout@v4", "actions/cache@v4", "actions/upload-artifact@v4"


def render_github(entries: Sequence[Entry]) -> str:
    """A workflow with one job a schedule; its agenda and bundles are kept between runs.

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
    return {
        "if": f"github.event_name != 'schedule' || github.event.schedule == '{cron}'",
        "runs-on": "ubuntu-latest",
        "concurrency": {"group": f"fireproof-{entry.key}", "cancel-in-progress": False},
        "steps": [
            {"uses": CHECKOUT},
            {
                "uses": CACHE,
                "with": {
                    "path": "evidence/schedule",
                    "key": f"fireproof-{entry.key}-${{{{ github.run_id }}}}",
                    "restore-keys": f"fireproof-{entry.key}-",
                },
            },
            {"run": "pip install 'fireproof[run,lab]'"},
            {"run": shlex.join(["fireproof", *entry.wake])},
            {
                "if": "always()",
                "uses": KEEP,
                "with": {"name": entry.key, "path": "evidence/bundles"},
            },
        ],
    }
