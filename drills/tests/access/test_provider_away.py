"""The identity provider is dead: clients go on until they are refused, and a while longer."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

from clients import Ledger, fact
from kept import keep, kept
from provider_outage import KEPT, LEDGER, TTL_S, reads, seen

WATCHED_S = 1.0  # after the first refusal
LATER_S = 2.0  # so long after their time keys are believed for ever, as far as this drill can see


def test_the_provider_is_away(compare: Callable[..., None]) -> None:
    """What follows would else show nothing."""
    with socket.socket() as line:
        refused = line.connect_ex(("127.0.0.1", int(fact("identity", "port")))) != 0

    compare(refused, True)


def test_clients_are_watched_meanwhile(record_property: Callable[[str, object], None]) -> None:
    """What they got is judged when the provider is back."""
    stranger = Ledger(LEDGER).append(kept(KEPT)["junk"]).status_code
    read_s = reads()[-1]
    until_s = read_s + TTL_S + LATER_S
    while not seen().since(read_s).refused() and time.monotonic() < until_s:
        time.sleep(0.1)
    time.sleep(WATCHED_S)
    now = seen()
    keep(KEPT, stranger=stranger, read_s=reads()[-1], answers=now.answers, not_had=now.not_had)
    record_property("expected", "answers")
    record_property("observed", f"{len(now.answers)} answers")

    assert now.answers
