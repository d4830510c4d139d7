"""Child process that runs one Ansible playbook; the only file here that knows ansible-runner.

Only the events leave the private folder. ``artifacts/*/command`` holds a whole environment and
``env/extravars`` every variable, so both die with the folder, which the parent removes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fireproof.children.answer import Request, Tell, serve

_FAILED = ("runner_on_failed", "runner_on_unreachable", "runner_item_on_failed")
_ITEMS = "One or more items failed"


def _why(result: Mapping[str, Any]) -> str:
    """The most telling text of a task's result."""
    said = [result.get(key) for key in ("msg", "stderr", "module_stderr", "exception", "censored")]
    texts = [text.strip() for text in said if isinstance(text, str) and text.strip()]
    texts = [text for text in texts if text != "(traceback unavailable)"]  # ansible-core's filler
    # "non-zero return code" alone helps nobody at night: what the command said stands beside it.
    return ": ".join(texts[:2]) or "no reason given"


def _failure(event: Mapping[str, Any]) -> dict[str, str] | None:
    """Task and reason of an event that stops the play."""
    data = event.get("event_data") or {}
    if event.get("event") not in _FAILED or data.get("ignore_errors"):
        return None
    result = data.get("res")
    why = _why(result) if isinstance(result, dict) else "no reason given"
    host = str(data.get("host") or "localhost")
    return {
        "task": str(data.get("task") or "unnamed task"),
        "at": str(data.get("task_path") or ""),
        "why": why if host == "localhost" else f"{host}: {why}",
    }


def work(request: Request, tell: Tell) -> None:
    try:
        import ansible_runner
    except ImportError:
        return tell({"needs": "ansible-runner"})
    private = Path(request["private"])
    failed: dict[str, str] | None = None
    hosts: dict[str, Any] = {}
    counts = {"changed": 0, "skipped": 0, "ok": 0}
    with Path(request["events_to"]).open("w", encoding="utf-8") as events:

        def keep(event: dict[str, Any]) -> bool:
            nonlocal failed, hosts
            # A loop that fails reports its items and then "One or more items failed".
            failure = _failure(event)
            if failure and not (failed and failure["why"].endswith(_ITEMS)):
                failed = failure
            if event.get("event") == "playbook_on_task_start":
                tell({"task": str((event.get("event_data") or {}).get("task"))})
            if event.get("event") == "playbook_on_stats":
                stats = event.get("event_data") or {}
                hosts = stats.get("processed") or {}
                counts.update({key: sum((stats.get(key) or {}).values()) for key in counts})
            events.write(json.dumps(event, sort_keys=True) + "\n")
            events.flush()  # what happened so far survives the kill of a timeout
            return False  # not kept a second time by ansible-runner

        ran = ansible_runner.run(
            private_data_dir=str(private),
            project_dir=request["project"],
            playbook=request["playbook"],
            inventory=request["inventory"],
            limit=request["limit"],
            extravars=request["vars"],
            ident="run",
            quiet=True,
            cmdline="--check" if request.get("check") else None,
            event_handler=keep,
        )
    return tell(
        {"status": ran.status, "rc": ran.rc, "failed": failed, "hosts": len(hosts)} | counts
    )


if __name__ == "__main__":
    serve(work)
