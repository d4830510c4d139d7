"""Why a log, a checkpoint or a proof is not believed: one word for machines, a text for people."""

from __future__ import annotations

from typing import Literal

Reason = Literal[
    "malformed",  # not what it claims to be
    "order",  # events or checkpoints do not follow one another
    "altered",  # an event does not have the digest that it was given
    "truncated",  # something that was there is missing at the end
    "root",  # the events do not have the root that a checkpoint states
    "key",  # signed by a key that is not trusted
    "signature",  # the trusted key did not sign this
    "proof",  # a proof that does not prove
]


class Refused(Exception):
    """Not believed."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail
