"""What a step costs: time of a thousand, memory of a talkative one."""

from __future__ import annotations

from bench.line import Line, row
from bench.measure import Sample, command, in_turns, peak_rss_bytes
from bench.projects import both

STEPS = 1000
ROUNDS = 3
TALK_BYTES = 50 * 10**6
TALKS = 3


@row("steps")
def steps() -> list[Line]:
    few, many = [["true"]], [["true"]] * (STEPS + 1)
    with both() as project:
        acts = [
            command(project.ours("few", few), project.folder, project.environ),
            command(project.ours("many", many), project.folder, project.environ),
            command(project.theirs("few", few), project.folder),
            command(project.theirs("many", many), project.folder),
        ]
        times = in_turns(acts, ROUNDS, warm=False)
    ours = Sample.of([(b - a) / STEPS for a, b in zip(*times[:2], strict=True)])
    peer = Sample.of([(b - a) / STEPS for a, b in zip(*times[2:], strict=True)])
    ratio = ours.median / peer.median
    what = f"one more process step, of {STEPS}: ours durable before and after the act"
    return [Line(what, ours.show("ms", 1e3), peer.show("ms", 1e3), ratio, "x", 1.1)]


@row("output")
def output() -> list[Line]:
    quiet, loud = [["true"]], [["sh", "-c", f"yes fireproof | head -c {TALK_BYTES}"]]
    with both() as project:
        calls = [
            (project.ours("quiet", quiet), project.environ),
            (project.ours("loud", loud), project.environ),
            (project.theirs("quiet", quiet), None),
            (project.theirs("loud", loud), None),
        ]
        peaks = [
            [peak_rss_bytes(argv, project.folder, env) for argv, env in calls] for _ in range(TALKS)
        ]
    ours = Sample.of([one[1] - one[0] for one in peaks])
    peer = Sample.of([one[3] - one[2] for one in peaks])
    mib = 1 / 2**20
    what = "memory added by 50 MB of a step's output"
    shown = ours.show("MiB", mib), peer.show("MiB", mib)
    return [Line(what, *shown, ours.median * mib, "MiB", 10)]
