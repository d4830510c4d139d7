"""A replica that is killed: when the switch stops choosing it, and that it gets traffic again.

Everything is read from the switch's own logs: whom it chose, and who answered.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from archive import Checks, Stop, obey, run

WINDOW_S = 1.0  # the switch asks each replica five times a second
BACK_WITHIN_S = 2.0  # once it is ready
ENOUGH = 20  # requests that must have gone elsewhere since
_LOOK_S = 0.1
_GIVE_UP_S = 10.0


def watch(wanted: dict[str, Any], checks: Checks) -> None:
    """Until two windows after its last answer; then when it was last chosen, and who was since."""
    name, dial = _replica(wanted)
    give_up_at = time.monotonic() + _GIVE_UP_S
    while (answers := _answered(wanted, name)) and time.time() - answers[-1] < 2 * WINDOW_S:
        if time.monotonic() > give_up_at:
            break  # it goes on answering, and the check below says so
        time.sleep(_LOOK_S)
    last_s = answers[-1] if answers else 0.0
    before = sum(at_s > last_s - 2 * WINDOW_S for at_s in answers)
    checks.must("had-traffic", before >= ENOUGH, f"{ENOUGH} answers in 2 s before", f"{before}")
    chosen = list(_chosen(wanted))
    mine = [at_s for at_s, one in chosen if one == dial]
    left_s = max(0.0, mine[-1] - last_s)
    vain = sum(at_s > last_s for at_s in mine)
    since = sum(at_s > mine[-1] for at_s, one in chosen if one != dial)
    checks.add(
        "left-by-switch",
        left_s <= WINDOW_S and since >= ENOUGH,
        f"chosen for {WINDOW_S:g} s after its last answer, at most; {ENOUGH} times others since",
        f"chosen for {left_s:.3f} s, {vain} times; {since} times others since",
    )


def back(wanted: dict[str, Any], checks: Checks) -> None:
    """Start it; from ready to its first answer through the switch."""
    name, _ = _replica(wanted)
    gone_s = _answered(wanted, name)[-1]
    run([wanted["components"][name]["ctl"], "start", name], f"starting {name}")
    ready_s, give_up_at = time.time(), time.monotonic() + _GIVE_UP_S
    while not (fresh := [at_s for at_s in _answered(wanted, name) if at_s > gone_s]):
        if time.monotonic() > give_up_at:
            break
        time.sleep(_LOOK_S)
    took_s = max(0.0, fresh[0] - ready_s) if fresh else None
    seen = "never" if took_s is None else f"after {took_s:.3f} s"
    good = took_s is not None and took_s <= BACK_WITHIN_S
    limit = f"an answer within {BACK_WITHIN_S:g} s of being ready"
    checks.add("back-in-traffic", good, limit, seen)


# -- parts


def _replica(wanted: dict[str, Any]) -> tuple[str, str]:
    """Its name, and what the switch calls it."""
    name, components = wanted["replica"], wanted["components"]
    known = components["switch"]["replicas"].split()
    if name not in known:
        raise Stop(f"replica: expected one of {', '.join(known)}, got {name!r}")
    return name, f"127.0.0.1:{components[name]['port']}"


def _answered(wanted: dict[str, Any], name: str) -> list[float]:
    """When it answered through the switch, oldest first."""

    def of_it(line: dict[str, Any]) -> bool:
        headers: dict[str, list[str]] = line.get("resp_headers") or {}
        return headers.get("X-Ledger-Instance") == [name]

    path = Path(wanted["components"]["switch"]["log"])
    return [line["ts"] for line in _lines(path, '"handled request"', of_it)]


def _chosen(wanted: dict[str, Any]) -> Iterator[tuple[float, str]]:
    """When, and whom, oldest first."""
    path = Path(wanted["components"]["switch"]["choices"])
    for line in _lines(path, '"selected upstream"', lambda line: "dial" in line):
        yield line["ts"], line["dial"]


def _lines(
    path: Path, mark: str, good: Callable[[dict[str, Any]], bool]
) -> Iterator[dict[str, Any]]:
    """Whole lines of a log with that message."""
    with path.open(encoding="utf-8") as file:
        for text in file:
            if mark in text and text.endswith("\n") and good(line := json.loads(text)):
                yield line


ACTS = {"watch": watch, "back": back}


if __name__ == "__main__":
    obey(ACTS[sys.argv[1]])
