"""Verifying: everything wrong with a bundle, found without trusting anything in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fireproof.errors import FireproofError, MalformedError, VerificationError
from fireproof.evidence.approval import verify_approvals
from fireproof.evidence.bag import Bag, read_bag
from fireproof.evidence.canonical import (
    MAX_BYTES,
    canonical_bytes,
    differences,
    parse_canonical,
    parse_canonical_object,
)
from fireproof.evidence.digest import sha256_hex
from fireproof.evidence.envelope import decode_envelope, short_id, verify_envelope
from fireproof.evidence.layout import (
    JOURNAL,
    PLAN,
    PLAN_SIGNED,
    REQUIRED,
    RUN,
    RUN_SIGNED,
    SIGNED,
    TAG_MANIFEST,
    TEST_RESULT_SIGNED,
)
from fireproof.evidence.statement import (
    PAYLOAD_TYPE,
    PlanFile,
    RunFile,
    parse_plan,
    parse_run,
    plan_statement,
    run_statement,
    test_result_statement,
)
from fireproof.evidence.tree import read_small
from fireproof.model.record import Record
from fireproof.model.verdict import Outcome

if TYPE_CHECKING:
    from fireproof.evidence.keys import TrustedKeys

Recompute = Callable[[Path], bytes]
"""Judges the bundle's own journal and samples again: canonical bytes of the judgement."""
ReadJournal = Callable[[Path], Sequence[Record]]
"""Records of a journal file; raises a FireproofError when its chain does not hold."""


@dataclass(frozen=True, slots=True)
class StepReport:
    """One thing that was looked at. ``problems`` name the files they are about."""

    name: str
    ok: bool
    detail: str
    problems: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "ok": self.ok,
            "detail": self.detail,
            "problems": list(self.problems),
        }


@dataclass(frozen=True, slots=True)
class VerificationReport:
    """Everything that was looked at, in order. ``ok`` only when each step is."""

    folder: Path
    run: str | None
    identity: str | None
    outcome: str | None  # of the run, as recomputed; a failed run can be perfectly good evidence
    steps: tuple[StepReport, ...]

    @property
    def ok(self) -> bool:
        return bool(self.steps) and all(step.ok for step in self.steps)

    @property
    def problems(self) -> tuple[str, ...]:
        """Everything wrong, in order."""
        return tuple(problem for step in self.steps for problem in step.problems)

    def to_json(self) -> dict[str, Any]:
        return {
            "folder": str(self.folder),
            "run": self.run,
            "identity": self.identity,
            "outcome": self.outcome,
            "ok": self.ok,
            "steps": [step.to_json() for step in self.steps],
        }


def verify_bundle(
    folder: Path,
    keys: TrustedKeys,
    recompute: Recompute,
    read_journal: ReadJournal,
    approvers: TrustedKeys | None = None,
) -> VerificationReport:
    """Check a bundle against keys got from elsewhere; never raises for a bad bundle.

    Args:
        folder: the bundle; may be a symlink, but nothing in it may be.
        keys: trusted public keys by id (``load_trusted_keys``).
        recompute: makes the judgement again from the bundle's journal and samples. Runs only on
            bytes whose structure and digests hold.
        read_journal: reads the bundle's journal strictly.
        approvers: trusted keys of those who may approve a plan; needed when one was approved.
    """
    look = _Look(folder, keys, recompute, read_journal, approvers or {})
    steps = tuple(
        look.step(name, check)
        for name, check in (
            ("structure", look.structure),
            ("digests", look.digests),
            ("signatures", look.signatures),
            ("consistency", look.consistency),
            ("recompute", look.recomputation),
            ("residue", look.residue),
        )
    )
    approved = look.step("approvals", look.approvals)
    if approved.detail:  # none asked for and none there is nothing to report
        steps = (*steps, approved)
    identity = look.bag.identity if look.bag else None
    run = look.plan.run if look.plan else None
    return VerificationReport(folder, run, identity, look.outcome, steps)


