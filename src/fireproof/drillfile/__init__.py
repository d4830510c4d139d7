"""YAML text → model, with every problem as ``file:line:column``."""

from fireproof.drillfile.findings import render, render_github
from fireproof.drillfile.fitting import check_environment
from fireproof.drillfile.gamedays import LoadedGameDay, LoadedMember, read_gameday
from fireproof.drillfile.load import (
    load_drill,
    load_environment,
    load_gameday,
    parse_drill,
    read_drill,
)
from fireproof.drillfile.marks import Loaded, Marks
from fireproof.drillfile.schema import schema
from fireproof.drillfile.vocabulary import Vocabulary

__all__ = [
    "Loaded",
    "LoadedGameDay",
    "LoadedMember",
    "Marks",
    "Vocabulary",
    "check_environment",
    "load_drill",
    "load_environment",
    "load_gameday",
    "parse_drill",
    "read_drill",
    "read_gameday",
    "render",
    "render_github",
    "schema",
]
