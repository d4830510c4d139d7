"""The identity provider answers again; what clients got meanwhile is judged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from clients import Identity
from kept import forget, kept
from provider_outage import KEPT, TTL_S, Seen

SLACK_S = 0.5  # one answer on a busy machine


@pytest.fixture(scope="module")
def before() -> Iterator[dict[str, Any]]:
    yield kept(KEPT)
    forget(KEPT)


@pytest.fixture(scope="module")
def outage(before: dict[str, Any]) -> Seen:
    """In seconds after the last reading of the key set."""
    read_s = before["read_s"]
    answers = [(at_s - read_s, status, reason) for at_s, status, reason in before["answers"]]
    return Seen(answers, [at_s - read_s for at_s in before["not_had"]]).since(0.0)


def test_new_tokens_are_made(identity: Identity, compare: Callable[..., None]) -> None:
    """The provider came back with its keys."""
    compare(list(identity.ask("GET", "/keys")["keys"].values()).count("signing"), 1)


def test_kept_keys_were_believed_until_their_time_was_over(
    outage: Seen, record_property: Callable[[str, object], None]
) -> None:
    """Not one valid request fails because of a provider that is away for a moment."""
    early = [at_s for at_s in outage.refused() if at_s < TTL_S]
    alone_s = min(outage.not_had, default=float("inf"))
    alone = [at_s for at_s in outage.accepted() if at_s > alone_s]
    if not alone and not early:
        pytest.skip(f"the provider went {alone_s:.1f} s after the reading: too late to tell")
    last_s = max(outage.accepted())
    record_property("expected", f"0 refused within {TTL_S:g} s after the key set was read")
    record_property(
        "observed",
        f"{len(early)} refused; {len(alone)} accepted without the provider, the last {last_s:.3f} s"
        " after the reading",
    )

    assert not early


def test_and_not_for_ever(outage: Seen, at_most: Callable[..., None]) -> None:
    """From the reading to the first refusal: else a retired key would live as long as an outage."""
    at_most(min(outage.refused(), default=float("inf")), TTL_S + SLACK_S, "s")


def test_from_then_on_each_request_was_refused_clearly(
    outage: Seen, record_property: Callable[[str, object], None]
) -> None:
    """503 and why: the caller is not at fault, and may come again."""
    first_s = min(outage.refused(), default=float("inf"))
    after = [answer[1:] for answer in outage.answers if answer[0] >= first_s]
    clear = after.count((503, "keys-unavailable"))
    record_property("expected", "1 or more refused, each with 503 keys-unavailable")
    record_property("observed", f"{clear} of {len(after)} so")

    assert after
    assert clear == len(after)


def test_a_token_of_an_unknown_key_was_refused_as_ever(
    before: dict[str, Any], record_property: Callable[[str, object], None]
) -> None:
    """By the keys that are known (401), or for want of any (503)."""
    record_property("expected", "401 or 503")
    record_property("observed", before["stranger"])

    assert before["stranger"] in (401, 503)
