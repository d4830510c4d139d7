"""The secrets that one run was given: put in place in memory, kept out of everything written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from fireproof.errors import EnvironmentRefusal, EvidenceError
from fireproof.evidence.secrets import SHORTEST, Needles
from fireproof.model.environment import Environment, Reference, parse_reference
from fireproof.secrets.sources import read_reference

_CONNINFO = re.compile(r"\b(?:ssl)?password\s*=\s*('(?:[^'\\]|\\.)*'|[^\s']+)", re.IGNORECASE)
_PLAIN_SEGMENT = 16  # characters of a path segment; longer ones may be a token, as in web hooks


class Keeper:
    """Resolves an environment's references once and remembers what must not be written down."""

    def __init__(self, environment: Environment | None, project: Path) -> None:
        self._environment = environment
        self._project = project
        self._needles: Needles | None = None
        self._revealed: Environment | None = None

    @property
    def needles(self) -> Needles:
        """What to look for.

        Raises:
            EvidenceError: when a reference cannot be read, so that nobody can look for it.
        """
        if self._needles is None:
            try:
                self.reveal()
            except EnvironmentRefusal as err:
                raise EvidenceError(
                    f"the records cannot be looked through for secrets: {err}"
                ) from err
        return self._needles or Needles(())

    def reveal(self) -> Environment:
        """The environment with its values in place; only ever in memory.

        Raises:
            EnvironmentRefusal: naming every reference that gives no usable value.
        """
        if self._revealed is None:
            self._revealed = self._reveal()
        return self._revealed

    def _reveal(self) -> Environment:
        if self._environment is None:
            raise EnvironmentRefusal("the run has no plan that could be read")
        values: dict[tuple[str, str], str] = {}
        read: dict[Reference, str] = {}
        secret: list[str] = []
        wrong: list[str] = []
        for place, reference in self._environment.elsewhere().items():
            try:
                if reference not in read:
                    read[reference] = read_reference(reference, self._project)
                    found = [part for part in secret_parts(read[reference])]
                    if any(len(part.encode()) < SHORTEST for part in found):
                        raise EnvironmentRefusal(
                            f"{reference}: a secret of fewer than {SHORTEST} characters cannot be "
                            "told from ordinary text, so it cannot be kept out of the records; "
                            "use a longer one"
                        )
                    secret += found
                values[place] = read[reference]
            except EnvironmentRefusal as err:
                wrong.append(f"components.{'.'.join(place)}: {err}")
        if wrong:
            raise EnvironmentRefusal("\n".join(wrong))
        self._needles = Needles([*secret, *self._private_key()])
        revealed = self._environment.with_values(values)
        return revealed.with_values(dict(_composed(revealed)))

    def _private_key(self) -> list[str]:
        """The lines of ssh's key: it never passes through here, and stays out all the same."""
        inventory = self._environment.inventory if self._environment else None
        reference = parse_reference(inventory.key) if inventory else None
        if reference is None:
            return []
        lines = read_reference(reference, self._project).splitlines()
        # The first lines of OpenSSH's format are the same for many keys, and public.
        body = [line.strip() for line in lines if line.strip() and not line.startswith("-----")]
        return [line for line in body[2:] if len(line) >= _PLAIN_SEGMENT]

    def refuse_in_the_open(self, plan: bytes) -> None:
        """Refuse a plan in which a secret stands by itself.

        Raises:
            EnvironmentRefusal: nothing was touched; the plan would be sealed and shown.
        """
        if self.needles.found(plan):
            raise EnvironmentRefusal(
                "the drill or environment file holds, word for word, a value that it also takes "
                "from a reference; a secret in a plan is no secret: change it, and refer to it"
            )

    def redact(self, value: Any) -> Any:
        """JSON data without secrets; unchanged when the run was given none."""
        return self._needles.redact_json(value) if self._needles else value

    def holds(self, text: str) -> bool:
        """Whether a secret stands in a text."""
        return bool(self._needles) and self.needles.found(text.encode("utf-8", "surrogateescape"))

    def guards(self) -> bool:
        """Whether there is anything to keep out."""
        return bool(self._needles)

    def keep(self, source: Path, target: Path) -> None:
        """Bring a file to the disk, redacted on the way."""
        target.parent.mkdir(parents=True, exist_ok=True)
        self.needles.copy_redacted(source, target)


def secret_parts(value: str) -> Iterator[str]:
    """What of a value is secret: all of it, or a URL's and a DSN's password.

    A plain address is none: it may stand in a log.
    """
    password = _CONNINFO.search(value)
    if password and "=" in value and "://" not in value:
        text = password[1]
        yield re.sub(r"\\(.)", r"\1", text[1:-1]) if text.startswith("'") else text
        return
    try:
        parts = urlsplit(value) if "://" in value and " " not in value else None
    except ValueError:
        parts = None
    if parts is None or not parts.scheme or not parts.hostname:
        plain = "=" in value and re.fullmatch(r"(?:\w+=[^\s=]+\s*)+", value) and "host" in value
        if not plain:
            yield value
        return
    if parts.password:
        yield parts.password
        if unquote(parts.password) != parts.password:
            yield unquote(parts.password)
    long_path = any(len(part) >= _PLAIN_SEGMENT for part in parts.path.split("/"))
    if parts.fragment or long_path or (parts.username and not parts.password):
        yield value
    for key, text in parse_qsl(parts.query):
        if len(text) >= _PLAIN_SEGMENT or re.search("pass|secret|token|key|sig", key, re.I):
            yield text


def _composed(environment: Environment) -> Iterator[tuple[tuple[str, str], str]]:
    """Texts that refer to other texts of components, put together."""
    for name, component in environment.components.items():
        for key, value in (component.model_extra or {}).items():
            if isinstance(value, str) and "{" in value and environment_has(environment, value):
                yield (name, key), _compose(value, environment)


def environment_has(environment: Environment, text: str) -> bool:
    """Whether a text refers to something that is there."""
    return _compose(text, environment) != text


def _compose(text: str, environment: Environment) -> str:
    for _ in range(8):
        before = text
        text = re.sub(
            r"\{([a-z][a-z0-9-]*)\.([a-z0-9_-]+)\}",
            lambda match: _value(environment.components, match),
            text,
        )
        if text == before:
            break
    return text


def _value(components: Mapping[str, Any], match: re.Match[str]) -> str:
    component = components.get(match[1])
    found = component.get(match[2]) if component else None
    return match[0] if found is None else str(found)
