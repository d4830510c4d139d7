"""Bytes in, facts out: bags, envelopes, statements, keys, sealing and verifying.

Names are looked up on first use, so that the guardian can fork the signer from this package
without loading anything else of it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fireproof.evidence.approval import (
        Approval,
        approve,
        approved_digest,
        find_approvals,
        put_approvals,
        why_void,
    )
    from fireproof.evidence.bag import Bag, read_bag, write_bag
    from fireproof.evidence.canonical import canonical_bytes, parse_canonical
    from fireproof.evidence.envelope import Envelope, decode_envelope, pae, verify_envelope
    from fireproof.evidence.keys import (
        RunnerKey,
        ensure_runner_key,
        load_public_key,
        load_trusted_keys,
    )
    from fireproof.evidence.layout import EvidenceRoot, bundle_folder
    from fireproof.evidence.manifest import BagProblem
    from fireproof.evidence.members import MembersReport, bundle_beside, verify_members
    from fireproof.evidence.seal import Sealed, seal_bundle, sign_plan
    from fireproof.evidence.secrets import Leak, Needles
    from fireproof.evidence.signer import ChildSigner, LocalSigner, open_signer, start_signer
    from fireproof.evidence.verify import StepReport, VerificationReport, verify_bundle

__all__ = [
    "Approval",
    "Bag",
    "BagProblem",
    "ChildSigner",
    "Envelope",
    "EvidenceRoot",
    "Leak",
    "LocalSigner",
    "MembersReport",
    "Needles",
    "RunnerKey",
    "Sealed",
    "StepReport",
    "VerificationReport",
    "approve",
    "approved_digest",
    "bundle_beside",
    "bundle_folder",
    "canonical_bytes",
    "decode_envelope",
    "ensure_runner_key",
    "find_approvals",
    "load_public_key",
    "load_trusted_keys",
    "open_signer",
    "pae",
    "parse_canonical",
    "put_approvals",
    "read_bag",
    "seal_bundle",
    "sign_plan",
    "start_signer",
    "verify_bundle",
    "verify_envelope",
    "verify_members",
    "why_void",
    "write_bag",
]
_HOME = {
    "approval": "Approval approve approved_digest find_approvals put_approvals why_void",
    "bag": "Bag read_bag write_bag",
    "canonical": "canonical_bytes parse_canonical",
    "envelope": "Envelope decode_envelope pae verify_envelope",
    "keys": "RunnerKey ensure_runner_key load_public_key load_trusted_keys",
    "layout": "EvidenceRoot bundle_folder",
    "manifest": "BagProblem",
    "members": "MembersReport bundle_beside verify_members",
    "seal": "Sealed seal_bundle sign_plan",
    "secrets": "Leak Needles",
    "signer": "ChildSigner LocalSigner open_signer start_signer",
    "verify": "StepReport VerificationReport verify_bundle",
}


def __getattr__(name: str) -> Any:
    for module, names in _HOME.items():
        if name in names.split():
            return getattr(import_module(f"fireproof.evidence.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
