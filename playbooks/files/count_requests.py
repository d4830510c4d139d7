"""Requests that the sidecar sent for clients between two moments: how many, how many failed."""

from __future__ import annotations

import re
import sys
import urllib.request
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from archive import Checks, Stop, obey

_SAMPLE = re.compile(r'(?m)^(caller_\w+_total)(?:\{\w+="([^"]*)"\})? (\S+)$')

_COUNTED = ("caller_answers_total", "caller_failures_total", "caller_fresh_connections_total")


def counts(wanted: dict[str, Any]) -> dict[str, int]:
    """Answers by status, failures by kind, and ``fresh`` connections, since the sidecar started."""
    url = wanted["components"]["ledger-caller"]["metrics"]
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310
        text = answer.read().decode("utf-8")
    found: dict[str, int] = {"fresh": 0}
    for name, label, value in _SAMPLE.findall(text):
        if name in _COUNTED:
            found[label or "fresh"] = int(float(value))
    return found


def begin(wanted: dict[str, Any], checks: Checks) -> None:
    checks.save(" ".join(f"{what}={count}" for what, count in counts(wanted).items()))


def since(wanted: dict[str, Any]) -> tuple[int, int, str]:
    """(requests, failed ones, both in words) since ``begin``."""
    before = dict(word.split("=") for word in wanted["begun"].split())
    if "fresh" not in before:
        raise Stop(f"begun: expected what `act: begin` kept, got {wanted['begun']!r}")
    found = {what: count - int(before.get(what, 0)) for what, count in counts(wanted).items()}
    fresh, good = found.pop("fresh"), found.pop("200", 0) + found.pop("201", 0)
    failed = sum(found.values())
    kinds = ", ".join(f"{count} {what}" for what, count in found.items() if count)
    words = f"{failed} of {good + failed} failed{f' ({kinds})' if kinds else ''}"
    return good + failed, failed, f"{words}; {fresh} handshakes"


def end(wanted: dict[str, Any], checks: Checks) -> None:
    total, failed, seen = since(wanted)
    least = int(wanted["at_least"])
    checks.add("enough-requests", total >= least, f"at least {least}", str(total))
    checks.add("no-valid-request-failed", failed == 0, f"0 of at least {least} failed", seen)


ACTS = {"begin": begin, "end": end}


if __name__ == "__main__":
    obey(ACTS[sys.argv[1]])
