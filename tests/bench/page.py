"""The table at the terminal, and docs/reference/benchmarks.md."""

from __future__ import annotations

import datetime
import os
import platform
import ssl
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.line import HEAD, Line
from bench.peers import HERE, PINS

PAGE = HERE / "docs" / "reference" / "benchmarks.md"


def table(lines: Sequence[Line]) -> str:
    """Markdown; with the causes and remarks below it."""
    rows = [HEAD, ("---",) * len(HEAD), *(line.cells() for line in lines)]
    text = "\n".join("| " + " | ".join(cells) + " |" for cells in rows)
    notes = [f"- {line.what}: {line.note}" for line in lines if line.note]
    return "\n\n".join([text, "\n".join(notes)]) if notes else text


def machine() -> str:
    """What the numbers were taken on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    model = "unknown CPU"
    for line in Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
    return (
        f"{os.cpu_count()} cores ({model}), {memory:.0f} GiB, {platform.machine()}, "
        f"Linux {platform.release()}, Python {platform.python_version()}, {ssl.OPENSSL_VERSION}"
    )


def commit() -> str:
    """The commit that was measured; changes that are not committed are said."""

    def git(*words: str) -> str:
        argv = ["git", "-C", str(HERE), *words]
        return subprocess.run(argv, capture_output=True, text=True, check=False).stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no")
    return git("rev-parse", "--short=12", "HEAD") + (" with changes" if changed else "")


def page(
    lines: Sequence[Line], broken: Mapping[str, str], took_s: float, load1: float, place: str
) -> str:
    """The whole page; a benchmark that broke down is named, not left out."""
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    missed = [line.what for line in lines if line.met is False]
    judged = sum(line.met is not None for line in lines)
    words = f"{judged - len(missed)} of {judged} budgets met" + ("; missed: " if missed else "")
    words += "; ".join(missed)
    failed = "".join(f"- `{name}` could not be measured: {why}\n" for name, why in broken.items())
    return (
        "# Benchmarks\n\n"
        "Written by `make bench`; do not edit. Ours and the peer's are measured in turns in the\n"
        "same run: median (lower to upper quartile, number of measurements). A budget that is\n"
        "missed stays in the table with what is known of its cause. `make bench B=NAME` measures\n"
        "one family and writes nothing.\n\n"
        f"{place}; peers {', '.join(PINS.values())}; {today}, {took_s / 60:.1f} minutes, load "
        f"{load1:.1f} at the start.\n\n{words}.\n\n{table(lines)}\n"
        + (f"\n{failed}" if failed else "")
    )
