"""CronJobs, as JSON documents in a YAML stream: JSON is YAML, and nothing needs quoting rules."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from fireproof.fleet.entry import Entry

CLAIM = "fireproof-evidence"
_NAME_MAX = 52  # Kubernetes adds 11 characters for each job


def render_kubernetes(entries: Iterable[Entry], image: str) -> str:
    """One CronJob each. Evidence and its agenda live on the claim ``fireproof-evidence``."""
    return "".join(f"---\n{json.dumps(_job(entry, image), indent=2)}\n" for entry in entries)


def _job(entry: Entry, image: str) -> dict[str, Any]:
    container = {
        "name": "fireproof",
        "image": image,
        "command": ["fireproof", *entry.wake],
        "volumeMounts": [{"name": "evidence", "mountPath": "/evidence"}],
        "env": [{"name": "FIREPROOF_EVIDENCE", "value": "/evidence"}],
    }
    pod = {
        "restartPolicy": "Never",  # a drill that died is recovered and sealed, not run again
        "terminationGracePeriodSeconds": 3600,  # the undo of a fault is given its time
        "containers": [container],
        "volumes": [{"name": "evidence", "persistentVolumeClaim": {"claimName": CLAIM}}],
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": _name(f"fireproof-{entry.key}")},
        "spec": {
            "schedule": entry.schedule.cron,
            "timeZone": entry.schedule.timezone,
            "concurrencyPolicy": "Forbid",
            "startingDeadlineSeconds": max(10, entry.schedule.grace // 10**9),
            "jobTemplate": {"spec": {"backoffLimit": 0, "template": {"spec": pod}}},
        },
    }


def _name(text: str) -> str:
    """As long as it may be; one that is cut ends with a digest, so that no two become one."""
    if len(text) <= _NAME_MAX:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return f"{text[: _NAME_MAX - 9].rstrip('-')}-{digest}"
