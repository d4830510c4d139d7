"""The text of a file somebody wrote, or why it cannot be one."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from fireproof.drillfile.findings import At, Findings, shown
from fireproof.drillfile.words import closest

MAX_BYTES = 1 << 20  # the longest drill we wrote by hand has 40 lines; a megabyte is a mistake
_SUFFIXES = (".yaml", ".yml")
_TOP = At(1, 1)
# YAML's printable characters, without the line breaks that only YAML 1.1 knows (editors count
# lines differently there) and the marks that make text read in another order than it runs.
_REFUSED = re.compile(
    "[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
    "|[\u2028\u2029\u202a-\u202e\u2066-\u2069]"
)
_BREAK = re.compile("\r\n|\r|\n")
_FOREIGN = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}


def read_text(path: Path, findings: Findings) -> str | None:
    """Text of a YAML file; None when a finding says why there is none."""
    problem = _unfit(path)
    if problem:
        findings.add(_TOP, (), problem)
        return None
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as err:
        findings.add(_TOP, (), f"cannot be read: {_reason(err)}")
        return None
    if len(data) > MAX_BYTES:
        findings.add(_TOP, (), f"expected at most {MAX_BYTES >> 20} MiB, got more")
        return None
    return _decode(data, findings)


def printable(text: str, findings: Findings) -> bool:
    """Whether every character is one that people can see in an editor."""
    if text.startswith("\ufeff"):
        findings.add(_TOP, (), "starts with a byte order mark; save it as UTF-8 without one")
        return False
    bad = _REFUSED.search(text)
    if bad:
        findings.add(_at(text, bad.start()), (), f"{unseen(bad[0])} is not allowed here; remove it")
    return bad is None


def unseen(character: str) -> str:
    """Name of a character that would not show."""
    kind = "control character" if ord(character) < 0xA0 else "invisible character"
    return f"the {kind} U+{ord(character):04X}"


def _unfit(path: Path) -> str | None:
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError) as err:  # ValueError: a NUL in the name
        return _absent(path) if isinstance(err, FileNotFoundError) else _reason(err)
    if stat.S_ISDIR(mode):
        return "is a directory; name one of its files"
    if not stat.S_ISREG(mode):  # a pipe would block, a device might never end
        return "is not a regular file"
    if path.suffix not in _SUFFIXES:
        return f"expected a name that ends in .yaml or .yml, got {shown(path.name)}"
    return None


def _absent(path: Path) -> str:
    try:
        beside = [entry.name for entry in path.parent.iterdir() if entry.suffix in _SUFFIXES]
    except (OSError, ValueError):
        return "no such file, and no such folder"
    meant = closest(path.name, beside)
    return "no such file" + (f"; did you mean {str(path.with_name(meant))!r}?" if meant else "")


def _reason(err: Exception) -> str:
    return (getattr(err, "strerror", None) or str(err)).lower()


def _decode(data: bytes, findings: Findings) -> str | None:
    foreign = _FOREIGN.get(data[:2])
    if foreign:
        findings.add(_TOP, (), f"expected UTF-8, got {foreign}; save it as UTF-8")
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as err:
        before = data[: err.start].decode("utf-8")
        text = f"expected UTF-8, got the byte 0x{data[err.start]:02x}; save it as UTF-8"
        findings.add(_at(before, len(before)), (), text)
        return None


def _at(text: str, offset: int) -> At:
    line, start = 1, 0
    for brk in _BREAK.finditer(text, 0, offset):
        line, start = line + 1, brk.end()
    return At(line, offset - start + 1)
