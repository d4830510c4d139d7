"""What the journal tells, by noun; the judges ask here rather than read records themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fireproof.model.record import Record


class CannotTell(Exception):
    """A number or verdict that the evidence does not give; its text is the reason."""


@dataclass(frozen=True, slots=True)
class Span:
    """An act: it happened somewhere between these two instants."""

    before_ns: int
    after_ns: int


@dataclass(frozen=True, slots=True)
class Source:
    """A sample file as the journal announced it, with its bytes."""

    data: bytes
    period_ns: int
    timeout_ns: int
    rows: int  # as counted when the probe was stopped


class Story:
    """The records of one run and the sample files they name."""

    def __init__(self, records: Sequence[Record], samples: Mapping[str, bytes]) -> None:
        self.records = records
        self.samples = samples
        self.memory: dict[str, Any] = {}  # samples that are dear to read, by load

    def of(self, *kinds: str) -> Iterator[Record]:
        """Records of these kinds, in order."""
        return (record for record in self.records if record.kind in kinds)

    def injection(self) -> Span:
        """The first fault's injection."""
        for record in self.of("injected"):
            before, after = record.data["before_ns"], record.data["after_ns"]
            if not 0 <= before <= after:
                raise CannotTell("the injection's times contradict each other")
            return Span(before, after)
        raise CannotTell("no fault was injected")

    def recovery(self) -> Record | None:
        """The declaration that recovery was carried out, or not."""
        return next(iter(self.of("recovered")), None)

    def undo_ns(self) -> int | None:
        """When faults began to be taken back, or the run was aborted; later is not recovery."""
        return min((record.mono_ns for record in self.of("revert-begin", "abort")), default=None)

    def phase_start_ns(self, phase: str) -> int | None:
        starts = (r.mono_ns for r in self.of("phase") if r.data["phase"] == phase)
        return next(starts, None)

    def steps(self, phase: str) -> list[Record]:
        """Ends of a phase's steps."""
        return [r for r in self.of("step-end") if r.data["phase"] == phase]

    def checks(self, phase: str | None = None) -> list[Record]:
        return [r for r in self.of("check") if phase is None or r.data["phase"] == phase]

    def source(self, probe: str) -> Source:
        """A probe's sample file, if the probe lived to its ordered end.

        Raises:
            CannotTell: when it was not started once and stopped clean, or its file is not here.
        """
        starts = [r.data for r in self.of("probe-start") if r.data["probe"] == probe]
        stops = [r.data for r in self.of("probe-stop") if r.data["probe"] == probe]
        if not starts:
            raise CannotTell(f"no samples: probe {probe} was never started")
        if len(starts) > 1 or len(stops) > 1 or (stops and stops[0]["file"] != starts[0]["file"]):
            raise CannotTell(f"probe {probe} was started or stopped more than once")
        if not stops or stops[0]["clean"] is not True:
            raise CannotTell(f"probe {probe} died, or lost its last samples")
        start = starts[0]
        data = self.samples.get(start["file"])
        if data is None:
            raise CannotTell(f"no samples: {start['file']} is not there")
        return Source(data, start["period_ns"], start["timeout_ns"], stops[0]["rows"])
