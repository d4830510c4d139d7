"""A sidecar before ``ledger-patient``, with tokens that outlive an outage of their provider."""

from __future__ import annotations

from proving_ground.components.sidecar import sidecar

COMPONENT = sidecar("patient-caller", "ledger-patient", token_for_s=600)
