"""Sample files, read strictly: bytes that do not have the declared shape prove nothing."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass

from fireproof.errors import MalformedError
from fireproof.model.sample import CANARY_HEADER, PRESENT_HEADER, PROBE_HEADER, canary_key

_FAILED = frozenset({"timeout", "refused", "reset", "error"})
_ANSWERED = frozenset({"good", "bad-status", "bad-content", "slow"})
_ANSWERS = frozenset({"acked", "refused", "unknown"})
_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Asked:
    """One question that was asked, all times CLOCK_MONOTONIC nanoseconds."""

    due_ns: int
    sent_ns: int
    done_ns: int
    status: int | None
    outcome: str

    @property
    def good(self) -> bool:
        return self.outcome == "good"


@dataclass(frozen=True, slots=True)
class ProbeSamples:
    """Everything in a prober's file; ``asked`` in the order of asking."""

    asked: tuple[Asked, ...]
    unsent: tuple[int, ...]  # due times of slots that were never asked
    rows: int


@dataclass(frozen=True, slots=True)
class Write:
    """One canary write. ``answer``: acked, refused or unknown; no answer row is unknown."""

    seq: int
    sent_ns: int
    answer: str
    answered_ns: int | None


@dataclass(frozen=True, slots=True)
class CanarySamples:
    """Everything in a canary's file, by write number."""

    writes: dict[int, Write]
    unsent: int
    rows: int


@dataclass(frozen=True, slots=True)
class Present:
    """What the store held under one key."""

    body_sha256: str
    count: int


def lines(data: bytes, header: str, what: str) -> list[str]:
    """Rows below the header; the last line must be whole."""
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError:
        raise MalformedError(f"{what}: not ASCII") from None
    if not text.endswith("\n"):
        raise MalformedError(f"{what}: the last row is torn")
    rows = text[:-1].split("\n")
    if rows[0] != header:
        raise MalformedError(f"{what}: expected the header {header!r}, got {rows[0][:80]!r}")
    return rows[1:]


def number(text: str, where: str) -> int:
    """Nanoseconds or a count, without sign or leading zeros."""
    if not _NUMBER.fullmatch(text):
        raise MalformedError(f"{where}: expected nanoseconds or a count, got {text[:40]!r}")
    return int(text)


def parse_probe(data: bytes, *, http: bool = True) -> ProbeSamples:
    """Rows of a prober's file; only answers over ``http`` have a status.

    Raises:
        MalformedError: at the first row that has another shape, or contradicts itself.
    """
    asked: list[Asked] = []
    unsent: list[int] = []
    dues: set[int] = set()
    rows = lines(data, PROBE_HEADER, "probe samples")
    for at_line, line in enumerate(rows, start=2):
        where = f"probe samples, line {at_line}"
        fields = line.split(",")
        if len(fields) != 6:
            raise MalformedError(f"{where}: expected 6 fields, got {len(fields)}")
        due_text, sent_text, connected_text, done_text, status_text, outcome = fields
        due = number(due_text, where)
        if due in dues:
            raise MalformedError(f"{where}: slot {due} appears twice")
        dues.add(due)
        if outcome == "not-sent":
            if sent_text or connected_text or done_text or status_text:
                raise MalformedError(f"{where}: a slot that was not sent has only its due time")
            unsent.append(due)
            continue
        sent, done = number(sent_text, where), number(done_text, where)
        connected = number(connected_text, where) if connected_text else sent
        if not due <= sent <= connected <= done:
            raise MalformedError(f"{where}: times out of order")
        if outcome in _ANSWERED:
            status = re.fullmatch(r"[1-5][0-9]{2}" if http else "", status_text)
            if not status or not connected_text or (not http and outcome == "bad-status"):
                raise MalformedError(f"{where}: {outcome} without a connection or a status")
        elif outcome not in _FAILED:
            raise MalformedError(f"{where}: unknown outcome {outcome[:40]!r}")
        elif status_text:
            raise MalformedError(f"{where}: {outcome} with a status")
        asked.append(Asked(due, sent, done, int(status_text) if status_text else None, outcome))
    asked.sort(key=lambda one: (one.sent_ns, one.done_ns, one.due_ns))
    return ProbeSamples(tuple(asked), tuple(sorted(unsent)), len(rows))


def parse_canary(data: bytes, run: str) -> CanarySamples:
    """Rows of a canary writer's file.

    Raises:
        MalformedError: at the first row that has another shape, or contradicts itself.
    """
    sent: dict[int, int] = {}
    answers: dict[int, tuple[str, int]] = {}
    unsent: set[int] = set()
    rows = lines(data, CANARY_HEADER, "canary samples")
    for at_line, line in enumerate(rows, start=2):
        where = f"canary samples, line {at_line}"
        fields = line.split(",")
        if len(fields) != 4:
            raise MalformedError(f"{where}: expected 4 fields, got {len(fields)}")
        event, seq_text, at_text, detail = fields
        seq, at = number(seq_text, where), number(at_text, where)
        if event == "intent":
            if seq in sent or seq in unsent:
                raise MalformedError(f"{where}: write {seq} appears twice")
            if detail != canary_key(run, seq):
                raise MalformedError(f"{where}: not the key of write {seq} of this run")
            sent[seq] = at
        elif event == "not-sent":
            if seq in sent or seq in unsent:
                raise MalformedError(f"{where}: write {seq} appears twice")
            unsent.add(seq)
        elif event not in _ANSWERS:
            raise MalformedError(f"{where}: unknown event {event[:40]!r}")
        elif seq not in sent or seq in answers or at < sent[seq]:
            raise MalformedError(f"{where}: an answer to nothing that was asked before it")
        else:
            answers[seq] = (event, at)
    nothing = ("unknown", None)
    writes = {seq: Write(seq, at, *answers.get(seq, nothing)) for seq, at in sorted(sent.items())}
    return CanarySamples(writes, len(unsent), len(rows))


def parse_present(data: bytes) -> dict[str, Present]:
    """Rows of what the store held, by key.

    Raises:
        MalformedError: when a row has another shape, or a key appears twice.
    """
    what = "canary presence"
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise MalformedError(f"{what}: not UTF-8") from None
    if not text.startswith(PRESENT_HEADER + "\n") or not text.endswith("\n"):
        raise MalformedError(f"{what}: header missing, or the last row is torn")
    found: dict[str, Present] = {}
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))[1:]
    except csv.Error as error:
        raise MalformedError(f"{what}: {error}") from None
    for row in rows:
        if len(row) != 3 or not _SHA256.fullmatch(row[1]) or row[0] in found:
            raise MalformedError(f"{what}: expected key, sha256, count; got {','.join(row)[:80]!r}")
        count = number(row[2], what)
        if count == 0:
            raise MalformedError(f"{what}: a row for a key that is not there")
        found[row[0]] = Present(row[1], count)
    return found
