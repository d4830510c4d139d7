"""A small run, recorded and sealed, without a drill: real journal, real keys, a toy judge."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fireproof.evidence import (
    EvidenceRoot,
    LocalSigner,
    Sealed,
    VerificationReport,
    canonical_bytes,
    load_trusted_keys,
    open_signer,
    seal_bundle,
    sign_plan,
    verify_bundle,
)
from fireproof.journal.line import encode, to_bytes
from fireproof.journal.reader import read_journal

if TYPE_CHECKING:
    from securesystemslib.signer import SSlibKey

RUN = "01936f00-0000-7000-8000-0000000000aa"
CREATED = "2026-03-02T04:05:06.000000Z"
CLOCKS = {"monotonic_ns": 1, "real_ns": 2}


def plan(run: str = RUN) -> dict[str, Any]:
    """As much of a plan as evidence looks at."""
    return {
        "format": "fireproof-plan/v1",
        "run": run,
        "created_at": CREATED,
        "drill": {"drill": "backup-restore"},
        "environment": {"environment": "lab"},
    }


def judge(bag: Path) -> dict[str, Any]:
    """A toy judge: the outcome is the first word of the samples, each other row is a check."""
    outcome, *rows = (bag / "data/samples.csv").read_text("utf-8").split("\n")
    return {
        "format": "fireproof-judgement/v1",
        "outcome": outcome,
        "exit_code": 0 if outcome == "passed" else 7,
        "reason": "as the samples say — naïve, but so",
        "objectives": [
            {"name": "recovery-time", "verdict": "met" if outcome == "passed" else "missed"}
        ],
        "checks": [{"name": row, "verdict": "met"} for row in rows if row],
    }


def recompute(bag: Path) -> bytes:
    return canonical_bytes(judge(bag))


def journal(run: str, plan_sha256: str, *, clean: bool = True, last: str = "residue") -> bytes:
    """A journal that opens, says one thing and ends."""
    data: dict[str, dict[str, Any]] = {
        "open": {
            "run": run,
            "drill": "backup-restore",
            "environment": "lab",
            "plan_sha256": plan_sha256,
            "clocks": CLOCKS,
            "boot_id": "b",
            "pid": 1,
        },
        "recovered": {"ok": True, "detail": "restored"},
        "residue": {"clean": clean, "found": [] if clean else ["held"], "clocks": CLOCKS},
    }
    lines, prev = b"", "0" * 64
    for seq, kind in enumerate(["open", "recovered", last]):
        record = encode(seq, CREATED, seq, kind, data[kind], prev)
        lines += to_bytes(record)
        prev = record.sum
    return lines


@dataclass(frozen=True)
class Bench:
    """An evidence folder with a key, and what it takes to seal and verify in it."""

    root: EvidenceRoot

    @cached_property
    def signer(self) -> LocalSigner:
        return open_signer(self.root)

    @cached_property
    def keys(self) -> Mapping[str, SSlibKey]:
        return load_trusted_keys(folder=self.root.trust)

    def record(
        self, run: str = RUN, *, outcome: str = "passed", extra: Mapping[str, bytes] | None = None
    ) -> Path:
        """Working folder of a finished run, not yet sealed."""
        bag = self.root.runs / run / "bag"
        (bag / "data").mkdir(parents=True)
        digest = sign_plan(bag, plan(run), self.signer)
        files = {
            "data/journal.jsonl": journal(run, digest, clean=outcome != "aborted-dirty"),
            "data/samples.csv": f"{outcome}\nsame digest\nrows".encode(),
            "data/outputs/verify-00/100% of größe.txt": b"\x00\xff fine\n",
            **(extra or {}),
        }
        for name, content in files.items():
            (bag / name).parent.mkdir(parents=True, exist_ok=True)
            (bag / name).write_bytes(content)
        return bag

    def run_record(self, bag: Path, run: str = RUN, **changed: Any) -> dict[str, Any]:
        import hashlib

        return {
            "format": "fireproof-run/v1",
            "run": run,
            "sealed_at": "2026-03-02T04:06:00.000000Z",
            "plan_sha256": hashlib.sha256((bag / "plan.json").read_bytes()).hexdigest(),
            "environment_record": {"kernel": "6.1"},
            "judgement": judge(bag),
            **changed,
        }

    def seal(self, bag: Path, run: str = RUN, **changed: Any) -> Sealed:
        record = self.run_record(bag, run, **changed)
        return seal_bundle(bag, self.root.bundles, run, signer=self.signer, run_record=record)

    def sealed(self, run: str = RUN, **how: Any) -> Sealed:
        """A sealed bundle."""
        return self.seal(self.record(run, **how), run)

    def verify(self, folder: Path, keys: Mapping[str, Any] | None = None) -> VerificationReport:
        trusted = self.keys if keys is None else keys
        return verify_bundle(folder, trusted, recompute, read_journal)


def copy_of(bundle: Path, place: Path) -> Path:
    """A copy of a bundle that may be damaged, under the bundle's own name."""
    target = place / bundle.name
    shutil.copytree(bundle, target, symlinks=True)
    return target
