"""What a killed run may come to, and what it may not."""

from __future__ import annotations

from typing import Any

import pytest

from support.killing import Kill, named_kills, random_kills, shard
from support.legal import phase_at, undone_after_s, why_not_legal

S = 10**9


def journal(*, abort: dict[str, Any] | None = None, abort_at: int = 5) -> list[dict[str, Any]]:
    """A run that was harmed at 3 s and ended at 9 s."""
    lines: list[tuple[int, str, dict[str, Any]]] = [
        (0, "open", {}),
        (1, "phase", {"phase": "baseline"}),
        (3, "intent", {}),
        (6, "step-end", {}),
        (7, "phase", {"phase": "revert"}),
        (8, "reverted", {"noop": False}),
        (9, "residue", {"clean": True}),
    ]
    if abort is not None:
        lines.append((abort_at, "abort", abort))
    return [
        {"seq": seq, "mono_ns": at * S, "kind": kind, "data": data}
        for seq, (at, kind, data) in enumerate(sorted(lines, key=lambda line: line[0]))
    ]


def result(outcome: str, code: int) -> dict[str, Any]:
    return {"exit_code": code, "judgement": {"outcome": outcome}}


GUARDED = {"by": "guardian", "signal": None}
STOPPED = {"by": "signal", "signal": 15}


@pytest.mark.parametrize(
    ("kill", "own", "outcome", "code", "records", "wrong"),
    [
        (Kill("d", "run", "KILL", "0.5"), 7, "aborted", 7, journal(abort=GUARDED), ""),
        (Kill("d", "run", "TERM", "0.5"), 143, "aborted", 143, journal(abort=STOPPED), ""),
        (Kill("d", "guardian", "KILL", "0.5"), -9, "aborted", 143, journal(abort=STOPPED), ""),
        (Kill("d", "both", "SEGV", "0.5"), -11, "aborted", 7, journal(abort=GUARDED), ""),
        (Kill("d", "guardian", "STOP", "0.5"), 0, "passed", 0, journal(), ""),
        (Kill("d", "run", "KILL", "0.5"), 0, "passed", 0, journal(), "too early"),
        (Kill("d", "run", "TERM", "0.5"), 0, "passed", 0, journal(), "too early"),
        (Kill("d", "run", "KILL", "0.5"), 3, "aborted", 3, journal(abort=GUARDED), "exit code 3"),
        (Kill("d", "run", "INT", "0.5"), 143, "aborted", 143, journal(abort=STOPPED), "signal 2"),
        (Kill("d", "run", "KILL", "0.5"), 4, "aborted-dirty", 4, journal(abort=GUARDED), "called"),
        (Kill("d", "run", "KILL", "0.5"), 0, "aborted", 7, journal(abort=GUARDED), "ended with 0"),
        (Kill("d", "guardian", "KILL", "0.5"), 0, "aborted", 143, journal(abort=STOPPED), "killed"),
    ],
)
def test_ends_that_fit_the_kill_and_ends_that_do_not(
    kill: Kill, own: int, outcome: str, code: int, records: list[dict[str, Any]], wrong: str
) -> None:
    """A passed run that was killed midway is the lie that all of this is about."""
    found = why_not_legal(
        kill, struck_ns=4 * S, own_code=own, result=result(outcome, code), records=records
    )

    assert (wrong in found[0]) if wrong else (found == []), found


def test_a_drill_without_a_fault_may_have_changed_something_all_the_same() -> None:
    """Its abort is no stop before anything was touched."""
    records = journal(abort=GUARDED)
    records = [
        one | {"data": {"phase": "fault"}} if one["kind"] == "intent" else one for one in records
    ]
    records = [one | {"kind": "phase"} if one["kind"] == "intent" else one for one in records]
    kill = Kill("d", "run", "KILL", "seen:two-keys")

    def found(code: int) -> list[str]:
        told = result("aborted", code)
        return why_not_legal(
            kill, struck_ns=4 * S, own_code=code, result=told, records=records, harmless=True
        )

    assert kill.spec == ""
    assert found(7) == []
    assert "exit code 3" in found(3)[0]


def test_a_kill_after_the_residue_check_changes_nothing() -> None:
    """Everything was undone and looked at; only the seal was missing."""
    kill = Kill("d", "run", "KILL", "0.99")
    told: dict[str, Any] = {"own_code": 0, "result": result("passed", 0), "records": journal()}

    assert why_not_legal(kill, struck_ns=9 * S + 1, **told) == []
    assert why_not_legal(kill, struck_ns=9 * S - 1, **told) != []


def test_where_and_how_long() -> None:
    """The page counts by phase; a strike before any harm has no delay."""
    records = journal(abort=GUARDED)

    assert phase_at(records, 4 * S) == "baseline"
    assert phase_at(records, 10 * S) == "seal"
    assert undone_after_s(records, 4 * S) == 4.0
    assert undone_after_s(records, 2 * S) is None


def test_every_kill_is_in_exactly_one_shard() -> None:
    """A kill between the shards would never be tried."""
    kills = [*random_kills("d", 17, "seed"), *named_kills("d", ["open:before"], "seed")]
    parts = [shard(kills, f"{number}/4") for number in range(1, 5)]

    assert sorted(str(kill) for part in parts for kill in part) == sorted(map(str, kills))
    assert random_kills("d", 17, "seed") == random_kills("d", 17, "seed")
    with pytest.raises(ValueError, match="expected i/n"):
        shard(kills, "5/4")
