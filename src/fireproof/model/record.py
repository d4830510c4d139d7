"""Journal records: what happened, and the kinds there are.

Stdlib only: the guardian reads these before anything else is loaded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

# kind: keys of its data. Times in data are CLOCK_MONOTONIC nanoseconds, taken just before and
# just after the act. ``ok`` is true, false, or null for "could not be told".
KINDS: Final[dict[str, str]] = {
    "open": "run drill environment plan_sha256 clocks boot_id pid",
    "phase": "phase clocks load1",
    "step-start": "phase index kind label timeout_ns",
    "step-end": "phase index kind label ok detail before_ns after_ns files saved",
    "check": "name ok expected observed before_ns after_ns phase index",
    "probe-start": "probe kind file period_ns timeout_ns",
    "probe-stop": "probe kind file clean rows",
    "load-start": "load profile asked file start_ns workers users",
    "load-minute": "load rate p99_ms slots errors",
    "load-stop": "load clean files slots rows",
    "canary-read": "probe file before_ns after_ns rows",
    "intent": "fault kind component undo expires_ns label",
    "injected": "fault before_ns after_ns detail",
    "fault-failed": "fault detail",
    "recovered": "ok detail",
    "drill-start": "member run",  # of a game day; durable before the drill's process exists
    "drill-end": "member run code outcome identity before_ns after_ns why",
    "drill-not-run": "member why",
    "abort": "why by phase signal",
    "revert-begin": "fault attempt",
    "reverted": "fault noop observed",
    "revert-failed": "fault attempt detail command",
    "residue": "clean found clocks",
}


@dataclass(frozen=True, slots=True)
class Record:
    """One line of the journal."""

    seq: int
    at: str  # UTC label
    mono_ns: int
    kind: str
    data: dict[str, Any]
    prev: str  # sum of the line before; 64 zeros for the first
    sum: str  # sha256 over the line without itself
