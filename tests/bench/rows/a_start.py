"""What a user waits for: help, and the shortest signed run."""

from __future__ import annotations

from bench.line import Line, row
from bench.measure import Sample, command, in_turns
from bench.peers import fireproof, tool
from bench.projects import both

ROUNDS = 15


@row("help")
def help_() -> list[Line]:
    acts = [command([fireproof(), "--help"]), command([tool("chaostoolkit", "chaos"), "--help"])]
    ours, peer = map(Sample.of, in_turns(acts, ROUNDS))
    ratio = ours.median / peer.median
    what = "`fireproof --help` against `chaos --help`"
    return [Line(what, ours.show("ms", 1e3), peer.show("ms", 1e3), ratio, "x", 0.5)]


@row("one-step")
def one_step() -> list[Line]:
    with both() as project:
        acts = [
            command(project.ours("one", [["true"]]), project.folder, project.environ),
            command(project.theirs("one", [["true"]]), project.folder),
        ]
        ours, peer = map(Sample.of, in_turns(acts, ROUNDS))
    ratio = ours.median / peer.median
    what = "a run of one step: ours with a fault and its undo, guarded, durable and signed"
    note = (
        "the peer's run has no fault, no guardian, no journal on disk before its end, no signature"
    )
    return [Line(what, ours.show("ms", 1e3), peer.show("ms", 1e3), ratio, "x", 1.0, note=note)]
