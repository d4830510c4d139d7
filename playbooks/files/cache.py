"""The cache from outside: how long until it answers again."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from archive import Checks, Stop, obey
from deployment import TENANT, Deployment, ask_http

EVENTS = 50
WARM_WITHIN_S = 10.0
OUTAGE_EVENTS = 20


def warm(wanted: dict[str, Any], checks: Checks) -> None:
    """Events of this run, read until each comes from the cache, and is the same."""
    deployment = Deployment(wanted)
    url = deployment.switch["url"]
    written = {_write(url, f"{wanted['run']}-{number}") for number in range(EVENTS)}
    began = time.monotonic()
    cold, wrong = set(written), 0
    while cold and time.monotonic() - began < WARM_WITHIN_S:
        for seq, body in sorted(cold):
            _, headers, text = ask_http(url, "GET", f"/v1/{TENANT}/events/{seq}")
            wrong += json.loads(text).get("body") != body
            if headers.get("x-cache") == "hit":
                cold.discard((seq, body))
    took = f"{len(written) - len(cold)} after {time.monotonic() - began:.2f} s"
    expected = f"{EVENTS} events come from the cache within {WARM_WITHIN_S:g} s"
    checks.add("warm-again", not cold, expected, took)
    checks.add("cached-as-written", wrong == 0, "0 of them differ", f"{wrong} differ")


def without(wanted: dict[str, Any], checks: Checks) -> None:
    """While it is away no answer may claim to come from it."""
    url = Deployment(wanted).switch["url"]
    seen = set()
    for number in range(OUTAGE_EVENTS):
        seq, _ = _write(url, f"{wanted['run']}-away-{number}")
        for _ in range(2):
            seen.add(ask_http(url, "GET", f"/v1/{TENANT}/events/{seq}")[1].get("x-cache", "none"))
    words = ", ".join(sorted(seen))
    checks.add("really-away", "hit" not in seen, "no answer out of the cache", words)


def _write(url: str, body: str) -> tuple[int, str]:
    status, _, text = ask_http(url, "POST", f"/v1/{TENANT}/events", {"key": body, "body": body})
    if status not in (200, 201):
        raise Stop(f"a write is answered with {status}: {text[:120]}")
    return int(json.loads(text)["seq"]), body


ACTS = {"warm": warm, "without": without}


if __name__ == "__main__":
    obey(ACTS[sys.argv[1]])
