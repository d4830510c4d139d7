"""What a killed run may come to; the reasons are in docs/reference/crash.md."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from typing import Any

from support.killing import DEADLY, Kill

Record = dict[str, Any]


def phase_at(records: Sequence[Record], struck_ns: int | None) -> str:
    """The phase in which the strike fell; "start" before the first record, "seal" at the end."""
    phase = "start"
    for record in records:
        if struck_ns is not None and record["mono_ns"] > struck_ns:
            return phase
        if record["kind"] in ("open", "phase"):
            phase = record["data"].get("phase", "open")
        if record["kind"] == "residue":
            phase = "seal"
    return phase


def undone_after_s(records: Sequence[Record], struck_ns: int | None) -> float | None:
    """From the strike until the last fault was taken back; None when none stood then."""
    injected = [r["mono_ns"] for r in records if r["kind"] == "intent"]
    back = [r["mono_ns"] for r in records if r["kind"] == "reverted"]
    if struck_ns is None or not injected or not back or injected[0] > struck_ns:
        return None
    return (back[-1] - struck_ns) / 1e9 if back[-1] > struck_ns else None


def first(records: Sequence[Record], kind: str) -> Record | None:
    return next((record for record in records if record["kind"] == kind), None)


def ended_by_itself(kill: Kill, records: Sequence[Record], struck_ns: int | None) -> bool:
    """Whether the abort had a reason of its own: a busy machine is late with a canary's write."""
    abort = first(records, "abort")
    if abort is None or abort["data"]["by"] != "abort-condition":
        return False
    hit_nobody = kill.who == "guardian" and kill.signal == "STOP"
    return struck_ns is None or hit_nobody or abort["mono_ns"] < struck_ns


def stays_recovered(records: Sequence[Record]) -> bool:
    """Whether the undo was a no-op because a verified recovery had replaced what was lost."""
    back = [record for record in records if record["kind"] == "reverted"]
    return bool(back) and all(record["data"]["noop"] for record in back)


def why_not_legal(
    kill: Kill,
    *,
    struck_ns: int | None,
    own_code: int,
    result: dict[str, Any],
    records: Sequence[Record],
    harmless: bool = False,
) -> list[str]:
    """Everything that this end may not be after that kill.

    Args:
        kill: who was to be killed, by what.
        struck_ns: when it was; None when the run had ended before.
        own_code: what the killed call itself ended with, negative for a signal.
        result: ``result.json``.
        records: of the sealed journal.
        harmless: whether the drill plans no fault; its steps may still have changed something.
    """
    outcome, code = result["judgement"]["outcome"], result["exit_code"]
    abort = first(records, "abort")
    wrong = []
    if records[-1]["kind"] != "residue" or records[-1]["data"]["clean"] is not True:
        wrong.append(f"the journal ends with {records[-1]['kind']}: {records[-1]['data']}")
    if struck_ns is not None and kill.who != "run" and kill.signal in DEADLY:
        ended_by = -signal.SIGKILL if kill.signal == "STOP" else -kill.number
        if own_code not in (ended_by, *([code] if kill.who == "guardian" else [])):
            wrong.append(f"the guardian was killed, and the call ended with {own_code}")
    elif own_code != code:
        wrong.append(f"the call ended with {own_code}, the result says {code}")
    if abort is None:
        wrong += _not_aborted(kill, struck_ns, outcome, code, records)
    else:
        wrong += _aborted(kill, struck_ns, outcome, code, records, abort, harmless)
    return wrong


def _not_aborted(
    kill: Kill, struck_ns: int | None, outcome: str, code: int, records: Sequence[Record]
) -> list[str]:
    """Only when the kill came too late to change anything, or hit nobody who was needed."""
    wrong = []
    expected = {"passed": 0, "failed": 1, "inconclusive": 6}.get(outcome)
    if code != expected:
        wrong.append(f"{outcome} with exit code {code}")
    if struck_ns is None or (kill.who == "guardian" and kill.signal == "STOP"):
        return wrong
    revert = next(
        n for n, r in enumerate(records) if r["kind"] == "phase" and r["data"]["phase"] == "revert"
    )
    by_handler = kill.signal not in DEADLY or kill.who == "guardian"
    # A handler is deaf once the way down has begun; a killed runner has to have got to its end.
    too_late_ns = (records[revert - 1] if by_handler else records[-1])["mono_ns"]
    if struck_ns < too_late_ns:
        wrong.append(f"killed {(too_late_ns - struck_ns) / 1e9:.3f} s too early to be {outcome}")
    return wrong


def _aborted(
    kill: Kill,
    struck_ns: int | None,
    outcome: str,
    code: int,
    records: Sequence[Record],
    abort: Record,
    harmless: bool,
) -> list[str]:
    if outcome != "aborted":
        return [f"an aborted run is called {outcome}"]
    if struck_ns is None or ended_by_itself(kill, records, struck_ns):
        return []
    by_handler = kill.signal not in DEADLY or kill.who == "guardian"
    signum = signal.SIGTERM if kill.signal in DEADLY else kill.number
    wrong = []
    if by_handler:
        if abort["data"]["signal"] != signum:
            wrong.append(f"the abort was not by signal {signum}: {abort['data']}")
        if code != 128 + signum:
            wrong.append(f"ended by signal {signum}, exit code {code}")
    else:
        before = [record for record in records if record["seq"] < abort["seq"]]
        harmed = any(record["kind"] == "intent" for record in before)
        harmed |= harmless and any(record["data"].get("phase") == "fault" for record in before)
        if abort["data"]["by"] not in ("guardian", "operator"):
            wrong.append(f"aborted by {abort['data']['by']}")
        if code != (7 if harmed else 3):
            wrong.append(f"killed {'after' if harmed else 'before'} the fault, exit code {code}")
    return wrong
