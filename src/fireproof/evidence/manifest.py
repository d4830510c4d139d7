"""BagIt manifests: which file has which sha256, in exactly one spelling."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_LINE = re.compile(r"([0-9a-f]{64})  (.+)")


@dataclass(frozen=True, slots=True)
class BagProblem:
    """One thing wrong with a bag, and the file it is about."""

    kind: str  # missing changed unexpected renamed symlink special path manifest unreadable
    file: str
    text: str

    def __str__(self) -> str:
        return f"{shown(self.file)}: {self.text}"


@dataclass(slots=True)
class Manifest:
    """Digests by path, and what was wrong with the text they were read from."""

    digests: dict[str, str] = field(default_factory=dict)
    problems: list[BagProblem] = field(default_factory=list)


def shown(path: str) -> str:
    """A path that may hold anything, fit for one line of a terminal."""
    return path if path.isprintable() else ascii(path)


def why_unfit(path: str) -> str | None:
    """Why a manifest must not hold this path; None if it may.

    Stricter than RFC 8493: what sha256sum, a shell loop and a text editor could read in two ways
    is refused rather than escaped. Only ``%`` is escaped.
    """
    if path.startswith("/"):
        return "an absolute path"
    if any(part in ("", ".", "..") for part in path.split("/")):
        return "a path that climbs or wanders ('..', '.', '//')"
    if "\\" in path or any(ord(c) < 32 or 127 <= ord(c) < 160 or c in "\u2028\u2029" for c in path):
        return "a name with a control character or backslash"
    if path != path.strip():
        return "a name that begins or ends with white space"
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return "a name that is not UTF-8"
    return None


def encode_manifest(digests: Mapping[str, str]) -> bytes:
    """The one text for these digests: sorted by path, two spaces, LF."""
    lines = [f"{digests[path]}  {path.replace('%', '%25')}\n" for path in sorted(digests)]
    return "".join(lines).encode("utf-8")


def parse_manifest(data: bytes, name: str) -> Manifest:
    """Digests of a manifest, with every line that is not as ``encode_manifest`` writes it."""
    found = Manifest()

    def wrong(text: str, file: str = name, kind: str = "manifest") -> None:
        found.problems.append(BagProblem(kind, file, text))

    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        wrong(f"not UTF-8 at byte {error.start}")
        return found
    lines = text.split("\n")
    if lines.pop() != "":
        wrong("the last line does not end")
    if not data:
        wrong("lists nothing")
    for number, line in enumerate(lines, 1):
        match = _LINE.fullmatch(line)
        if not match:
            wrong(f"line {number}: expected a sha256, two spaces and a path")
            continue
        if "%" in match[2].replace("%25", ""):
            wrong(f"line {number}: '%' must be written %25 and nothing else is escaped")
            continue
        path = match[2].replace("%25", "%")
        unfit = why_unfit(path)
        if unfit:
            wrong(f"listed in {name}, line {number}: {unfit}", file=path, kind="path")
        elif path in found.digests:
            wrong(f"listed twice in {name}", file=path)
        else:
            found.digests[path] = match[1]
    if not found.problems and encode_manifest(found.digests) != data:
        wrong("not in canonical form (sorted by path, one spelling)")
    return found
