"""A base backup out of the archive: found, downloaded, compared, unpacked, verified."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from archive import Archive, Checks, Stop, last_words, lsn, sha256

Spoil = Callable[[Path], None]


def find_backup(
    archive: Archive, target: dict[str, Any], below: str = "base"
) -> list[dict[str, Any]]:
    """The newest complete backup that ends before the target: the full one, then its increments.

    ``below`` is where the archive keeps what is known of them.
    """
    names = archive.do("lsf", "--dirs-only", f"@{below}", what="listing the base backups").split()
    for name in sorted((name.rstrip("/") for name in names), reverse=True):
        try:
            found: dict[str, Any] = archive.read_json(f"{below}/{name}/backup.json", "backup.json")
        except Stop:
            continue  # never completed
        if "lsn" not in target or lsn(found["end_lsn"]) <= lsn(target["lsn"]):
            return find_chain(archive, found)
    raise Stop(f"no complete base backup in the archive ends before {target['name']}")


def find_chain(archive: Archive, newest: dict[str, Any]) -> list[dict[str, Any]]:
    """A backup behind all those that it builds upon, oldest first."""
    chain = [newest]
    while parent := chain[0].get("builds-upon"):
        if parent in [one["name"] for one in chain]:
            raise Stop(f"backup {parent} builds upon itself")
        chain.insert(0, archive.read_json(f"base/{parent}/backup.json", f"backup {parent}"))
    return chain


def fetch(
    chain: list[dict[str, Any]],
    archive: Archive,
    fresh: Path,
    database: dict[str, str],
    checks: Checks,
    spoil: Spoil | None = None,
) -> None:
    """Download, compare with the digests of the day it was made, unpack, combine, verify.

    Args:
        chain: a full backup and its increments, oldest first.
        archive: where they lie.
        fresh: the folder that is made.
        database: the component, for its tools.
        checks: what was compared goes there.
        spoil: of a control experiment; is shown the download before anything is compared.
    """
    scratch = fresh.with_name(fresh.name + ".download")
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        for backup in chain:
            there = scratch / backup["name"]
            archive.do("copy", f"@base/{backup['name']}", str(there), what="download of the backup")
        if spoil:
            spoil(scratch)
        compare(chain, scratch, checks)
        folders = [scratch / f"unpacked-{place}" for place in range(len(chain) - 1)] + [fresh]
        if len(chain) > 1:
            folders[-1] = scratch / "unpacked-last"
        for backup, folder in zip(chain, folders, strict=True):
            folder.mkdir(mode=0o700)
            unpack(sorted((scratch / backup["name"]).glob("base.tar.*")), folder)
            shutil.rmtree(scratch / backup["name"])
        tools = Path(database["bin"])
        if len(chain) > 1:
            verify(tools, folders, checks, "pg_verifybackup:parts")
            combine(tools, folders, fresh)
        verify(tools, [fresh], checks, "pg_verifybackup")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def compare(chain: list[dict[str, Any]], scratch: Path, checks: Checks) -> None:
    """Byte for byte what was recorded when the backups were made."""
    wrong, count = [], 0
    for backup in chain:
        folder = scratch / backup["name"]
        got = {path.name: sha256(path) for path in sorted(folder.iterdir())}
        got.pop("backup.json", None)
        names = sorted(backup["files"].keys() | got.keys())
        wrong += [name for name in names if backup["files"].get(name) != got.get(name)]
        count += len(backup["files"])
    checks.must(
        "backup-intact",
        not wrong,
        f"{count} files as recorded when the backup was made",
        f"these differ: {', '.join(wrong)}" if wrong else f"{count} files, all the same",
    )


def verify(tools: Path, folders: list[Path], checks: Checks, name: str) -> None:
    """Every file as the server that was backed up listed it in the manifest."""
    words = ""
    for folder in folders:
        argv = [str(tools / "pg_verifybackup"), "--quiet", str(folder)]
        done = subprocess.run(argv, capture_output=True, text=True, errors="replace", check=False)
        if done.returncode != 0 and not words:
            words = last_words(done.stderr or done.stdout).replace(f"{folder}/", "")
    expected = "every file as the backup's manifest lists it"
    checks.must(name, not words, expected, words or "pg_verifybackup found no difference")


def combine(tools: Path, folders: list[Path], fresh: Path) -> None:
    """A full backup out of one and its increments."""
    argv = [str(tools / "pg_combinebackup"), "--no-sync", "-o", str(fresh), *map(str, folders)]
    done = subprocess.run(argv, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode != 0:
        raise Stop(f"pg_combinebackup: {last_words(done.stderr or done.stdout)}")


def unpack(pieces: list[Path], fresh: Path) -> None:
    """The data directory out of its pieces."""
    with subprocess.Popen(["cat", *map(str, pieces)], stdout=subprocess.PIPE) as cat:
        tar = ["tar", "-C", str(fresh), "-xpf", "-", "--no-same-owner"]
        done = subprocess.run(tar, stdin=cat.stdout, check=False)
    if cat.returncode != 0 or done.returncode != 0:
        raise Stop(f"unpacking: cat ended with {cat.returncode}, tar with {done.returncode}")
