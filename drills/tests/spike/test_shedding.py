"""What the service itself says of a spike that is over."""

from __future__ import annotations

import os
import urllib.request
from collections.abc import Callable

URL = os.environ["FP_LEDGER_CROWD_URL"]
LIMIT = os.environ["FP_LEDGER_CROWD_IN_FLIGHT_MAX"]


def metric(name: str) -> float:
    with urllib.request.urlopen(f"{URL}/metrics", timeout=5) as answer:  # noqa: S310 - the lab's
        lines = answer.read().decode().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))


def test_what_was_too_much_was_refused_at_the_limit(
    record_property: Callable[[str, str], None],
) -> None:
    """Not by a queue that ran into its timeouts."""
    refused = metric("ledger_shed_total")

    record_property("expected", f"at least 1 request refused at {LIMIT} in flight")
    record_property("observed", f"{refused:.0f} requests refused at {LIMIT} in flight")
    assert refused >= 1
