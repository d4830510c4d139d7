"""Notices through three providers that fail in their ways: one delivery, in order, on record."""

from __future__ import annotations

import itertools
import os
import signal
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.ledger import control, until

pytestmark = pytest.mark.component

NAMES = ("notify-1", "notify-2", "notify-3")
WAYS = [
    ("kill", "400"),
    pytest.param(("500", "500"), marks=pytest.mark.full),
    pytest.param(("slow", "kill"), marks=pytest.mark.full),
]
_ids = itertools.count()


@pytest.fixture(autouse=True)
def _all_well(components: dict[str, Any]) -> None:
    """Every provider answers, and the breaker of the first is closed."""
    for name in NAMES:
        control(components[name], "start", "answer=ok")
    until(lambda: send(components).json().get("provider") == "notify-1")


def send(components: dict[str, Any], notice: str = "") -> httpx.Response:
    notice = notice or f"n{next(_ids)}"
    url = components["ledger-notices"]["url"] + "/v1/t/notices"
    return httpx.post(url, json={"id": notice, "text": "the restore is done"}, timeout=10)


def asked(components: dict[str, Any], name: str, notice: str) -> list[tuple[str, int]]:
    found = httpx.get(components[name]["url"] + "/deliveries", timeout=5).json()["asked"]
    return [(each["outcome"], each["at_ns"]) for each in found if each["id"] == f"t.{notice}"]


def test_the_first_provider_takes_it_and_the_others_never_hear_of_it(
    components: dict[str, Any],
) -> None:
    """And the same notice again is not sent again."""
    first, again = send(components, "one"), send(components, "one")

    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["provider"] == again.json()["provider"] == "notify-1"
    outcomes = [[word for word, _ in asked(components, name, "one")] for name in NAMES]
    assert outcomes == [["delivered"], [], []]


@pytest.mark.parametrize("ways", WAYS, ids=str)
def test_two_fail_and_the_third_delivers_exactly_once(
    components: dict[str, Any], ways: tuple[str, str]
) -> None:
    """In order, which three clocks of one machine and the answer agree upon."""
    for name, way in zip(NAMES, ways, strict=False):
        if way == "kill":
            control(components[name], "stop", "mode=immediate")
        else:
            control(components[name], "start", f"answer={way}")
    notice = f"two-fail-{'-'.join(ways)}"
    got = send(components, notice)
    tried = got.json()["tried"]
    for name, way in zip(NAMES, ways, strict=False):
        if way == "kill":
            control(components[name], "start")
    time.sleep(0.6)  # by then the slow one would have come round
    seen = [(asked(components, name, notice), name) for name in NAMES]
    delivered = [name for asks, name in seen for word, _ in asks if word == "delivered"]
    order = [at_ns for asks, _ in seen for _, at_ns in asks]

    assert (got.status_code, got.json()["provider"]) == (201, "notify-3")
    assert [each["provider"] for each in tried] == list(NAMES)
    assert [each["outcome"] == "taken" for each in tried] == [False, False, True]
    assert delivered == ["notify-3"]
    if "slow" not in ways:
        assert order == sorted(order)


def test_a_stopped_provider_that_goes_on_does_not_deliver_a_second_time(
    components: dict[str, Any],
) -> None:
    """It finds the notice in its socket after the next one delivered it."""
    pid = int(Path(components["notify-1"]["control"]["pid-file"]).read_text().split()[0])
    os.kill(pid, signal.SIGSTOP)
    try:
        got = send(components, "stopped")
    finally:
        os.kill(pid, signal.SIGCONT)
    until(lambda: bool(asked(components, "notify-1", "stopped")))

    assert got.json()["provider"] == "notify-2"
    assert [word for word, _ in asked(components, "notify-1", "stopped")] == ["too-late"]
    assert [word for word, _ in asked(components, "notify-2", "stopped")] == ["delivered"]


@pytest.mark.full
def test_when_none_takes_it_the_answer_says_so_and_it_may_be_sent_again(
    components: dict[str, Any],
) -> None:
    """Nothing is remembered as delivered that was not."""
    for name in NAMES:
        control(components[name], "start", "answer=500")
    refused = send(components, "none")
    control(components["notify-2"], "start", "answer=ok")
    again = send(components, "none")

    assert (refused.status_code, again.status_code) == (503, 201)
    assert len(refused.json()["tried"]) == 3
    assert again.json()["provider"] == "notify-2"


@pytest.mark.parametrize(
    "content",
    [{}, {"id": "a"}, {"id": "a b", "text": "x"}, {"id": "a", "text": ""}, {"id": 1, "text": "x"}],
    ids=["nothing", "no-text", "blank-in-id", "empty-text", "number"],
)
def test_what_is_no_notice_is_refused(components: dict[str, Any], content: object) -> None:
    """Before any provider hears of it."""
    url = components["ledger-notices"]["url"] + "/v1/t/notices"

    assert httpx.post(url, json=content).status_code == 422
