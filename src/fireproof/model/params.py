"""Params: what a drill's author lets one run have other than the next, ``{param.name}``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from pydantic import Field, StrictBool, StrictFloat, StrictInt, StrictStr

from fireproof.model.strict import Strict

Profile = Literal["smoke", "full"]
"""``smoke``: short, shows that the drill works. ``full``: what the objectives are about."""
PROFILES: tuple[Profile, ...] = get_args(Profile)
Value = StrictBool | StrictInt | StrictFloat | StrictStr


class Param(Strict):
    """A value for each profile; ``default`` for those that are not named."""

    default: Value | None = None
    smoke: Value | None = None
    full: Value | None = None


class InForce(Strict):
    """The value that a run has, as text, and where it came from."""

    value: str
    from_: str = Field(alias="from")  # default | profile smoke | profile full | --param


@dataclass(frozen=True, slots=True)
class Asked:
    """What the call asks for: a profile, and values by the names of params."""

    profile: Profile = "full"
    values: Mapping[str, str] = field(default_factory=dict)


ASKED_NOTHING = Asked()
"""Every param as its author set it."""
