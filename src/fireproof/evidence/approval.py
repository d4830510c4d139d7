"""Approvals: somebody other than the runner agreed to exactly this plan, before it ran.

What is approved is the plan without what is only known at its start (``run``, ``created_at``, the
approvals themselves, the occurrence of a schedule) and without where the checkout stood
(``tool.commit``, ``tool.dirty``): every file that a run uses has its own digest under
``procedures``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fireproof.clock import utc_label
from fireproof.errors import EvidenceError, FireproofError, MalformedError, VerificationError
from fireproof.evidence.canonical import (
    MAX_BYTES,
    canonical_bytes,
    differences,
    parse_canonical_object,
)
from fireproof.evidence.digest import sha256_hex
from fireproof.evidence.envelope import decode_envelope, short_id, verify_envelope
from fireproof.evidence.layout import APPROVALS, PLAN, EvidenceRoot
from fireproof.evidence.statement import PAYLOAD_TYPE, STATEMENT
from fireproof.evidence.tree import make_folders, read_small, sync_folder, write_durably
from fireproof.model.plan import MISSED, OCCURRENCE

if TYPE_CHECKING:
    from fireproof.evidence.keys import TrustedKeys
    from fireproof.model.ports import Signer

DRILL_APPROVAL: Final = "https://fireproof.dev/drill-approval/v1"
_SUFFIX: Final = ".sigstore.json"
_AT_START: Final = ("run", "created_at", "approvals")
_LEFT_OUT: Final = {"tool": ("commit", "dirty"), "parameters": (OCCURRENCE, MISSED)}


@dataclass(frozen=True, slots=True)
class Approval:
    """One valid approval, as its file holds it."""

    key_id: str
    data: bytes

    @property
    def name(self) -> str:
        return f"{self.key_id}{_SUFFIX}"

    @property
    def sha256(self) -> str:
        return sha256_hex(self.data)


def approved_part(plan: Mapping[str, Any]) -> dict[str, Any]:
    """What of a plan is approved."""
    part = {key: value for key, value in plan.items() if key not in _AT_START}
    for name, keys in _LEFT_OUT.items():
        if isinstance(whole := part.get(name), dict):
            part[name] = {key: value for key, value in whole.items() if key not in keys}
    return part


def approved_digest(plan: Mapping[str, Any]) -> str:
    """sha256 of the canonical bytes of what is approved."""
    return sha256_hex(canonical_bytes(approved_part(plan)))


def approvals_needed(plan: Mapping[str, Any]) -> int:
    """How many approvals the environment of a plan asks for; plans of old ask for none."""
    place = plan.get("environment")
    needed = place.get("approvals", 0) if isinstance(place, dict) else 0
    if not isinstance(needed, int) or isinstance(needed, bool) or needed < 0:
        raise MalformedError(f"{PLAN}: environment.approvals: expected a count, got {needed!r}")
    return needed


def approve(root: EvidenceRoot, plan: Mapping[str, Any], signer: Signer) -> Path:
    """Sign a plan and keep the approval where a run looks for it.

    Raises:
        EvidenceError: not signed, or not written.
    """
    digest = approved_digest(plan)
    folder = root.approvals / digest
    data = signer.sign(PAYLOAD_TYPE, _statement(plan, digest, utc_label()))
    path = folder / Approval(signer.key_id, data).name
    try:
        make_folders(folder)
        write_durably(folder / PLAN, canonical_bytes(approved_part(plan)))
        write_durably(path, data)
        sync_folder(folder)
    except OSError as error:
        raise EvidenceError(f"{folder}: cannot be written: {error.strerror}") from error
    return path


def find_approvals(
    root: EvidenceRoot, plan: Mapping[str, Any], keys: TrustedKeys, runner: str
) -> tuple[list[Approval], list[str]]:
    """Valid approvals of a plan, one a key, and what is wrong with the others."""
    digest = approved_digest(plan)
    folder = root.approvals / digest
    files = sorted(folder.glob(f"*{_SUFFIX}")) if folder.is_dir() else []
    return _check(files, digest, plan, keys, runner)


def why_void(root: EvidenceRoot, plan: Mapping[str, Any]) -> str:
    """What has changed since the newest approval of the same drill in the same place; "" if none.

    A help for people: the files it reads prove nothing, and nothing depends on them.
    """
    now = approved_part(plan)
    digest = approved_digest(plan)
    earlier = []
    for path in root.approvals.glob(f"*/{PLAN}"):
        try:
            then = parse_canonical_object(read_small(path, MAX_BYTES), PLAN)
            if path.parent.name != digest and _about(then) == _about(now):
                earlier.append((os.stat(path).st_mtime_ns, then))
        except (OSError, FireproofError):
            continue
    if not earlier:
        return ""
    _, then = max(earlier, key=lambda pair: pair[0])
    said = differences(then, now, limit=4, words=("was approved", "is planned now"))
    return "; ".join(said)


def put_approvals(bag: Path, approvals: Sequence[Approval]) -> None:
    """Copy the approvals that a run rests on into its working folder.

    Raises:
        EvidenceError: when they cannot be written.
    """
    if not approvals:
        return
    try:
        make_folders(bag / APPROVALS)
        for approval in approvals:
            write_durably(bag / APPROVALS / approval.name, approval.data)
        sync_folder(bag / APPROVALS)
    except OSError as error:
        raise EvidenceError(f"{bag / APPROVALS}: cannot be written: {error.strerror}") from error


def verify_approvals(
    bundle: Path, plan: Mapping[str, Any], keys: TrustedKeys, runner: str
) -> tuple[str, list[str]]:
    """What can be said of the approvals in a bundle, and what is wrong; ("", []) when none are
    asked for and none are there.
    """
    needed = approvals_needed(plan)
    folder = bundle / APPROVALS
    files = sorted(path for path in folder.iterdir()) if folder.is_dir() else []
    named = plan.get("approvals", {})
    if not (needed or files or named):
        return "", []
    found, wrong = _check(files, approved_digest(plan), plan, keys, runner)
    there = {one.key_id: one.sha256 for one in found}
    for key_id, digest in named.items() if isinstance(named, dict) else ():
        if there.get(key_id) != digest:
            wrong.append(f"{PLAN}: the approval by key {short_id(key_id)} that it names is missing")
    if set(there) - set(named):
        wrong.append(f"{APPROVALS}: holds an approval that {PLAN} does not name")
    if len(found) < needed:
        wrong.append(f"the environment asks for {needed} approvals of the plan, {len(found)} hold")
    who = ", ".join(short_id(one.key_id) for one in found)
    return f"{len(found)} of {needed} needed, of exactly this plan, by trusted key {who}", wrong


def _check(
    files: Sequence[Path], digest: str, plan: Mapping[str, Any], keys: TrustedKeys, runner: str
) -> tuple[list[Approval], list[str]]:
    found: dict[str, Approval] = {}
    wrong: list[str] = []
    for path in files:
        name = f"approval {path.name}"
        try:
            data = read_small(path, MAX_BYTES)
            key_id = _verified(data, name, digest, plan, keys, runner)
            found[key_id] = Approval(key_id, data)
        except OSError as error:
            wrong.append(f"{name}: cannot be read: {error.strerror}")
        except FireproofError as error:
            wrong.append(str(error))
    return list(found.values()), wrong


def _verified(
    data: bytes,
    name: str,
    digest: str,
    plan: Mapping[str, Any],
    keys: TrustedKeys,
    runner: str,
) -> str:
    """Id of the trusted key that approved; raises why it is no approval of this plan."""
    envelope = decode_envelope(data, name)
    if envelope.key_id == runner:
        raise VerificationError(f"{name}: signed by the runner's own key; nobody approves himself")
    verify_envelope(envelope, keys, name)
    statement = parse_canonical_object(envelope.payload, f"{name}: payload")
    predicate = statement.get("predicate")
    at = predicate.get("approvedAt") if isinstance(predicate, dict) else None
    if envelope.payload_type != PAYLOAD_TYPE or not isinstance(at, str):
        raise VerificationError(f"{name}: is not an approval")
    if envelope.payload != _statement(plan, digest, at):
        raise VerificationError(f"{name}: is of another plan")
    return envelope.key_id


def _statement(plan: Mapping[str, Any], digest: str, approved_at: str) -> bytes:
    drill, environment = _about(plan)
    return canonical_bytes(
        {
            "_type": STATEMENT,
            "subject": [{"name": f"approved part of {PLAN}", "digest": {"sha256": digest}}],
            "predicateType": DRILL_APPROVAL,
            "predicate": {
                "drill": drill,
                "environment": environment,
                "approvedAt": approved_at,
            },
        }
    )


def _about(plan: Mapping[str, Any]) -> tuple[Any, Any]:
    return plan["drill"]["drill"], plan["environment"]["environment"]
