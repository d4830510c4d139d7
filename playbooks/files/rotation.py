"""Logs that are renamed while their service writes: put together again, is every line there?"""

from __future__ import annotations

import itertools
import json
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from archive import Checks, Stop

_THERE_WITHIN_S = 5.0


class Rotated:
    """One service's log and the names that it had before."""

    def __init__(self, path: Path, mark: str) -> None:
        self._path, self._mark = path, mark
        self._old: list[Path] = []

    def rotate(self) -> None:
        """As logrotate does without copytruncate: rename, and let the service find out."""
        give_up_at = time.monotonic() + _THERE_WITHIN_S
        while not self._path.exists():  # nothing was written since the last time
            if time.monotonic() > give_up_at:
                raise Stop(f"{self._path.name} is not written anew after it was renamed")
            time.sleep(0.02)
        name = f"{self._path.name}.{self._mark}.{len(self._old) + 1}"
        self._old.append(self._path.rename(self._path.with_name(name)))

    def lines(self) -> list[str]:
        """Of all files, oldest first."""
        found = (path.read_text("utf-8") for path in [*self._old, self._path] if path.exists())
        return [line for text in found for line in text.splitlines() if line.strip()]

    @property
    def files(self) -> int:
        return len(self._old) + 1


def judge_rotation(logs: dict[str, Rotated], asked: dict[str, list[str]], checks: Checks) -> None:
    """Numbers without a gap; and each request that the switch knows of.

    Args:
        logs: by instance.
        asked: ids of the requests that each instance answered meanwhile, as the switch says.
        checks: where the comparisons go.
    """
    gaps, missing, numbers = 0, 0, []
    for name, log in logs.items():
        lines = [line for text in log.lines() if (line := _json(text))]
        numbers = [line["n"] for line in lines]
        gaps += _gaps(numbers)
        there = {line.get("request_id") for line in lines}
        missing += sum(each not in there for each in asked[name])
    files = sum(log.files for log in logs.values())
    checks.add(
        "no-line-lost-in-rotation",
        gaps == 0,
        f"numbers without a gap through {files} files",
        f"{gaps} gaps through {files} files",
    )
    total = sum(map(len, asked.values()))
    checks.add(
        "every-request-logged",
        total > 0 and not missing,
        f"each of {total} requests that the switch gave them",
        f"{total - missing} of {total}",
    )
    # The control: one line less, and it must be noticed.
    inner = [place for place in range(1, len(numbers) - 1) if _is_whole(numbers, place)]
    cut = list(numbers)
    if inner:
        del cut[inner[len(inner) // 2]]
    noticed = _gaps(cut) - _gaps(numbers)
    checks.add(
        "removed-line-noticed", noticed == 1 if inner else None, "1 gap more", f"{noticed} more"
    )


def _is_whole(numbers: list[Any], place: int) -> bool:
    """Both its neighbours are there."""
    before, here, after = numbers[place - 1 : place + 2]
    return bool(before + 1 == here == after - 1)


def _json(text: str) -> dict[str, Any] | None:
    """A line that is none is missing from the numbers, too."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) and "n" in found else None


def _gaps(numbers: list[Any]) -> int:
    """A service that was started again begins with 1."""
    return sum(after not in (before + 1, 1) for before, after in itertools.pairwise(numbers))
