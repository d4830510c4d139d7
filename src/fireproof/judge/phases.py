"""How long each phase took."""

from __future__ import annotations

from fireproof.judge.story import Story
from fireproof.model.interval import Interval
from fireproof.model.judgement import Measure


def phase_durations(story: Story) -> dict[str, Measure]:
    """Seconds from a phase's record to the next phase's; the last ends with the last residue
    check, or with the journal. A phase that was entered twice counts both times.
    """
    entered = list(story.of("phase"))
    if not entered:
        return {}
    residues = [record.mono_ns for record in story.of("residue")]
    end = residues[-1] if residues else story.records[-1].mono_ns
    total: dict[str, int] = {}
    ends = [record.mono_ns for record in entered[1:]] + [max(end, entered[-1].mono_ns)]
    for record, until in zip(entered, ends, strict=True):
        name = str(record.data["phase"])
        total[name] = total.get(name, 0) + max(0, until - record.mono_ns)
    return {name: Measure(name, "s", Interval(ns / 1e9, ns / 1e9)) for name, ns in total.items()}
