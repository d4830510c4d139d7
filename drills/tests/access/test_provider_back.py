"""The identity provider answers again."""

from __future__ import annotations

from collections.abc import Callable

from clients import Identity, Ledger
from provider_outage import LEDGER, forget, kept

AGAIN_WITHIN_S = 1.0


def test_the_ledger_believes_again_without_help(at_most: Callable[..., None]) -> None:
    """The token of before is as valid as it was."""
    token = kept()["good"]
    forget()
    took_s, _ = Ledger(LEDGER).status_until(token, 201, within_s=5.0)

    at_most(took_s, AGAIN_WITHIN_S, "s")


def test_new_tokens_are_made_and_believed(identity: Identity, compare: Callable[..., None]) -> None:
    """The provider came back with its keys."""
    compare(Ledger(LEDGER).append(identity.token()).status_code, 201)
