"""Arguments that several commands share. Standard library only: the guardian reads them."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path


def default_evidence() -> Path:
    """``evidence/`` of the working folder, or what FIREPROOF_EVIDENCE names."""
    return Path(os.environ.get("FIREPROOF_EVIDENCE") or "evidence")


@dataclass(frozen=True, slots=True)
class RunSettings:
    """What ``fireproof run`` was asked to do."""

    drill: Path
    environment: str = "lab"
    evidence: Path = field(default_factory=default_evidence)
    output: str = "plain"
    with_lab: bool = False

    def to_argv(self) -> list[str]:
        """The same, for a child process; the lab is the caller's."""
        argv = ["run", str(self.drill.absolute()), "--environment", self.environment]
        argv += ["--evidence", str(self.evidence)]
        return argv if self.output == "plain" else [*argv, f"--{self.output}"]


def parse_run(argv: list[str]) -> RunSettings | None:
    """The settings of a well-formed call; None for anything that click should answer."""
    values: dict[str, str] = {}
    drill: str | None = None
    output, with_lab = "plain", False
    words = iter(argv)
    for word in words:
        if word in ("--environment", "--evidence", "-e"):
            value = next(words, None)
            if value is None:
                return None
            values["evidence" if word == "--evidence" else "environment"] = value
        elif word in ("--json", "--quiet"):
            output = word[2:]
        elif word == "--with-lab":
            with_lab = True
        elif word.startswith("-") or drill is not None:
            return None
        else:
            drill = word
    if drill is None:
        return None
    evidence = Path(values["evidence"]) if "evidence" in values else default_evidence()
    environment = values.get("environment", "lab")
    return RunSettings(Path(drill), environment, evidence, output, with_lab)
