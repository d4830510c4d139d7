"""The identity provider is dead: one token of before, appended with until it is refused and after.

``CLOCK_MONOTONIC`` is one for all processes of a host, so times compare with those of before.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from clients import Ledger, fact
from provider_outage import LEDGER, TTL_S, kept

SLACK_S = 0.5  # one answer on a busy machine
EVERY_S = 0.02
WATCHED_S = 1.0  # after the first refusal


@dataclass(frozen=True)
class Outage:
    """Answers in their order: (seconds after the key set was read, status, reason)."""

    unknown: int
    answers: list[tuple[float, int, str]]

    def accepted(self) -> list[float]:
        return [at_s for at_s, status, _ in self.answers if status == 201]

    def refused(self) -> list[float]:
        return [at_s for at_s, status, _ in self.answers if status != 201]


@pytest.fixture(scope="module")
def outage() -> Outage:
    ledger, before = Ledger(LEDGER), kept()
    stranger = ledger.append(before["junk-kid"])
    began_s, read_s = before["read_s"]
    answers: list[tuple[float, int, str]] = []
    until_s = read_s + TTL_S + 3.0
    while (now_s := time.monotonic()) < until_s:
        answer = ledger.append(before["good"])
        status = answer.status_code
        reason = "" if status == 201 else str(answer.json().get("reason"))
        answers.append((time.monotonic() - began_s, status, reason))
        if status != 201:
            until_s = min(until_s, now_s + WATCHED_S)
        time.sleep(EVERY_S)
    return Outage(stranger.status_code, answers)


def test_the_provider_is_away(compare: Callable[..., None]) -> None:
    """What follows would else show nothing."""
    with socket.socket() as line:
        refused = line.connect_ex(("127.0.0.1", int(fact("identity", "port")))) != 0

    compare(refused, True)


def test_its_keys_are_believed_until_their_time_is_over(
    outage: Outage, record_property: Callable[[str, object], None]
) -> None:
    """Not one valid request fails because of a provider that is away for a moment."""
    early = [at_s for at_s in outage.refused() if at_s < TTL_S]
    accepted = outage.accepted()
    last = f", the last {accepted[-1]:.3f} s after the reading" if accepted else ""
    record_property("expected", f"0 refused within {TTL_S:g} s after the key set was read")
    record_property("observed", f"{len(early)} refused; {len(accepted)} accepted{last}")

    assert accepted
    assert not early


def test_and_not_for_ever(outage: Outage, at_most: Callable[..., None]) -> None:
    """From the reading to the first refusal: a key that has leaked is retired for nothing else."""
    refused = outage.refused()

    at_most(refused[0] if refused else float("inf"), TTL_S + SLACK_S, "s")


def test_from_then_on_each_request_is_refused_clearly(
    outage: Outage, record_property: Callable[[str, object], None]
) -> None:
    """503 and why: the caller is not at fault, and may come again."""
    first = outage.refused()[0] if outage.refused() else float("inf")
    after = [answer for answer in outage.answers if answer[0] >= first]
    clear = [answer for answer in after if answer[1:] == (503, "keys-unavailable")]
    record_property("expected", "1 or more refused, each with 503 keys-unavailable")
    record_property("observed", f"{len(clear)} of {len(after)} so")

    assert after
    assert clear == after


def test_a_token_of_an_unknown_key_is_the_callers_mistake(
    outage: Outage, compare: Callable[..., None]
) -> None:
    """401 as ever: the keys that are known answer that."""
    compare(outage.unknown, 401)