@dataclass(slots=True)
class _Look:
    """What is known so far; each check adds to it and to the problems of its step."""

    folder: Path
    keys: TrustedKeys
    recompute: Recompute
    read_journal: ReadJournal
    approvers: TrustedKeys
    bag: Bag | None = None
    plan: PlanFile | None = None
    run: RunFile | None = None
    records: Sequence[Record] = ()
    outcome: str | None = None
    failed: set[str] = field(default_factory=set)

    def step(self, name: str, check: Callable[[list[str]], str]) -> StepReport:
        problems: list[str] = []
        try:
            detail = check(problems)
        except FireproofError as error:
            problems.append(str(error))
        except OSError as error:
            problems.append(f"{error.filename or self.folder}: {error.strerror or error}")
        except (
            Exception
        ) as error:  # a crash is not a proof: whoever made these bytes may be hostile
            problems.append(f"{name} crashed: {type(error).__name__}: {error}")
        if problems:
            self.failed.add(name)
            count = len(problems)
            detail = "1 problem" if count == 1 else f"{count} problems"
        return StepReport(name, not problems, detail, tuple(problems))

    def structure(self, problems: list[str]) -> str:
        """Exactly the listed files are there, in one spelling, and nothing but files."""
        self.bag = read_bag(self.folder, required=(*REQUIRED, *SIGNED))
        found = self.bag.problems
        problems += [str(problem) for problem in found if problem.kind != "changed"]
        return f"{len(self.bag.digests) + 1} files, all listed, and {len(SIGNED)} envelopes"

    def digests(self, problems: list[str]) -> str:
        """Each file is what the manifests say."""
        bag = self._bag()
        problems += [str(problem) for problem in bag.problems if problem.kind == "changed"]
        if not bag.digests:
            problems.append("nothing is listed, so nothing was compared")
        return f"sha256 of {len(bag.digests)} files as listed; identity {bag.identity}"

    def signatures(self, problems: list[str]) -> str:
        """Each envelope is signed by a trusted key and says exactly what this bag says."""
        bag = self._bag()
        for parse in (self._parse_plan, self._parse_run):
            _collect(problems, parse)
        plan, run = self.plan, self.run
        expected: dict[str, bytes | None] = dict.fromkeys(SIGNED)
        if plan:
            expected[PLAN_SIGNED] = plan_statement(plan)
        if plan and run:
            for name, make in (
                (RUN_SIGNED, run_statement),
                (TEST_RESULT_SIGNED, test_result_statement),
            ):
                expected[name] = make(bag.identity, bag.digests, plan, run)
        signers: set[str] = set()
        for name, payload in expected.items():
            _collect(problems, partial(self._signed, name, payload, signers))
        who = ", ".join(sorted(short_id(key_id) for key_id in signers))
        return f"plan, run and test-result signed by trusted key {who}"

    def consistency(self, problems: list[str]) -> str:
        """Folder, plan, run and journal are about one and the same run."""
        name = self.folder.resolve().name
        if self.plan and self.plan.run != name:
            problems.append(f"{PLAN}: is about run {self.plan.run!r}, the folder is {name!r}")
        if self.run and self.run.run != name:
            problems.append(f"{RUN}: is about run {self.run.run!r}, the folder is {name!r}")
        if self.plan and self.run and self.run.plan_sha256 != self.plan.sha256:
            problems.append(f"{RUN}: names another plan than {PLAN}")
        if self.plan and self.run and self.run.kind != self.plan.kind:
            problems.append(f"{RUN}: is of a {self.run.kind}, {PLAN} of a {self.plan.kind}")
        if not self.plan or not self.run:
            problems.append(f"{PLAN} or {RUN} cannot be read, so they were not compared")
        if "structure" in self.failed:
            problems.append(f"{JOURNAL}: not read, because the structure does not hold")
            return ""
        self.records = self.read_journal(self.folder / JOURNAL)
        problems += [f"{JOURNAL}: {text}" for text in _broken_chain(self.records)]
        with open(self.folder / JOURNAL, "rb") as file:
            lines = sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))
        if lines != len(self.records):
            text = f"{lines} lines, but {len(self.records)} records that hold"
            problems.append(f"{JOURNAL}: {text}")
        if self.records:
            opened = self.records[0]
            if opened.kind != "open":
                problems.append(f"{JOURNAL}: begins with {opened.kind!r}, not with 'open'")
            if opened.data.get("run") != name:
                problems.append(f"{JOURNAL}: is about run {opened.data.get('run')!r}")
            if not self.plan or opened.data.get("plan_sha256") != self.plan.sha256:
                problems.append(f"{JOURNAL}: names another plan than {PLAN}")
        return f"plan, run and {len(self.records)} journal records are about this run"

    def recomputation(self, problems: list[str]) -> str:
        """The numbers and the verdict follow from the samples."""
        if self.failed & {"structure", "digests"} or self.run is None:
            problems.append("not recomputed, because the files are not the ones that were sealed")
            return ""
        stored = canonical_bytes(dict(self.run.judgement))
        again = self.recompute(self.folder)
        if again != stored:
            value = parse_canonical(again, "recomputed judgement")
            found = differences(dict(self.run.judgement), value)
            problems += [f"{RUN}: judgement.{text}" for text in found or ["bytes differ"]]
            return ""
        self.outcome = self.run.outcome
        verdicts = len(self.run.verdicts)
        if self._is_drill:
            found = [_count(verdicts, "objective"), _count(len(self.run.checks), "check")]
        else:
            own = len(self.run.judgement.get("objectives", ()))  # of the day, beside its drills
            found = [_count(verdicts - own, "drill")]
            found += [_count(own, "promise")] if own else []
        return (
            f"{' and '.join(found)} recomputed from "
            f"journal and samples, byte for byte (sha256 {sha256_hex(again)[:16]}); "
            f"outcome {self.run.outcome}"
        )

    def residue(self, problems: list[str]) -> str:
        """The run says what it left behind, and its outcome agrees."""
        if not self.records:
            problems.append(f"{JOURNAL}: could not be read, so what was left behind is unknown")
            return ""
        last = self.records[-1]
        if last.kind != "residue":
            problems.append(f"{JOURNAL}: does not end with the residue check")
            return ""
        if last.data.get("clean") is True:
            return "clean: no trace of a fault was left"
        outcome = self.run.outcome if self.run else None
        if outcome != Outcome.ABORTED_DIRTY.value:
            text = f"the residue check was not clean, yet the outcome is {outcome!r}"
            problems.append(f"{JOURNAL}: {text}")
        return f"NOT clean, and the outcome says so: {last.data.get('found')}"

    @property
    def _is_drill(self) -> bool:
        return self.run is not None and self.run.kind == "drill"

    def approvals(self, problems: list[str]) -> str:
        """Who agreed to exactly this plan; empty when nobody was asked."""
        if self.plan is None or "structure" in self.failed:
            return ""  # that has been said, and without a plan nothing was approved
        if self.run is not None and self.run.outcome == Outcome.MISSED_RUN.value:
            return ""  # nobody has to agree to what was never begun
        plan = parse_canonical_object(self._small(PLAN), PLAN)
        runner = decode_envelope(self._small(PLAN_SIGNED), PLAN_SIGNED).key_id
        detail, wrong = verify_approvals(self.folder, plan, self.approvers, runner)
        problems += wrong
        return detail

    def _bag(self) -> Bag:
        if self.bag is None:
            raise VerificationError("not compared, because the folder cannot be read")
        return self.bag

    def _small(self, name: str) -> bytes:
        try:
            return read_small(self.folder / name, MAX_BYTES)
        except OSError as error:
            raise MalformedError(f"{name}: cannot be read: {error.strerror}") from error

    def _parse_plan(self) -> None:
        self.plan = parse_plan(self._small(PLAN))

    def _parse_run(self) -> None:
        self.run = parse_run(self._small(RUN))

    def _signed(self, name: str, payload: bytes | None, signers: set[str]) -> None:
        """Check one envelope; add its key to ``signers``."""
        envelope = decode_envelope(self._small(name), name)
        verify_envelope(envelope, self.keys, name)
        signers.add(envelope.key_id)
        if envelope.payload_type != PAYLOAD_TYPE:
            raise VerificationError(f"{name}: expected a payload of type {PAYLOAD_TYPE}")
        if payload is None:
            raise VerificationError(f"{name}: cannot be compared with a bag that is not readable")
        if envelope.payload != payload:
            signed = parse_canonical(envelope.payload, f"{name}: payload")
            subject = PLAN if name == PLAN_SIGNED else TAG_MANIFEST
            found = differences(signed, parse_canonical(payload, name), limit=3)
            raise VerificationError(
                f"{name}: is not about this {subject} and what it lists: " + "; ".join(found)
            )


def _collect(problems: list[str], check: Callable[[], None]) -> None:
    """Go on after a check that fails, so that every problem is listed."""
    try:
        check()
    except FireproofError as error:
        problems.append(str(error))


def _broken_chain(records: Sequence[Record]) -> list[str]:
    """Where records do not follow from each other; the reader has checked each one's own sum."""
    if not records:
        return ["holds no record"]
    found = []
    before = "0" * 64
    for number, record in enumerate(records):
        if record.seq != number + records[0].seq or record.prev != before:
            found.append(f"record {number} does not follow from the one before")
            break
        before = record.sum
    return found


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
