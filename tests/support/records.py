"""A run told in a few words, for the judges: plan, records and sample files.

Seconds everywhere; the fault strikes at 100 s unless told otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from fireproof.judge import judge_run
from fireproof.model.drill import Drill
from fireproof.model.environment import Environment
from fireproof.model.judgement import Judgement, ObjectiveResult
from fireproof.model.plan import Plan
from fireproof.model.record import KINDS, Record
from fireproof.model.sample import (
    ALERT_HEADER,
    CANARY_HEADER,
    PRESENT_HEADER,
    PROBE_HEADER,
    canary_body,
    canary_key,
)

RUN = "0190aaaa-0000-7000-8000-000000000001"
API = {"http": "http://127.0.0.1:1/readyz", "every": "100ms", "timeout": "1s"}
CANARY = {
    "acknowledged-writes": "http://127.0.0.1:1/canary",
    "rate": "10/s",
    "read-from": "ledger-db",
    "query": "select key, body from canary",
}
PAGE = {
    "alerts": ["Stale"],
    "metrics": "http://127.0.0.1:1/metrics",
    "rules": [{"alert": "Stale", "expr": "age > 5"}],
}
RTO = {"rto": "10s", "from": "api", "hold": "2s"}
RPO = {"rpo": "0s", "lost": 0, "from": "canary"}


def ns(seconds: float) -> int:
    """Nanoseconds of seconds, rounded."""
    return round(seconds * 1e9)


def make_plan(**drill: Any) -> Plan:
    """A plan with one RTO objective on the probe ``api``; keywords replace keys of the drill."""
    text: dict[str, Any] = {
        "drill": "restore",
        "title": "Restore",
        "owner": "platform",
        "kind": "functional",
        "cadence": "P7D",
        "components": ["ledger-db"],
        "hypothesis": "It comes back.",
        "probes": {"api": API},
        "objectives": {"recovery-time": RTO},
        "fault": [{"kind": "kill", "params": {"kill": "ledger-db"}}],
    }
    environment = {
        "environment": "lab",
        "class": "embedded",
        "components": {"ledger-db": {"kind": "postgres"}},
    }
    return Plan(
        run=RUN,
        created_at="2026-01-01T00:00:00.000000Z",
        drill=Drill.model_validate(text | drill),
        drill_file="drills/restore.yaml",
        environment=Environment.model_validate(environment),
        procedures={},
        tool={},
    )


@dataclass
class Tale:
    """Records in the order they are told; ``at`` moves the clock of the next ones."""

    records: list[Record] = field(default_factory=list)
    samples: dict[str, bytes] = field(default_factory=dict)
    now: float = 90.0

    def tell(self, kind: str, at: float | None = None, /, **data: Any) -> Tale:
        self.now = self.now if at is None else at
        assert set(data) == set(KINDS[kind].split()), kind
        record = Record(len(self.records), "", ns(self.now), kind, data, "0" * 64, "0" * 64)
        self.records.append(record)
        return self

    def phase(self, name: str, at: float | None = None) -> Tale:
        return self.tell("phase", at, phase=name, clocks={}, load1="0.1")

    def probe(
        self,
        data: bytes,
        *,
        name: str = "api",
        kind: str = "http",
        period: float = 0.1,
        clean: bool | None = True,
        timeout: float = 1.0,
    ) -> Tale:
        file = f"data/samples/{name}.csv"
        start = {"period_ns": ns(period), "timeout_ns": ns(timeout)}
        self.tell("probe-start", probe=name, kind=kind, file=file, **start)
        rows = data.count(b"\n") - 1
        self.tell("probe-stop", probe=name, kind=kind, file=file, clean=clean, rows=rows)
        self.samples[file] = data
        return self

    def fault(self, before: float = 100.0, after: float = 100.05) -> Tale:
        self.phase("fault", before)
        self.tell(
            "intent",
            fault=0,
            kind="kill",
            component="ledger-db",
            undo={},
            expires_ns=ns(600),
            label="kill ledger-db",
        )
        times = {"before_ns": ns(before), "after_ns": ns(after)}
        return self.tell("injected", after, fault=0, detail="killed", **times)

    def step(self, phase: str, end: float, ok: bool | None = True, *, index: int = 0) -> Tale:
        times = {"before_ns": ns(self.now), "after_ns": ns(end)}
        return self.tell(
            "step-end",
            end,
            phase=phase,
            index=index,
            kind="process",
            label=f"{phase} {index}",
            ok=ok,
            detail="it said so",
            files=[],
            saved=None,
            **times,
        )

    def check(
        self, name: str, end: float, ok: bool | None = True, *, phase: str = "verify"
    ) -> Tale:
        times = {"before_ns": ns(self.now), "after_ns": ns(end)}
        said = {"expected": "same", "observed": "same" if ok else "other"}
        return self.tell("check", end, name=name, ok=ok, phase=phase, index=0, **said, **times)

    def recovered(self, at: float, ok: bool | None = True, detail: str = "good again") -> Tale:
        return self.tell("recovered", at, ok=ok, detail=detail)

    def undone(self, at: float, clean: bool | None = True) -> Tale:
        self.phase("revert", at)
        self.tell("revert-begin", fault=0, attempt=1)
        self.tell("reverted", at + 0.1, fault=0, noop=False, observed="gone")
        return self.tell("residue", at + 0.2, clean=clean, found=[], clocks={})

    def canary_read(self, data: bytes, at: float, *, name: str = "canary") -> Tale:
        file = f"data/samples/{name}-present.csv"
        self.samples[file] = data
        times = {"before_ns": ns(at), "after_ns": ns(at + 0.01)}
        rows = data.count(b"\n") - 1
        return self.tell("canary-read", at + 0.01, probe=name, file=file, rows=rows, **times)

    def judged(self, plan: Plan) -> Judgement:
        return judge_run(plan, self.records, self.samples)


def probe_csv(rows: list[tuple[float, float, float, str]]) -> bytes:
    """File of (due, sent, done, outcome) in seconds; ``not-sent`` rows use their due time only."""
    lines = [PROBE_HEADER]
    status = {"good": "200", "slow": "200", "bad-content": "200", "bad-status": "503"}
    for due, sent, done, outcome in rows:
        if outcome == "not-sent":
            lines.append(f"{ns(due)},,,,,not-sent")
            continue
        connected = str(ns(sent)) if outcome in status else ""
        lines.append(
            f"{ns(due)},{ns(sent)},{connected},{ns(done)},{status.get(outcome, '')},{outcome}"
        )
    return ("\n".join(lines) + "\n").encode()


def steady(
    bad: tuple[float, float],
    *,
    begin: float = 90.0,
    end: float = 120.0,
    period: float = 0.1,
    took: float = 0.01,
    outcome: str = "refused",
) -> list[tuple[float, float, float, str]]:
    """Rows of a prober whose questions, sent on time, are bad while ``bad[0] <= sent < bad[1]``."""
    rows = []
    for slot in range(round((end - begin) / period)):
        due = begin + slot * period
        rows.append((due, due, due + took, outcome if bad[0] <= due < bad[1] else "good"))
    return rows


def canary_csv(answers: Mapping[int, tuple[float, float | None, str]]) -> bytes:
    """File of write number: (sent, answered, acked | refused | unknown | not-sent)."""
    lines = [CANARY_HEADER]
    for seq, (sent, answered, event) in answers.items():
        if event == "not-sent":
            lines.append(f"not-sent,{seq},{ns(sent)},")
            continue
        lines.append(f"intent,{seq},{ns(sent)},{canary_key(RUN, seq)}")
        if answered is not None:
            lines.append(f"{event},{seq},{ns(answered)},")
    return ("\n".join(lines) + "\n").encode()


def present_csv(seqs: list[int], more: Mapping[str, tuple[str, int]] | None = None) -> bytes:
    """File of these writes as they were sent, and of further keys with (body, count)."""
    held = {canary_key(RUN, seq): (canary_body(RUN, seq), 1) for seq in seqs} | dict(more or {})
    rows = [
        f"{key},{sha256(body.encode()).hexdigest()},{count}"
        for key, (body, count) in sorted(held.items())
    ]
    return ("\n".join([PRESENT_HEADER, *rows]) + "\n").encode()


def objective(judgement: Judgement, name: str) -> ObjectiveResult:
    return next(one for one in judgement.objectives if one.name == name)


def recovered_run(
    rows: list[tuple[float, float, float, str]], *, recovered_at: float = 108.0
) -> Tale:
    """A run that goes well, seen through these probe rows."""
    tale = Tale().phase("preflight", 89.0).phase("baseline", 90.0)
    tale.probe(probe_csv(rows)).fault().phase("recover", 100.1).recovered(recovered_at)
    return tale.phase("verify").phase("refuse", 119.0).undone(120.0)


def alerts_csv(
    received: list[tuple[float, str]], *, pause: tuple[float, float] = (0, 0), until: float = 120.0
) -> bytes:
    """A file with an evaluation each 250 ms but for a pause, and notices of ``Stale``."""
    rows = [ALERT_HEADER]
    at = 90.0
    while at < until:
        if not pause[0] <= at < pause[1]:
            rows.append(f"scrape,,{ns(at)},{ns(at + 0.01)},ok")
        at += 0.25
    rows += [f"received,Stale,{ns(t)},{ns(t + 0.001)},{how}" for t, how in received]
    return ("\n".join(rows) + "\n").encode()
