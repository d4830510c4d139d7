"""Where things lie below an evidence folder, and inside a bundle."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fireproof.errors import MalformedError

BAGIT: Final = "bagit.txt"
BAG_INFO: Final = "bag-info.txt"
MANIFEST: Final = "manifest-sha256.txt"
TAG_MANIFEST: Final = "tagmanifest-sha256.txt"
PAYLOAD: Final = "data"
PLAN: Final = "plan.json"
RUN: Final = "run.json"
GUIDE: Final = "VERIFY.md"
SCRIPT: Final = "verify.sh"
JOURNAL: Final = "data/journal.jsonl"
APPROVALS: Final = "data/approvals"
PLAN_SIGNED: Final = "plan.sigstore.json"
RUN_SIGNED: Final = "run.sigstore.json"
TEST_RESULT_SIGNED: Final = "test-result.sigstore.json"

SIGNED: Final = (PLAN_SIGNED, RUN_SIGNED, TEST_RESULT_SIGNED)
"""Envelopes stand beside the bag: they are about the tag manifest, so it cannot list them."""
REQUIRED: Final = (BAGIT, BAG_INFO, MANIFEST, TAG_MANIFEST, PLAN, RUN, GUIDE, SCRIPT, JOURNAL)

_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_CREATED = re.compile(r"(\d{4})-(\d{2})-\d{2}T.*Z")


@dataclass(frozen=True, slots=True)
class EvidenceRoot:
    """The evidence folder of a checkout (``evidence/``), or of anybody who keeps bundles."""

    path: Path

    @property
    def bundles(self) -> Path:
        """Sealed bundles, by year and month."""
        return self.path / "bundles"

    @property
    def runs(self) -> Path:
        """Working folders, one a run."""
        return self.path / "runs"

    @property
    def trust(self) -> Path:
        """Public keys that are believed: every ``*.pub.pem`` here."""
        return self.path / "trust"

    @property
    def approvals(self) -> Path:
        """Approvals of plans, by the digest of what was approved."""
        return self.path / "approvals"

    @property
    def approvers(self) -> Path:
        """Public keys of those who may approve; none of them vouches for a run."""
        return self.trust / "approvers"

    @property
    def private_key(self) -> Path:
        """The runner's own key; never leaves this machine."""
        return self.path / "keys" / "runner.pem"

    @property
    def public_key(self) -> Path:
        """Its public half."""
        return self.trust / "runner.pub.pem"


def bundle_folder(bundles: Path, run: str, created_at: str) -> Path:
    """Place of a run's bundle: ``bundles/<yyyy>/<mm>/<run-id>``, by the time its plan was made."""
    if not _RUN_ID.fullmatch(run):
        raise MalformedError(f"{run!r} cannot be the name of a bundle")
    match = _CREATED.fullmatch(created_at)
    if not match:
        raise MalformedError(
            f"expected a UTC time such as 2026-03-02T04:05:06Z, got {created_at!r}"
        )
    return bundles / match[1] / match[2] / run
