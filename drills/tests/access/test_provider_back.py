"""The identity provider answers again; what clients got meanwhile is judged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from clients import Identity, Ledger
from kept import forget, kept
from provider_outage import KEPT, LEDGER, TTL_S

SLACK_S = 0.5  # one answer on a busy machine
AGAIN_WITHIN_S = 1.0


@pytest.fixture(scope="module")
def before() -> dict[str, Any]:
    found = kept(KEPT)
    forget(KEPT)
    return found


@pytest.fixture(scope="module")
def accepted(before: dict[str, Any]) -> list[float]:
    """When, in seconds after the key set was read."""
    return [at_s for at_s, status, _ in before["answers"] if status == 201]


@pytest.fixture(scope="module")
def refused(before: dict[str, Any]) -> list[float]:
    return [at_s for at_s, status, _ in before["answers"] if status != 201]


def test_the_ledger_believes_again_without_help(
    before: dict[str, Any], at_most: Callable[..., None]
) -> None:
    """The token of before is as valid as it was."""
    took_s, _ = Ledger(LEDGER).status_until(before["good"], 201, within_s=5.0)

    at_most(took_s, AGAIN_WITHIN_S, "s")


def test_new_tokens_are_made(identity: Identity, compare: Callable[..., None]) -> None:
    """The provider came back with its keys."""
    compare(list(identity.ask("GET", "/keys")["keys"].values()).count("signing"), 1)


def test_kept_keys_were_believed_until_their_time_was_over(
    accepted: list[float],
    refused: list[float],
    record_property: Callable[[str, object], None],
) -> None:
    """Not one valid request fails because of a provider that is away for a moment."""
    if (began_s := min(accepted + refused)) >= TTL_S:
        pytest.skip(f"the watch began {began_s:.1f} s after the reading, too late to tell")
    early = [at_s for at_s in refused if at_s < TTL_S]
    last = f", the last {accepted[-1]:.3f} s after the reading" if accepted else ""
    record_property("expected", f"0 refused within {TTL_S:g} s after the key set was read")
    record_property("observed", f"{len(early)} refused; {len(accepted)} accepted{last}")

    assert accepted
    assert not early


def test_and_not_for_ever(refused: list[float], at_most: Callable[..., None]) -> None:
    """From the reading to the first refusal: else a retired key would live as long as an outage."""
    at_most(refused[0] if refused else float("inf"), TTL_S + SLACK_S, "s")


def test_from_then_on_each_request_was_refused_clearly(
    before: dict[str, Any], refused: list[float], record_property: Callable[[str, object], None]
) -> None:
    """503 and why: the caller is not at fault, and may come again."""
    first = refused[0] if refused else float("inf")
    after = [answer for answer in before["answers"] if answer[0] >= first]
    clear = [answer for answer in after if answer[1:] == [503, "keys-unavailable"]]
    record_property("expected", "1 or more refused, each with 503 keys-unavailable")
    record_property("observed", f"{len(clear)} of {len(after)} so")

    assert after
    assert clear == after


def test_a_token_of_an_unknown_key_was_the_callers_mistake(
    before: dict[str, Any], compare: Callable[..., None]
) -> None:
    """401 as ever: the keys that are known answer that."""
    compare(before["stranger"], 401)
