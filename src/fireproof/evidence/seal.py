"""Sealing: a working folder becomes a bundle, by one atomic rename, or stays as it was."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fireproof import __version__
from fireproof.errors import EvidenceError
from fireproof.evidence.bag import Bag, read_bag, write_bag
from fireproof.evidence.canonical import MAX_BYTES, canonical_bytes
from fireproof.evidence.envelope import decode_envelope
from fireproof.evidence.layout import (
    BAG_INFO,
    BAGIT,
    GUIDE,
    MANIFEST,
    PLAN,
    PLAN_SIGNED,
    REQUIRED,
    RUN,
    RUN_SIGNED,
    SCRIPT,
    TAG_MANIFEST,
    TEST_RESULT_SIGNED,
    bundle_folder,
)
from fireproof.evidence.secrets import Needles
from fireproof.evidence.statement import (
    PAYLOAD_TYPE,
    PlanFile,
    parse_plan,
    parse_run,
    plan_statement,
    run_statement,
    test_result_statement,
)
from fireproof.evidence.tree import (
    make_folders,
    read_small,
    sync_folder,
    walk,
    write_durably,
)
from fireproof.model.ports import Signer

_OURS = (
    RUN,
    GUIDE,
    SCRIPT,
    BAGIT,
    BAG_INFO,
    MANIFEST,
    TAG_MANIFEST,
    RUN_SIGNED,
    TEST_RESULT_SIGNED,
)


@dataclass(frozen=True, slots=True)
class Sealed:
    """A bundle in its place."""

    path: Path
    identity: str  # sha256 of its tag manifest


def sign_plan(bag: Path, plan: Mapping[str, Any], signer: Signer) -> str:
    """Write plan.json and its envelope into a working folder, before anything is done.

    Returns:
        sha256 of plan.json; the first record of the journal holds it.

    Raises:
        EvidenceError: the plan has no canonical form, cannot be signed or cannot be written.
    """
    data = canonical_bytes(plan)
    envelope = signer.sign(PAYLOAD_TYPE, plan_statement(parse_plan(data)))
    try:
        write_durably(bag / PLAN, data)
        write_durably(bag / PLAN_SIGNED, envelope)
        sync_folder(bag)
    except OSError as error:
        raise EvidenceError(f"{bag}: plan cannot be written: {error.strerror}") from error
    return parse_plan(data).sha256


def seal_bundle(
    bag: Path,
    bundles: Path,
    run: str,
    *,
    signer: Signer,
    run_record: Mapping[str, Any] | None = None,
    info: Mapping[str, str] | None = None,
    secrets: Needles | None = None,
) -> Sealed:
    """Bag, sign, read back and move a finished run to ``bundles/<yyyy>/<mm>/<run>``.

    A working folder that an earlier, killed attempt left half bagged is taken as it is.

    Args:
        bag: working folder with plan.json, plan.sigstore.json (from before the run) and data/; on
            the file system of ``bundles``.
        bundles: where bundles rest; the month is that of the plan's ``created_at``.
        run: the run's id, which becomes the bundle's name.
        signer: signs the statements about the run.
        run_record: what run.json is to hold; None when it is there already.
        info: further labels for bag-info.txt.
        secrets: what the run was given and no file of the bundle may hold, in whatever form.

    Raises:
        EvidenceError: not sealed. The working folder is as it was found, and the text says where.
    """
    try:
        with _unless_sealed(bag):
            return _seal(bag, bundles, run, signer, run_record, info or {}, secrets)
    except OSError as error:
        about = f"{error.filename}: " if error.filename else ""
        text = "the working folder is on another file system than the bundles"
        reason = text if error.errno == errno.EXDEV else error.strerror or str(error)
        raise EvidenceError(f"not sealed: {about}{reason}; the records are in {bag}") from error
    except EvidenceError as error:
        raise type(error)(f"not sealed: {error}; the records are in {bag}") from error


def _seal(
    bag: Path,
    bundles: Path,
    run: str,
    signer: Signer,
    run_record: Mapping[str, Any] | None,
    info: Mapping[str, str],
    secrets: Needles | None,
) -> Sealed:
    plan = _signed_plan(bag, run)
    target = bundle_folder(bundles, run, plan.created_at)
    make_folders(target.parent)
    if os.path.lexists(target):
        raise EvidenceError(f"{target} exists; a bundle is never replaced")

    if run_record is not None:
        write_durably(bag / RUN, canonical_bytes(run_record))
    record = parse_run(read_small(bag / RUN, MAX_BYTES))
    if (record.run, record.plan_sha256, record.kind) != (run, plan.sha256, plan.kind):
        raise EvidenceError(f"{RUN} is about another run or plan than {run}")
    for name in (GUIDE, SCRIPT):
        write_durably(bag / name, Path(__file__).with_name(name).read_bytes())
    written = write_bag(
        bag,
        {
            "Bag-Software-Agent": f"fireproof {__version__}",
            "Bagging-Date": record.sealed_at[:10],
            "External-Identifier": run,
            **info,
        },
    )
    envelopes = {
        name: signer.sign(PAYLOAD_TYPE, make(written.identity, written.digests, plan, record))
        for name, make in ((RUN_SIGNED, run_statement), (TEST_RESULT_SIGNED, test_result_statement))
    }
    for name, envelope in envelopes.items():
        write_durably(bag / name, envelope)
    sync_folder(bag)
    _read_back(bag, written, envelopes)
    if secrets and (leaks := secrets.scan(bag)):
        listed = "\n".join(f"  {leak}" for leak in leaks)
        raise EvidenceError(
            f"a secret that the run was given stands in its records:\n{listed}\n"
            "change the secret, keep the folder from others, and have the step not write it"
        )
    os.rename(bag, target)
    for folder in (target.parent, bag.parent):
        sync_folder(folder)
    return Sealed(target, written.identity)


def _signed_plan(bag: Path, run: str) -> PlanFile:
    """Plan of a working folder, with the envelope that was made for it before the run."""
    plan = parse_plan(read_small(bag / PLAN, MAX_BYTES))
    if plan.run != run:
        raise EvidenceError(f"{PLAN} is the plan of {plan.run!r}, not of {run!r}")
    envelope = decode_envelope(read_small(bag / PLAN_SIGNED, MAX_BYTES), PLAN_SIGNED)
    if (envelope.payload_type, envelope.payload) != (PAYLOAD_TYPE, plan_statement(plan)):
        raise EvidenceError(f"{PLAN_SIGNED} was made for another plan than {PLAN}")
    return plan


def _read_back(bag: Path, written: Bag, envelopes: Mapping[str, bytes]) -> None:
    """Compare what is on disk with what was meant to be, before anybody is shown it.

    The signer has checked each signature with the public key, so equal bytes are enough here and
    the runner needs no crypto. Large payload files that are untouched since they were hashed are
    not hashed twice.
    """
    found = read_bag(bag, required=REQUIRED, known=written.read)
    wrong = [str(problem) for problem in found.problems]
    if found.identity != written.identity or found.digests != written.digests:
        wrong.append(f"{TAG_MANIFEST}: differs from what was written")
    for name, envelope in envelopes.items():
        if read_small(bag / name, MAX_BYTES) != envelope:
            wrong.append(f"{name}: differs from what was signed")
    if wrong:
        raise EvidenceError("what was read back is wrong:\n" + "\n".join(wrong))


@contextmanager
def _unless_sealed(bag: Path) -> Iterator[None]:
    """Remove empty folders, which no bag can hold; on failure bring the folder back as it was."""
    before: dict[str, bytes | None] = {}
    for name in _OURS:
        try:
            before[name] = read_small(bag / name, MAX_BYTES)
        except FileNotFoundError:
            before[name] = None
    pruned: list[Path] = []
    try:
        while empty := [bag / name for name in walk(bag).empty]:
            for folder in empty:
                folder.rmdir()
                pruned.append(folder)
        yield
    except BaseException:
        # The first error is the one to report; a disk that is full or gone causes others here.
        for folder in reversed(pruned):
            with contextlib.suppress(OSError):
                folder.mkdir()
        for name, data in before.items():
            with contextlib.suppress(OSError):
                if data is None:
                    (bag / name).unlink(missing_ok=True)
                elif (bag / name).read_bytes() != data:
                    write_durably(bag / name, data)
        raise
