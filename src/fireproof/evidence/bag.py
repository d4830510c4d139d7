"""The bag: BagIt 1.0 (RFC 8493), written once and read with suspicion."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from fireproof.errors import EvidenceError
from fireproof.evidence.canonical import MAX_BYTES
from fireproof.evidence.digest import Digested, digest_files, sha256_hex
from fireproof.evidence.layout import (
    BAG_INFO,
    BAGIT,
    MANIFEST,
    PAYLOAD,
    SIGNED,
    TAG_MANIFEST,
)
from fireproof.evidence.manifest import BagProblem, Manifest, encode_manifest, parse_manifest
from fireproof.evidence.tree import Tree, read_small, sync_folders, walk, write_durably

DECLARATION: Final = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
_GENERATED = (BAGIT, BAG_INFO, MANIFEST, TAG_MANIFEST)
# Below this a second reading is cheaper than being clever.
_SMALL = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Bag:
    """A bag as written or as found.

    ``digests`` are what the manifests say, of every file but the tag manifest itself, whose
    sha256 is the bag's identity. ``problems`` is empty for a bag that holds.
    """

    identity: str
    digests: Mapping[str, str]
    problems: tuple[BagProblem, ...] = ()
    read: Mapping[str, Digested] = field(default_factory=dict)


def write_bag(folder: Path, info: Mapping[str, str]) -> Bag:
    """Declare, list and hash everything in a folder, durably.

    Args:
        folder: holds ``data/`` and the tag files; envelopes beside them are left out.
        info: labels for bag-info.txt, in order; Payload-Oxum is added.

    Raises:
        EvidenceError: something in the folder cannot be in a bag; every such thing is named.
        OSError: the folder cannot be read or written.
    """
    tree = walk(folder)
    wrong = [*tree.problems]
    wrong += [BagProblem("unexpected", name, "an empty folder") for name in tree.empty]
    if wrong:
        raise EvidenceError("cannot be bagged:\n" + "\n".join(str(problem) for problem in wrong))
    payload = [name for name in tree.files if _is_payload(name)]
    tags = [name for name in tree.files if not _is_payload(name) and name not in SIGNED]
    tags = [name for name in tags if name not in _GENERATED]
    read = digest_files(folder, [*payload, *tags], sync=True)
    unread = [f"{name}: {was.error}" for name, was in read.items() if was.error]
    if unread:
        raise EvidenceError("cannot be bagged:\n" + "\n".join(unread))
    digests = {name: was.digest or "" for name, was in read.items()}

    octets = sum(read[name].size for name in payload)
    labels = {**info, "Payload-Oxum": f"{octets}.{len(payload)}"}
    texts = {
        BAGIT: DECLARATION,
        BAG_INFO: _bag_info(labels),
        MANIFEST: encode_manifest({name: digests[name] for name in payload}),
    }
    digests |= {name: sha256_hex(text) for name, text in texts.items()}
    texts[TAG_MANIFEST] = encode_manifest({name: digests[name] for name in [*tags, *texts]})
    for name, text in texts.items():
        write_durably(folder / name, text)
    sync_folders(folder, tree.folders)
    return Bag(sha256_hex(texts[TAG_MANIFEST]), digests, read=read)


def read_bag(
    folder: Path,
    *,
    required: Collection[str] = (),
    beside: Collection[str] = SIGNED,
    known: Mapping[str, Digested] | None = None,
) -> Bag:
    """Everything a bag's manifests say, and everything wrong with it. Never raises for its content.

    Args:
        folder: the bag; may be a symlink, but nothing in it may be.
        required: files that must be there.
        beside: files that may stand outside the tag manifest.
        known: large files that were hashed a moment ago; those that are certainly the same are
            not read again.

    Raises:
        OSError: the folder itself cannot be listed.
    """
    tree = walk(folder)
    problems = [*tree.problems]
    problems += [BagProblem("unexpected", name, "an empty folder") for name in tree.empty]

    tag_text = _text(folder, TAG_MANIFEST, tree, problems)
    text = _text(folder, MANIFEST, tree, problems)
    tags = _listed(tag_text, TAG_MANIFEST, problems)
    payload = _listed(text, MANIFEST, problems)
    for name in [name for name in payload if not _is_payload(name)]:
        problems.append(BagProblem("manifest", name, f"listed in {MANIFEST}, but outside data/"))
        del payload[name]
    for name in [name for name in tags if _is_payload(name) or name in {TAG_MANIFEST, *beside}]:
        problems.append(BagProblem("manifest", name, f"must not be listed in {TAG_MANIFEST}"))
        del tags[name]
    digests = {**payload, **tags}

    there = {name for name in tree.files if name != TAG_MANIFEST and name not in beside}
    missing = [name for name in digests if name not in tree.files]
    extra = sorted(there - set(digests))
    read = _read(folder, [name for name in digests if name in there], tree, known or {})
    problems += _compare(digests, read)
    problems += _strangers(missing, extra, digests, folder)
    named = {problem.file for problem in problems}
    for name in required:
        if name not in tree.files and name not in named:
            problems.append(BagProblem("missing", name, "missing; every bundle has it"))
    if not problems:  # otherwise the count is off because of what is named already
        problems += _declarations(folder, tree)
    return Bag(sha256_hex(tag_text or b""), digests, tuple(problems), read)


def _is_payload(name: str) -> bool:
    return name.startswith(f"{PAYLOAD}/")


def _bag_info(labels: Mapping[str, str]) -> bytes:
    for label, value in labels.items():
        if not value or not f"{label}{value}".isprintable() or ":" in label:
            raise EvidenceError(f"{BAG_INFO}: {label!r}: {value!r} does not fit on one line")
    return "".join(f"{label}: {value}\n" for label, value in labels.items()).encode("utf-8")


def _text(folder: Path, name: str, tree: Tree, problems: list[BagProblem]) -> bytes | None:
    """Bytes of a manifest; None, with a problem, when there is none to read."""
    if name not in tree.files:
        if name not in {problem.file for problem in problems}:
            problems.append(BagProblem("missing", name, "missing; without it nothing is listed"))
        return None
    try:
        return read_small(folder / name, MAX_BYTES)
    except OSError as error:
        problems.append(BagProblem("unreadable", name, f"cannot be read: {error.strerror}"))
        return None


def _listed(text: bytes | None, name: str, problems: list[BagProblem]) -> dict[str, str]:
    manifest = Manifest() if text is None else parse_manifest(text, name)
    problems += manifest.problems
    return manifest.digests


def _read(
    folder: Path, names: Iterable[str], tree: Tree, known: Mapping[str, Digested]
) -> dict[str, Digested]:
    def same(name: str) -> bool:
        status = tree.files[name]
        return status.st_size >= _SMALL and name in known and known[name].still(status)

    names = list(names)
    spared = {name: known[name] for name in names if same(name)}
    return spared | digest_files(folder, [name for name in names if name not in spared])


def _compare(digests: Mapping[str, str], read: Mapping[str, Digested]) -> list[BagProblem]:
    found = []
    for name, was in read.items():
        if was.error:
            found.append(BagProblem("unreadable", name, f"cannot be read: {was.error}"))
        elif was.digest != digests[name]:
            text = f"changed: its sha256 is {was.digest}, the manifest says {digests[name]}"
            found.append(BagProblem("changed", name, text))
    return found


def _strangers(
    missing: list[str], extra: list[str], digests: Mapping[str, str], folder: Path
) -> list[BagProblem]:
    """Files listed and not there, and files there and not listed; a renamed one is both."""
    found = []
    # Only when something is missing can an extra file be it.
    read = digest_files(folder, extra) if missing else {}
    for name in missing:
        again = [other for other in extra if read[other].digest == digests[name]]
        if again:
            found.append(BagProblem("renamed", name, f"renamed to {ascii(again[0])[1:-1]}"))
        else:
            found.append(BagProblem("missing", name, "missing; the manifest lists it"))
    for name in extra:
        found.append(BagProblem("unexpected", name, "unexpected; no manifest lists it"))
    return found


def _declarations(folder: Path, tree: Tree) -> list[BagProblem]:
    """What bagit.txt and bag-info.txt state about the bag, compared with the bag."""
    found = []
    payload = [name for name in tree.files if _is_payload(name)]
    try:
        if BAGIT in tree.files and read_small(folder / BAGIT, 4096) != DECLARATION:
            found.append(BagProblem("manifest", BAGIT, "does not declare BagIt 1.0 in UTF-8"))
        if BAG_INFO in tree.files:
            octets = sum(tree.files[name].st_size for name in payload)
            line = f"Payload-Oxum: {octets}.{len(payload)}"
            lines = read_small(folder / BAG_INFO, MAX_BYTES).decode("utf-8", "replace").split("\n")
            stated = [stated for stated in lines if stated.startswith("Payload-Oxum:")]
            if stated != [line]:
                text = f"expected {line!r} (bytes.files of the payload), got {stated}"
                found.append(BagProblem("manifest", BAG_INFO, text))
    except OSError as error:
        file = os.path.basename(error.filename or BAG_INFO)
        found.append(BagProblem("unreadable", file, f"cannot be read: {error.strerror}"))
    return found


def identity_of(folder: Path) -> str:
    """The name that everything else refers to a bag by: the sha256 of its tag manifest."""
    return sha256_hex(read_small(folder / TAG_MANIFEST, MAX_BYTES))
