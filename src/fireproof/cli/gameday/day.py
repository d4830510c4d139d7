"""One game day from its plan to its sealed bundle, in a place that is up."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from fireproof.cli.compose import load_any_environment
from fireproof.cli.gameday.conduct import Conductor, Prepare, SettingsOf, Stoppable
from fireproof.cli.gameday.planning import freeze_gameday, refuse_misfits
from fireproof.cli.gameday.record import GameDayRecord
from fireproof.cli.gameday.show import tell
from fireproof.cli.render import nearby, write_line
from fireproof.cli.settings import RunSettings
from fireproof.drillfile import LoadedGameDay
from fireproof.errors import FireproofError, JournalError
from fireproof.evidence import EvidenceRoot, open_signer
from fireproof.guard.guardian import say, sweep
from fireproof.model.verdict import ExitCode


class Day:
    """What is to be run, and after ``run`` what came of it."""

    def __init__(
        self,
        file: Path,
        loaded: LoadedGameDay,
        base: RunSettings,
        settings: SettingsOf,
        prepare: Prepare = lambda group: "",
    ) -> None:
        self._file, self._loaded, self._base, self._settings = file, loaded, base, settings
        self._prepare = prepare
        self._result: dict[str, Any] | None = None

    def say(self, text: str) -> None:
        """A line for people, where people read."""
        if self._base.output == "plain":
            say(text)

    def run(self, stops: Stoppable) -> int:
        """Exit code of the day; 3 with nothing run when it may not begin."""
        try:
            record = self._begin()
        except FireproofError as error:
            say(f"fireproof: {error}\nnothing was run.")
            return ExitCode.STOPPED_BEFORE_FAULT
        try:
            Conductor(record, self._settings, stops, self._prepare).conduct()
            self._result = record.end()
        except JournalError as error:
            say(
                f"fireproof: {error}; once the cause is gone: "
                f"fireproof recover {record.folder.root}"
            )
            return ExitCode.EVIDENCE
        finally:
            record.close()
        if self._base.output == "plain":
            tell(self._loaded.gameday.gameday, self._result, say)
        return int(self._result["exit_code"])

    def _begin(self) -> GameDayRecord:
        evidence = self._base.evidence
        standing = sweep(evidence)
        if standing:
            left = "\n".join(f"  fireproof recover {folder.root}" for folder in standing)
            raise FireproofError(f"a fault of an earlier run may still stand:\n{left}")
        environment = load_any_environment(self._base.environment)
        refuse_misfits(self._loaded, environment)
        signer = open_signer(EvidenceRoot(evidence))
        if signer.created:
            root = EvidenceRoot(evidence)
            say(
                f"fireproof: made a signing key: {root.private_key} (keep it to yourself); "
                f"auditors need {root.public_key}"
            )
        plan = freeze_gameday(self._loaded, self._file, environment)
        return GameDayRecord.begin(plan, evidence, signer)

    def show_path(self) -> None:
        """The bundle, as the last thing on stdout."""
        if self._result is None:
            return
        if self._base.output == "json":
            write_line(sys.stdout, json.dumps({"event": "gameday"} | self._result, sort_keys=True))
        elif self._result["bundle"]:
            write_line(sys.stdout, nearby(self._result["bundle"]))
