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
    confirm: tuple[str, ...] = ()  # components that may be broken
    typed: str = ""  # the name of a production environment, as somebody typed it
    profile: str = "full"
    params: tuple[str, ...] = ()  # NAME=VALUE, as given
    run_id: str = ""  # what a game day has planned; empty for a new one
    parent: int = 0  # the game day's process: a drill comes down with it
    workers: int | None = None  # processes of each load, in place of what the drill says

    def to_argv(self) -> list[str]:
        """The same, for a child process; the lab is the caller's."""
        argv = ["run", str(self.drill.absolute()), "--environment", self.environment]
        argv += ["--evidence", str(self.evidence)]
        for name in self.confirm:
            argv += ["--confirm", name]
        argv += ["--typed", self.typed] if self.typed else []
        argv += ["--profile", self.profile] if self.profile != "full" else []
        for param in self.params:
            argv += ["--param", param]
        argv += ["--run-id", self.run_id] if self.run_id else []
        argv += ["--parent", str(self.parent)] if self.parent else []
        argv += ["--workers", str(self.workers)] if self.workers is not None else []
        return argv if self.output == "plain" else [*argv, f"--{self.output}"]


_VALUED = (
    *("--environment", "-e", "--evidence", "--confirm", "--typed"),
    *("--profile", "--param", "--run-id", "--parent", "--workers"),
)


def parse_run(argv: list[str]) -> RunSettings | None:
    """The settings of a well-formed call; None for anything that click should answer."""
    values: dict[str, str] = {}
    lists: dict[str, list[str]] = {"--confirm": [], "--param": []}
    drill: str | None = None
    output, with_lab = "plain", False
    words = iter(argv)
    for word in words:
        if word in _VALUED:
            value = next(words, None)
            if value is None or (word == "--workers" and not few(value)):
                return None
            if word in lists:
                lists[word].append(value)
            else:
                values["environment" if word == "-e" else word[2:]] = value
        elif word in ("--json", "--quiet"):
            output = word[2:]
        elif word == "--with-lab":
            with_lab = True
        elif word.startswith("-") or drill is not None:
            return None
        else:
            drill = word
    profile = values.get("profile", "full")
    parent = values.get("parent", "0")
    if drill is None or profile not in ("smoke", "full") or not parent.isdecimal():
        return None
    evidence = Path(values["evidence"]) if "evidence" in values else default_evidence()
    environment = values.get("environment", "lab")
    typed = values.get("typed", "")
    workers = int(values["workers"]) if "workers" in values else None
    return RunSettings(
        Path(drill),
        environment,
        evidence,
        output,
        with_lab,
        tuple(lists["--confirm"]),
        typed,
        profile,
        tuple(lists["--param"]),
        values.get("run-id", ""),
        int(parent),
        workers,
    )


MOST_WORKERS = 32


def few(text: str) -> bool:
    """Whether it is a number of workers."""
    return text.isascii() and text.isdigit() and len(text) < 4 and int(text) <= MOST_WORKERS
