"""Kinds of other packages, found by entry points when ours do not have the kind.

The scan of installed packages costs about 10 ms, so nothing that names only our kinds pays for it.
A plug-in adds kinds; it can never take the place of one of ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar

from fireproof.errors import UsageError

T = TypeVar("T")
_NEEDED = {
    "fireproof.steps": ("params", "run"),
    "fireproof.probes": ("params", "ask"),
    "fireproof.faults": (
        *("params", "component", "prepare", "apply"),
        *("undo", "present", "by_hand"),
    ),
}


class BrokenPlugin(UsageError, KeyError):
    """An installed plug-in is of no use; a KeyError too, so that an undo is told "not there"."""

    def __str__(self) -> str:
        return str(self.args[0])


@cache
def installed(group: str) -> Mapping[str, EntryPoint]:
    """Entry points of a group by name.

    Raises:
        BrokenPlugin: when two packages give the same name.
    """
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=group):
        other = found.setdefault(point.name, point)
        if other.value != point.value:
            raise BrokenPlugin(
                f"two packages give {group} {point.name!r}: {_package(other)} and "
                f"{_package(point)}; uninstall one of them"
            )
    return found


def _package(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else point.value


class Kinds(Mapping[str, T], Generic[T]):
    """Our kinds, and behind them those of plug-ins."""

    def __init__(self, group: str, own: Mapping[str, T]) -> None:
        self.own, self._group = own, group
        self._loaded: dict[str, T] = {}

    def __getitem__(self, kind: str) -> T:
        if kind in self.own:
            return self.own[kind]
        if kind not in self._loaded:
            self._loaded[kind] = self._load(installed(self._group)[kind])
        return self._loaded[kind]

    def __contains__(self, kind: object) -> bool:
        return kind in self.own or kind in installed(self._group)

    def __iter__(self) -> Iterator[str]:
        yield from self.own
        yield from (kind for kind in installed(self._group) if kind not in self.own)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def packages(self, kinds: Iterable[str]) -> dict[str, str]:
        """Name and version of the packages behind those kinds that are not ours."""
        points = [installed(self._group)[kind] for kind in kinds if kind not in self.own]
        return {f"plugin:{p.dist.name}": p.dist.version for p in points if p.dist}

    def _load(self, point: EntryPoint) -> T:
        what = f"{self._group} {point.name!r} of {_package(point)}"
        try:
            made: T = point.load()()
        except Exception as err:
            raise BrokenPlugin(
                f"{what} cannot be loaded: {type(err).__name__}: {err}; repair or uninstall it"
            ) from err
        missing = [name for name in _NEEDED[self._group] if not hasattr(made, name)]
        if missing:
            raise BrokenPlugin(f"{what} has no {missing[0]!r}, which every one must have")
        if getattr(made, "kind", None) != point.name:
            kind = getattr(made, "kind", None)
            raise BrokenPlugin(f"{what} calls itself {kind!r}; the two names must be one")
        return made
