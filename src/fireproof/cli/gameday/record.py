"""The journal and the bundle of a game day: the same machinery as for a run."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import Any

from fireproof.cli.recompute import judge_gameday_bag
from fireproof.clock import clock_pair, utc_label
from fireproof.engine.observation import environment_record, machine
from fireproof.errors import EnvironmentRefusal, EvidenceError
from fireproof.evidence import EvidenceRoot, seal_bundle, sign_plan
from fireproof.guard.folder import RunFolder
from fireproof.journal import JournalWriter
from fireproof.model.gameday import GameDayPlan
from fireproof.model.gameday_judgement import GameDayJudgement
from fireproof.model.ports import Signer
from fireproof.model.verdict import ExitCode, heaviest_exit


class GameDayRecord:
    """What a game day writes down; holds the run's lock until ``close``."""

    def __init__(
        self,
        plan: GameDayPlan,
        folder: RunFolder,
        journal: JournalWriter,
        signer: Signer,
        lock: int,
    ) -> None:
        self.plan, self.folder = plan, folder
        self._journal, self._signer, self._lock = journal, signer, lock
        self.note = journal.append

    @classmethod
    def begin(cls, plan: GameDayPlan, evidence: Path, signer: Signer) -> GameDayRecord:
        """Sign the plan and write the first record, before any drill.

        Raises:
            FireproofError: when it cannot; nothing is left then.
        """
        folder = RunFolder(evidence / "runs" / plan.run)
        try:
            lock = folder.create()
        except OSError as error:
            raise EnvironmentRefusal(
                f"{error.filename or folder.root}: {error.strerror}"
            ) from error
        try:
            digest = sign_plan(folder.bag, plan.model_dump(mode="json", by_alias=True), signer)
            journal = JournalWriter.create(folder.journal, ballast=folder.ballast)
            journal.append(
                "open",
                run=plan.run,
                drill=plan.gameday.gameday,
                environment=plan.environment.environment,
                plan_sha256=digest,
                clocks=clock_pair(),
                boot_id=machine()["boot_id"],
                pid=os.getpid(),
            )
        except BaseException:
            folder.discard()
            os.close(lock)
            raise
        return cls(plan, folder, journal, signer, lock)

    def end(self) -> dict[str, Any]:
        """Say what is left, judge, seal; the result.

        Raises:
            JournalError: the last record could not be written.
        """
        if not self._journal.records or self._journal.records[-1].kind != "residue":
            ends = [record.data for record in self._journal.records if record.kind == "drill-end"]
            dirty = [data for data in ends if data["code"] == ExitCode.DIRTY]
            found = [f"{data['member']}: a fault may still stand" for data in dirty]
            self.note("residue", clean=not found, found=found, clocks=clock_pair())
        self._journal.close()
        return seal_gameday(self.folder, self._signer)

    def close(self) -> None:
        """Give the lock back."""
        self._journal.close()
        os.close(self._lock)


def seal_gameday(folder: RunFolder, signer: Signer) -> dict[str, Any]:
    """Judge and seal what is on disk; without a bundle there is no ``result.json``."""
    judgement = judge_gameday_bag(folder.bag)
    plan_bytes = (folder.bag / "plan.json").read_bytes()
    result = describe(folder, judgement)
    run_record = {
        "format": "fireproof-gameday-run/v1",
        "run": folder.run,
        "sealed_at": utc_label(),
        "plan_sha256": hashlib.sha256(plan_bytes).hexdigest(),
        "environment_record": environment_record({}),
        "judgement": judgement.to_json(),
    }
    try:
        sealed = seal_bundle(
            folder.bag,
            EvidenceRoot(folder.evidence).bundles,
            folder.run,
            signer=signer,
            run_record=run_record,
        )
        result |= {"bundle": str(sealed.path), "identity": sealed.identity}
        folder.write_result(result)
    except (EvidenceError, OSError) as error:
        code = heaviest_exit([judgement.exit_code, ExitCode.EVIDENCE])
        return result | {"exit_code": code, "unsealed": str(error)}
    return result


def result_of_sealed(folder: RunFolder, sealed: Path) -> dict[str, Any]:
    """The result of a game day that was killed between its bundle and its result."""
    identity = hashlib.sha256((sealed / "tagmanifest-sha256.txt").read_bytes()).hexdigest()
    result = describe(folder, judge_gameday_bag(sealed))
    result |= {"bundle": str(sealed), "identity": identity}
    shutil.rmtree(folder.bag, ignore_errors=True)
    folder.write_result(result)
    return result


def describe(folder: RunFolder, judgement: GameDayJudgement) -> dict[str, Any]:
    """The result of a game day before it is sealed."""
    return {
        "format": "fireproof-gameday-result/v1",
        "run": folder.run,
        "folder": str(folder.root),
        "exit_code": judgement.exit_code,
        "judgement": judgement.to_json(),
        "bundle": None,
        "identity": None,
    }
