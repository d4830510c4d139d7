"""The hash that ties events together."""

from __future__ import annotations

import hashlib

from proving_ground.ledger.chain import GENESIS, event_digest


def test_the_digest_is_the_documented_one() -> None:
    """Auditors recompute it from the sentence in the docstring alone."""
    text = f"{GENESIS} 1 2:t11:k3:ä!"

    assert event_digest(GENESIS, 1, "t1", "k", "ä!") == hashlib.sha256(text.encode()).hexdigest()


def test_moving_a_letter_between_fields_changes_the_digest() -> None:
    """Otherwise two different events could share one proof."""
    digests = {event_digest(GENESIS, 1, *texts) for texts in [("a", "bc", ""), ("ab", "c", "")]}

    assert len(digests) == 2
