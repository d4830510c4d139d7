"""Drill, environment and targets, frozen before the start."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from fireproof.model.drill import Drill, Objective
from fireproof.model.environment import Environment
from fireproof.model.params import InForce, Profile
from fireproof.model.strict import Strict, unsaid

PLAN_FORMAT = "fireproof-plan/v1"
OCCURRENCE = "OCCURRENCE"  # parameter: when a scheduled run was due, ISO 8601
MISSED = "MISSED"  # parameter: why an occurrence that was due was not run


class Plan(Strict):
    """What will be done to what, against which limits; its digest stands in the first record."""

    format: str = PLAN_FORMAT
    run: str
    created_at: str
    drill: Drill
    drill_file: str
    environment: Environment
    procedures: Mapping[str, str]  # path relative to the project: sha256
    tool: Mapping[str, str]  # fireproof version, git commit, dirtiness
    parameters: Mapping[str, str] = {}
    profile: Profile = Field(default="full", exclude_if=lambda profile: profile == "full")
    params: Mapping[str, InForce] = Field(default={}, exclude_if=unsaid)
    # id of the key that approved: sha256 of the envelope
    approvals: Mapping[str, str] = Field(default={}, exclude_if=unsaid)

    def asked(self) -> Mapping[str, Objective]:
        """The objectives that this profile asks."""
        every = self.drill.objectives.items()
        return {name: one for name, one in every if one.asked_in(self.profile)}
