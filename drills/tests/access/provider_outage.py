"""What clients of ``ledger-patient`` get while the identity provider is away.

The sidecar keeps the answers it got, and the provider's log who read its key set: both by
CLOCK_MONOTONIC, which is one for all processes of a host.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import httpx
from clients import fact

LEDGER = "ledger-patient"
TTL_S = float(fact(LEDGER, "jwks-ttl-s"))
KEPT = "provider-outage"  # a token of a made-up key: none can be had while the provider is away


def reads() -> list[float]:
    """When the ledger read the key set, oldest first."""
    lines = Path(fact("identity", "log")).read_text("utf-8", "replace").splitlines()
    noted = [json.loads(line) for line in lines if line.startswith('{"event": "key-set-read"')]
    return [float(line["monotonic_s"]) for line in noted if line["reader"] == LEDGER]


@dataclass(frozen=True)
class Seen:
    """Answers of the ledger since the sidecar runs: (when, status, reason)."""

    answers: list[tuple[float, int, str]]
    not_had: list[float]  # when the provider made no token

    def since(self, began_s: float) -> Seen:
        """Only from that instant on: a lab that has just been started may have refused somebody."""
        answers = [answer for answer in self.answers if answer[0] >= began_s]
        return Seen(answers, [at_s for at_s in self.not_had if at_s >= began_s])

    def refused(self) -> list[float]:
        return [at_s for at_s, status, _ in self.answers if status != 200]

    def accepted(self) -> list[float]:
        return [at_s for at_s, status, _ in self.answers if status == 200]


def seen() -> Seen:
    found = httpx.get(fact("patient-caller", "seen"), timeout=10).json()
    return Seen([tuple(each) for each in found["answers"]], found["not_had"])
