"""A game-day file and the drills that it names, with what each is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath

from fireproof.drillfile.findings import Findings, Path, shown
from fireproof.drillfile.load import load_gameday, read_drill
from fireproof.drillfile.marks import Loaded, Marks
from fireproof.drillfile.source import read_text
from fireproof.drillfile.tree import Scalar, Table, child, parse
from fireproof.drillfile.vocabulary import Vocabulary
from fireproof.drillfile.words import suggestion
from fireproof.errors import DrillFileError, Problem
from fireproof.model.gameday import Entry, GameDay, Group
from fireproof.model.params import Asked, Profile


@dataclass(frozen=True, slots=True)
class LoadedMember:
    """One drill of the day: its file, and the drill as it will be run."""

    name: str
    file: FilePath
    group: int
    asked: Asked
    loaded: Loaded


@dataclass(frozen=True, slots=True)
class LoadedGameDay:
    """A game day with its drills."""

    gameday: GameDay
    members: tuple[LoadedMember, ...]
    others: Mapping[str, GameDay]  # that ``apart`` names, by their files beside this one


def read_gameday(
    path: FilePath,
    vocabulary: Vocabulary,
    profile: Profile | None = None,
    values: Mapping[str, str] | None = None,
) -> LoadedGameDay:
    """The game day of a file, with its drills from the folder above.

    Args:
        path: the file.
        vocabulary: what drills may say.
        profile: instead of the file's.
        values: of params, by ``drill.param``; they win over the file's.

    Raises:
        DrillFileError: with every problem of the file and of its drills.
    """
    gameday = load_gameday(path)
    findings = Findings(str(path))
    root = parse(read_text(path, findings) or "", lambda *_: None)
    reader = _Reader(path, Marks(str(path), root), findings, vocabulary)
    members = reader.members(gameday, profile, values or {})
    others = reader.others(gameday, path)
    reader.raise_if_any()
    return LoadedGameDay(gameday, tuple(members), others)


class _Reader:
    def __init__(
        self, path: FilePath, marks: Marks, findings: Findings, vocabulary: Vocabulary
    ) -> None:
        self._folder = path.parent.parent
        self._marks, self._findings, self._vocabulary = marks, findings, vocabulary
        self._elsewhere: dict[Problem, None] = {}

    def raise_if_any(self) -> None:
        problems = (*self._findings.problems(), *self._elsewhere)
        if problems:
            raise DrillFileError(problems)

    def members(
        self, gameday: GameDay, profile: Profile | None, values: Mapping[str, str]
    ) -> list[LoadedMember]:
        by_drill = self._by_drill(gameday, values)
        seen: dict[str, int] = {}
        found: list[LoadedMember] = []
        for group, (place, entries) in enumerate(
            zip(_places(gameday), gameday.groups(), strict=True)
        ):
            beside: list[tuple[Path, LoadedMember]] = []
            for path, entry in zip(place, entries, strict=True):
                seen[entry.drill] = seen.get(entry.drill, 0) + 1
                number = seen[entry.drill]
                name = entry.drill if number == 1 else f"{entry.drill}-{number}"
                chosen = profile or entry.profile or gameday.profile
                own = self._own_values(path, entry)
                asked = Asked(chosen, own | by_drill.get(entry.drill, {}))
                member = self._member(name, path, entry, group, asked, set(own))
                if member is not None:
                    beside.append((path, member))
            self._apart(beside)
            found += [member for _, member in beside]
        return found

    def others(self, gameday: GameDay, path: FilePath) -> dict[str, GameDay]:
        """The game day that this one is apart from."""
        if gameday.apart is None:
            return {}
        name, at = gameday.apart.from_, ("apart", "from")
        file = path.parent / f"{name}.yaml"
        if not file.is_file() or file.samefile(path):
            names = [one.stem for one in sorted(path.parent.glob("*.yaml")) if one != path]
            text = f"expected another game day of this folder, got {shown(name)}"
            self._findings.add(self._marks.at(*at), at, text + suggestion(name, names))
            return {}
        try:
            return {name: load_gameday(file)}
        except DrillFileError as error:
            self._elsewhere |= dict.fromkeys(error.problems)
            return {}

    def _by_drill(self, gameday: GameDay, values: Mapping[str, str]) -> dict[str, dict[str, str]]:
        names = {entry.drill for group in gameday.groups() for entry in group}
        found: dict[str, dict[str, str]] = {}
        for key, value in values.items():
            drill, dot, param = key.partition(".")
            if dot and param and drill in names:
                found.setdefault(drill, {})[param] = value
            else:
                text = f"--param {shown(key)}: expected DRILL.NAME with a drill of this game day"
                at = self._marks.at("drills")
                self._findings.add(at, ("drills",), text + suggestion(drill, names))
        return found

    def _own_values(self, path: Path, entry: Entry) -> dict[str, str]:
        """Params of an entry as its file writes them."""
        table = child(self._marks.root, *path, "params")
        entries = table.entries if isinstance(table, Table) else {}
        return {
            name: one.node.text for name, one in entries.items() if isinstance(one.node, Scalar)
        }

    def _member(
        self, name: str, path: Path, entry: Entry, group: int, asked: Asked, own: set[str]
    ) -> LoadedMember | None:
        file = self._folder / f"{entry.drill}.yaml"
        if not file.is_file():
            self._findings.add(self._marks.at(*path, "drill"), path, f"there is no {file}")
            return None
        try:
            return LoadedMember(name, file, group, asked, read_drill(file, self._vocabulary, asked))
        except DrillFileError as error:
            self._blame(path, entry, own, error)
            return None

    def _blame(self, path: Path, entry: Entry, own: set[str], error: DrillFileError) -> None:
        """A drill's problems, and the lines of this file that are behind them."""
        for problem in error.problems:
            behind = [
                name
                for name in sorted(own)
                if f"{{param.{name}}} is " in problem.text or f"--param '{name}'" in problem.text
            ]
            for name in behind:
                at = self._marks.at(*path, "params", name)
                text = f"drill {entry.drill!r} does not take it: {problem.text}"
                self._findings.add(at, (*path, "params", name), text)
            if not behind:
                self._elsewhere[problem] = None

    def _apart(self, beside: list[tuple[Path, LoadedMember]]) -> None:
        """Two drills on one component at once: each would measure the other's harm."""
        holders: dict[str, tuple[Path, LoadedMember]] = {}
        for path, member in beside:
            for component in member.loaded.drill.components:
                first = holders.setdefault(component, (path, member))
                if first[1] is not member:
                    line = self._marks.at(*first[0]).line
                    text = (
                        f"{member.name!r} and {first[1].name!r} (line {line}) both drill "
                        f"{component!r} and would run side by side; put one after the other"
                    )
                    self._findings.add(self._marks.at(*path), path, text)


def _places(gameday: GameDay) -> Iterator[tuple[Path, ...]]:
    """Paths of the entries of each group."""
    for index, item in enumerate(gameday.drills):
        if isinstance(item, Group):
            count = len(item.parallel)
            yield tuple(("drills", index, "parallel", number) for number in range(count))
        else:
            yield (("drills", index),)
