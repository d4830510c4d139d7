"""What a drill may say: the steps, faults and controls that the command line knows of."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, field

from fireproof.model.drill import FaultParams, ProbeParams, StepParams


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Each kind with the model of its parameters; ``controls`` None: any well-formed id.

    ``more`` gives the steps, faults and probes of plug-ins too; it is slow, and asked only when an
    entry says something that the others do not explain.
    """

    steps: Mapping[str, type[StepParams]]
    faults: Mapping[str, type[FaultParams]]
    controls: Container[str] | None = None
    more: Callable[[], Vocabulary] | None = None
    probes: Mapping[str, type[ProbeParams]] = field(default_factory=dict)  # of plug-ins only

    def whole(self) -> Vocabulary:
        """With everything that plug-ins add."""
        if self.more is None:
            return self
        found = self.more()
        return Vocabulary(found.steps, found.faults, self.controls, probes=found.probes)

    def control_ids(self) -> list[str]:
        """Every known control, as far as they can be listed."""
        known = self.controls
        return sorted(str(control) for control in known) if isinstance(known, Iterable) else []
