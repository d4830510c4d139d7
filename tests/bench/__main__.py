"""``python -m bench [NAME ...]``: measure all, or these; all of them are written down."""

from __future__ import annotations

import os
import sys
import time

from bench.line import Line, families
from bench.page import PAGE, commit, machine, page, table


def main(names: list[str]) -> int:
    """Print the table; exit 1 when a benchmark broke down, whatever the budgets say."""
    known = families()
    if wrong := [name for name in names if name not in known]:
        print(f"no benchmark {', '.join(wrong)}; there are: {', '.join(known)}", file=sys.stderr)
        return 2
    lines: list[Line] = []
    broken: dict[str, str] = {}
    began, load1 = time.monotonic(), os.getloadavg()[0]
    place = f"{machine()}; commit {commit()}"
    for name in names or known:
        at = time.monotonic()
        try:
            lines += known[name]()
        except (SystemExit, Exception) as error:
            broken[name] = " ".join(str(error).split())[-300:] or type(error).__name__
        said = broken.get(name, "measured")
        print(f"{name}: {said} ({time.monotonic() - at:.0f} s)", file=sys.stderr, flush=True)
    print(table(lines))
    if not names:
        text = page(lines, broken, time.monotonic() - began, load1, place)
        PAGE.write_text(text, "utf-8")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
