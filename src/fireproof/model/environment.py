"""Where a drill runs: components, how to reach them, and what is allowed there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Literal, NamedTuple

from pydantic import ConfigDict, Field, StringConstraints, ValidationInfo, field_validator

from fireproof.errors import EnvironmentRefusal
from fireproof.model.drill import Name, Strict
from fireproof.model.strict import unsaid

_REFERENCE = re.compile(r"\{([a-z][a-z0-9-]*)\.([a-z0-9_-]+)\}")
_ELSEWHERE = re.compile(r"(env|file|aws-sm):(.*)", re.DOTALL)
_DEEPEST = 8  # texts of components that name each other; more is a circle


class Reference(NamedTuple):
    """Where a value is kept that never stands in a plan: ``env:NAME``, ``file:PATH``,
    ``aws-sm:ID`` or ``aws-sm:ID#KEY``.
    """

    scheme: str
    place: str

    def __str__(self) -> str:
        return f"{self.scheme}:{self.place}"


def parse_reference(text: str) -> Reference | None:
    """The reference that a component's text is, or None when it is the value itself."""
    match = _ELSEWHERE.fullmatch(text)
    return Reference(match[1], match[2]) if match else None


class Control(Strict):
    """How a component's server is stopped and started, by argv, and where its pid is written.

    Both commands are idempotent: stopping the stopped and starting the started succeed.
    """

    stop: tuple[str, ...]
    start: tuple[str, ...]
    pid_file: str = Field(alias="pid-file")


HostName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")]
"""Of one host in the inventory; no pattern, so that nobody is drilled by a wildcard."""


class Inventory(Strict):
    """Ansible's inventory, and how its hosts are reached: by a key, and known by theirs."""

    file: str = Field(min_length=1)
    key: str  # file:PATH
    known_hosts: str = Field(alias="known-hosts", min_length=1)
    user: str = ""  # as the inventory says, unless told

    @field_validator("key")
    @classmethod
    def _by_reference(cls, text: str) -> str:
        reference = parse_reference(text)
        if reference is None or reference.scheme != "file" or not reference.place:
            raise ValueError("expected file:PATH, where the private key is kept")
        return text


class Component(Strict):
    """The thing drilled. Further keys are text for ``{component.key}``; never a secret itself:
    a DSN names a passfile, an endpoint names a credentials file.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    kind: str
    control: Control | None = None
    faults: tuple[str, ...] = ()
    # Of the environment's inventory; none: this host.
    hosts: tuple[HostName, ...] = Field(default=(), exclude_if=unsaid)

    @field_validator("*", mode="before")
    @classmethod
    def _numbers_are_text(cls, value: object) -> object:
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value

    def get(self, key: str) -> str | None:
        """Text of one key, or None."""
        extra = self.model_extra or {}
        value = extra.get(key, self.kind if key == "kind" else None)
        return value if isinstance(value, str) else None


Instant = Annotated[
    str,
    StringConstraints(pattern=r"^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d))?$"),
]
"""``2026-12-20`` (midnight UTC) or ``2026-12-20T18:00Z``; a time of day says its zone."""


def parse_instant(text: str) -> datetime:
    """The instant, with its zone.

    Raises:
        ValueError: when there is no such day or time.
    """
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


class Freeze(Strict):
    """A window in which no drill starts; ``until`` is the first moment after it."""

    from_: Instant = Field(alias="from")
    until: Instant
    because: str = ""

    @field_validator("from_", "until")
    @classmethod
    def _a_day_there_is(cls, text: str) -> str:
        try:
            parse_instant(text)
        except ValueError:
            raise ValueError(f"there is no such instant as {text!r}") from None
        return text

    @field_validator("until")
    @classmethod
    def _ends_after_it_begins(cls, text: str, info: ValidationInfo) -> str:
        begins = info.data.get("from_")
        if begins is not None and parse_instant(text) <= parse_instant(begins):
            raise ValueError(f"expected an instant after {begins!r}, got {text!r}")
        return text

    def holds(self, now: datetime) -> bool:
        """Whether a moment lies within."""
        return parse_instant(self.from_) <= now < parse_instant(self.until)


def _nobody(needed: object) -> bool:
    """Whether nobody is asked to approve; then a plan has the bytes that it had before."""
    return not needed


class Environment(Strict):
    """A named place with its components."""

    environment: Name
    environment_class: Literal["embedded", "other", "production-like", "production"] = Field(
        alias="class"
    )
    identity: str = ""  # what leases are keyed by; two names for one place share it
    inventory: Inventory | None = Field(default=None, exclude_if=unsaid)
    components: Mapping[Name, Component] = Field(min_length=1)
    record: Mapping[str, str] = {}  # versions and digests that the place states about itself
    approvals: int | None = Field(default=None, ge=0, validate_default=True, exclude_if=_nobody)
    approvers: tuple[str, ...] = Field(default=(), exclude_if=unsaid)  # files of their public keys
    confirm: bool = False  # every drilled component is named again by --confirm
    freeze: tuple[Freeze, ...] = ()

    @field_validator("approvals")
    @classmethod
    def _one_in_production(cls, needed: int | None, info: ValidationInfo) -> int:
        production = info.data.get("environment_class") == "production"
        if production and needed == 0:
            raise ValueError("expected at least 1 for class production, got 0")
        return production * 1 if needed is None else needed

    @field_validator("components")
    @classmethod
    def _hosts_stand_somewhere(
        cls, found: Mapping[Name, Component], info: ValidationInfo
    ) -> Mapping[Name, Component]:
        placed = [name for name, component in found.items() if component.hosts]
        if placed and info.data.get("inventory", found) is None:
            raise ValueError(
                f"component {placed[0]!r} has `hosts`, and the environment has no `inventory`; "
                "add it, with file, key and known-hosts"
            )
        return found

    def hosts(self) -> tuple[str, ...]:
        """Every host that a component lives on, each once."""
        found = (host for component in self.components.values() for host in component.hosts)
        return tuple(dict.fromkeys(found))

    def elsewhere(self) -> dict[tuple[str, str], Reference]:
        """Every (component, key) whose value is kept elsewhere, with the place."""
        return {
            (name, key): reference
            for name, component in self.components.items()
            for key, value in (component.model_extra or {}).items()
            if isinstance(value, str) and (reference := parse_reference(value))
        }

    def is_secret(self, owner: str, key: str, depth: int = 0) -> bool:
        """Whether a text comes, wholly or in part, from a place outside the file."""
        component = self.components.get(owner)
        value = component.get(key) if component else None
        if value is None or depth > _DEEPEST:
            return False
        if parse_reference(value):
            return True
        below = references(value)
        return any(self.is_secret(*one, depth + 1) for one in below if one != (owner, key))

    def with_values(self, values: Mapping[tuple[str, str], str]) -> Environment:
        """The same place with these values in place of their references, for use in memory."""
        components = {
            name: component.model_copy(
                update={key: value for (owner, key), value in values.items() if owner == name}
            )
            for name, component in self.components.items()
        }
        return self.model_copy(update={"components": components})

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
