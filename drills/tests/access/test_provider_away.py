"""The identity provider is dead: what clients get is watched here, and judged when it is back.

A token of before is used until it is refused, and a while longer.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

from clients import Ledger, fact
from kept import keep, kept
from provider_outage import KEPT, LEDGER, TTL_S

EVERY_S = 0.02
WATCHED_S = 1.0  # after the first refusal
LATER_S = 3.0  # so long after their time keys are believed for ever, as far as this drill can see


def test_the_provider_is_away(compare: Callable[..., None]) -> None:
    """What follows would else show nothing."""
    with socket.socket() as line:
        refused = line.connect_ex(("127.0.0.1", int(fact("identity", "port")))) != 0

    compare(refused, True)


def test_clients_are_watched_meanwhile(record_property: Callable[[str, object], None]) -> None:
    """CLOCK_MONOTONIC is one for all processes of a host: times compare with those of before."""
    ledger, before = Ledger(LEDGER), kept(KEPT)
    stranger = ledger.append(before["junk-kid"]).status_code
    began_s, read_s = before["read_s"]
    answers: list[tuple[float, int, str]] = []  # seconds after the reading, status, reason
    until_s = read_s + TTL_S + LATER_S
    while time.monotonic() < until_s:
        answer = ledger.append(before["good"])
        now_s, status = time.monotonic(), answer.status_code
        is_json = answer.headers.get("content-type", "").startswith("application/json")
        answers.append(
            (now_s - began_s, status, str(answer.json().get("reason") if is_json else ""))
        )
        if status != 201:
            until_s = min(until_s, now_s + WATCHED_S)
        time.sleep(EVERY_S)
    keep(KEPT, stranger=stranger, answers=answers)
    record_property("expected", f"requests for {TTL_S:g} s after the key set was read, and longer")
    record_property("observed", f"{len(answers)} requests until {answers[-1][0]:.3f} s after")

    assert answers[-1][0] > TTL_S or answers[-1][1] != 201
