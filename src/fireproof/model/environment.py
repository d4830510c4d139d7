"""Where a drill runs: components, how to reach them, and what is allowed there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

from pydantic import ConfigDict, Field, field_validator

from fireproof.errors import EnvironmentRefusal
from fireproof.model.drill import Name, Strict

_REFERENCE = re.compile(r"\{([a-z][a-z0-9-]*)\.([a-z0-9_-]+)\}")


class Control(Strict):
    """How a component's server is stopped and started, by argv, and where its pid is written.

    Both commands are idempotent: stopping the stopped and starting the started succeed.
    """

    stop: tuple[str, ...]
    start: tuple[str, ...]
    pid_file: str = Field(alias="pid-file")


class Component(Strict):
    """The thing drilled. Further keys are text for ``{component.key}``; never a secret itself:
    a DSN names a passfile, an endpoint names a credentials file.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    kind: str
    control: Control | None = None
    faults: tuple[str, ...] = ()

    @field_validator("*", mode="before")
    @classmethod
    def _numbers_are_text(cls, value: object) -> object:
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value

    def get(self, key: str) -> str | None:
        """Text of one key, or None."""
        extra = self.model_extra or {}
        value = extra.get(key, self.kind if key == "kind" else None)
        return value if isinstance(value, str) else None


class Environment(Strict):
    """A named place with its components."""

    environment: Name
    environment_class: Literal["embedded", "other", "production-like", "production"] = Field(
        alias="class"
    )
    identity: str = ""  # what leases are keyed by; two names for one place share it
    components: Mapping[Name, Component] = Field(min_length=1)
    record: Mapping[str, str] = {}  # versions and digests that the place states about itself

    def component(self, name: str) -> Component:
        """The component, or a refusal that names those there are."""
        try:
            return self.components[name]
        except KeyError:
            known = ", ".join(sorted(self.components))
            raise EnvironmentRefusal(
                f"environment {self.environment!r} has no component {name!r}; it has {known}"
            ) from None


def resolve(text: str, environment: Environment, saved: Mapping[str, str] | None = None) -> str:
    """Replace ``{component.key}`` and ``{saved.name}``; other braces stay as they are.

    Raises:
        EnvironmentRefusal: when a referenced component, key or saved value does not exist.
    """

    def value(match: re.Match[str]) -> str:
        owner, key = match.groups()
        if owner == "saved":
            found = (saved or {}).get(key)
        else:
            found = environment.component(owner).get(key)
        if found is None:
            raise EnvironmentRefusal(f"nothing to put in place of {match[0]!r}")
        return found

    return _REFERENCE.sub(value, text)


def references(text: str) -> list[tuple[str, str]]:
    """Every (component, key) that a text refers to, ``saved`` included."""
    return _REFERENCE.findall(text)
