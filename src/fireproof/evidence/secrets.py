"""Known secrets in bytes: found in the forms they travel in, taken out, never named by content.

Standard library only, so that whoever writes bytes can afford to look at them first.
"""

from __future__ import annotations

import base64
import json
import mmap
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

REDACTED = "[redacted]"
SHORTEST = 8  # bytes; anything shorter also stands in ordinary text, and would be found everywhere
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Leak:
    """A file that holds a secret: which form of it, how often. Never the secret, nor a digest."""

    path: str
    rule: str  # raw, base64, hex, url, json or xml
    count: int

    def __str__(self) -> str:
        times = "once" if self.count == 1 else f"{self.count} times"
        return f"{self.path}: {self.rule} form of a secret, {times}"


class Needles:
    """The forms in which secrets are looked for; of no secrets at all it finds nothing."""

    def __init__(self, values: Iterable[str]) -> None:
        self._forms: dict[bytes, str] = {}
        for value in dict.fromkeys(values):
            for form, rule in forms(value):
                self._forms.setdefault(form, rule)
        longest_first = sorted(self._forms, key=len, reverse=True)
        self._pattern = re.compile(b"|".join(map(re.escape, longest_first)) or rb"(?!)")

    def __bool__(self) -> bool:
        return bool(self._forms)

    def redact(self, data: bytes) -> bytes:
        """The bytes with every form of every secret taken out."""
        return self._pattern.sub(REDACTED.encode(), data) if self else data

    def redact_text(self, text: str) -> str:
        return self.redact(text.encode("utf-8", "surrogateescape")).decode(
            "utf-8", "surrogateescape"
        )

    def redact_json(self, value: Any) -> Any:
        """JSON data with every text in it redacted, keys included."""
        if not self:
            return value
        if isinstance(value, str):
            return self.redact_text(value)
        if isinstance(value, Mapping):
            return {self.redact_json(key): self.redact_json(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.redact_json(item) for item in value]
        return value

    def found(self, data: bytes) -> bool:
        return self._pattern.search(data) is not None

    def copy_redacted(self, source: Path, target: Path) -> None:
        """Write the bytes of one file, redacted, into another; memory stays small."""
        with source.open("rb") as file, target.open("wb") as kept:
            if not os.fstat(file.fileno()).st_size:
                return
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                at = 0
                for match in self._pattern.finditer(data):
                    _copy(data, at, match.start(), kept)
                    kept.write(REDACTED.encode())
                    at = match.end()
                _copy(data, at, len(data), kept)

    def scan(self, folder: Path) -> list[Leak]:
        """Every file below a folder that holds a secret, names of files included."""
        return [] if not self else list(self._scan(folder))

    def _scan(self, folder: Path) -> Iterator[Leak]:
        for at, folders, files in os.walk(folder):
            folders.sort()
            for name in sorted(files + folders):
                path = Path(at, name)
                shown = self.redact_text(path.relative_to(folder).as_posix())
                yield from self._count(os.fsencode(name), f"{shown} (its name)")
                if path.is_file() and not path.is_symlink() and path.stat().st_size:
                    with (
                        path.open("rb") as file,
                        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
                    ):
                        yield from self._count(data, shown)

    def _count(self, data: bytes | mmap.mmap, shown: str) -> Iterator[Leak]:
        counts: dict[str, int] = {}
        for form, rule in self._forms.items():
            at = data.find(form)
            while at >= 0:
                counts[rule] = counts.get(rule, 0) + 1
                at = data.find(form, at + len(form))
        for rule, count in sorted(counts.items()):
            yield Leak(shown, rule, count)


def _copy(data: mmap.mmap, start: int, end: int, to: Any) -> None:
    for at in range(start, end, _BLOCK):
        to.write(data[at : min(end, at + _BLOCK)])


def forms(value: str) -> Iterator[tuple[bytes, str]]:
    """(bytes, rule) of every form in which a secret is looked for.

    Base64 is looked for at each of its three alignments, because ``user:secret`` is encoded as a
    whole; the characters that also depend on what stands beside the secret are left out.
    """
    raw = value.encode()
    yield raw, "raw"
    for offset in range(3):
        code = base64.b64encode(b"\0" * offset + raw)
        first = (offset * 8 + 5) // 6  # characters that hold bits of what stands before
        last = (offset + len(raw)) * 8 // 6  # the next ones hold bits of what stands after
        inner = code[first:last]
        yield inner, "base64"
        yield inner.translate(bytes.maketrans(b"+/", b"-_")), "base64"
    yield raw.hex().encode(), "hex"
    yield raw.hex().upper().encode(), "hex"
    for quoted in (quote(value, safe=""), quote(value), quote_plus(value)):
        yield quoted.encode(), "url"
        yield re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), quoted).encode(), "url"
    yield json.dumps(value)[1:-1].encode(), "json"
    yield json.dumps(value, ensure_ascii=False)[1:-1].encode(), "json"
    yield repr(value)[1:-1].encode(), "json"
    escaped = value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    yield escaped.encode(), "xml"
    yield escaped.replace('"', "&quot;").encode(), "xml"
