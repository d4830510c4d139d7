from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fireproof.errors import EvidenceError
from fireproof.evidence import (
    EvidenceRoot,
    decode_envelope,
    load_trusted_keys,
    open_signer,
    start_signer,
    verify_envelope,
)
from fireproof.evidence.signer import PUBLIC_KEY_ENV, SIGNER_ENV
from fireproof.processes import identify


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EvidenceRoot:
    monkeypatch.delenv(SIGNER_ENV, raising=False)
    monkeypatch.delenv(PUBLIC_KEY_ENV, raising=False)
    return EvidenceRoot(tmp_path / "evidence")


def gone(pid: int, timeout_s: float = 5.0) -> bool:
    return eventually(lambda: identify(pid) is None, timeout_s)


def eventually(true: Callable[[], bool], timeout_s: float = 5.0) -> bool:
    give_up_at = time.monotonic() + timeout_s
    while not true() and time.monotonic() < give_up_at:
        time.sleep(0.005)
    return true()


def test_the_child_signs_what_the_trusted_key_verifies(root: EvidenceRoot) -> None:
    """The runner never holds the key, and its evidence verifies all the same."""
    signer = start_signer(root)
    try:
        assert signer.created
        payloads = [b"", b"x" * 300_000, "größe".encode()]
        for payload in payloads:
            envelope = decode_envelope(signer.sign("naïve/type", payload), "x")
            key = verify_envelope(envelope, load_trusted_keys(folder=root.trust), "x")
            assert (envelope.payload, key.keyid) == (payload, signer.key_id)
    finally:
        signer.close()

    assert gone(signer.pid) if signer.pid else True
    signer.close()
    with pytest.raises(EvidenceError, match="gone"):
        signer.sign("t", b"")


def test_the_guardian_loads_no_crypto_to_have_a_signer(tmp_path: Path) -> None:
    """What must outlive everything stays small, and the runner pays nothing for signatures."""
    code = """
import sys
from pathlib import Path
from fireproof.evidence.layout import EvidenceRoot
from fireproof.evidence.signer import start_signer
signer = start_signer(EvidenceRoot(Path(sys.argv[1])))
signer.sign("t", b"x")
signer.close()
heavy = {"cryptography", "securesystemslib", "rfc8785", "pydantic"} & set(sys.modules)
sys.exit(f"loaded: {heavy}" if heavy else 0)
"""
    argv = [sys.executable, "-c", code, str(tmp_path / "evidence")]
    assert subprocess.run(argv, check=False).returncode == 0


def test_the_signer_ends_with_the_last_holder_of_its_channel(root: EvidenceRoot) -> None:
    """A key must not stay in memory after the run it signed."""
    signer = start_signer(root)
    assert signer.key_id
    child = os.fork()
    if child == 0:  # the runner: a copy of the channel, then the end
        code = 1
        try:
            signer.sign("t", b"from the runner")
            code = 0
        finally:
            os._exit(code)
    signer.release()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

    assert gone(signer.pid)
    signer.close()


def test_the_signer_ends_when_nobody_is_left_to_sign_for(root: EvidenceRoot) -> None:
    """A key in the memory of a forgotten process is a key that somebody may take."""
    code = """
import os, sys, time
from pathlib import Path
from fireproof.evidence.layout import EvidenceRoot
from fireproof.evidence.signer import start_signer
signer = start_signer(EvidenceRoot(Path(sys.argv[1])))
signer.ready()
print(signer.pid, flush=True)
time.sleep(60)
"""
    parent = subprocess.Popen(
        [sys.executable, "-c", code, str(root.path)], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()

    assert gone(pid)


def test_signals_to_the_group_do_not_cost_the_seal(root: EvidenceRoot) -> None:
    """Ctrl-C reaches every process of the terminal; the aborted run must still be signed."""
    signer = start_signer(root)
    try:
        signer.ready()
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(signer.pid, signum)
        assert signer.sign("t", b"aborted")
    finally:
        signer.close()


def test_a_dead_signer_is_an_evidence_error(root: EvidenceRoot) -> None:
    """Not sealed, said so, and no hang."""
    signer = start_signer(root)
    signer.ready()
    os.kill(signer.pid, signal.SIGKILL)

    with pytest.raises(EvidenceError, match="gone"):
        signer.sign("t", b"x")
    signer.close()


def test_a_signer_holds_none_of_the_parent_s_locks_and_pipes(
    root: EvidenceRoot, tmp_path: Path
) -> None:
    """A lease must end with the run, not with whoever signs for it."""
    with open(tmp_path / "lock", "w") as lock:
        signer = start_signer(root)
        try:
            signer.ready()
            held = [
                os.readlink(f"/proc/{signer.pid}/fd/{fd}")
                for fd in os.listdir(f"/proc/{signer.pid}/fd")
            ]
            assert lock.name not in held
        finally:
            signer.close()


def test_an_unusable_key_is_told_at_the_first_call(root: EvidenceRoot) -> None:
    """Before the fault, with what to do next."""
    open_signer(root)
    root.private_key.chmod(0o644)
    signer = start_signer(root)

    for _ in range(2):
        with pytest.raises(EvidenceError, match="chmod 600"):
            signer.sign("t", b"x")
    signer.close()


def test_a_named_key_file_is_used_instead_of_the_default(
    root: EvidenceRoot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Teams keep one signing key for many machines."""
    other = EvidenceRoot(tmp_path / "other")
    own = open_signer(other)
    monkeypatch.setenv(SIGNER_ENV, f"file:{other.private_key}")

    assert open_signer(root).key_id == own.key_id
    assert not root.private_key.exists()
    assert open_signer(root, f"file2:{other.private_key}").key_id == own.key_id


def test_another_key_store_needs_its_public_key_and_says_what_fails(
    root: EvidenceRoot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key in a KMS cannot be trusted by looking at the KMS's own answer."""
    with pytest.raises(EvidenceError, match="public key cannot be read"):
        open_signer(root, "nostore:key")
    open_signer(root)
    monkeypatch.setenv(PUBLIC_KEY_ENV, str(root.public_key))
    with pytest.raises(EvidenceError, match="nostore: cannot be used"):
        open_signer(root, "nostore:key")


def test_a_store_that_fails_or_lies_is_an_evidence_error(root: EvidenceRoot) -> None:
    """A signature is checked against the public key before anybody relies on it."""
    from securesystemslib.signer import CryptoSigner, Signature, Signer

    from fireproof.evidence import LocalSigner, load_public_key

    open_signer(root)
    key = load_public_key(root.public_key)

    class Failing(CryptoSigner):
        def sign(self, payload: bytes) -> Signature:
            raise ConnectionError("no route")

    class Lying(CryptoSigner):
        def sign(self, payload: bytes) -> Signature:
            return super().sign(payload + b"!")

    from fireproof.evidence.keys import load_private_key

    private = load_private_key(root.private_key)
    made: list[tuple[Signer, str]] = [
        (Failing(private, key), "signing failed: ConnectionError: no route"),
        (Lying(private, key), "signature is not by key"),
    ]
    for signer, text in made:
        with pytest.raises(EvidenceError, match=text):
            LocalSigner(signer, key).sign("t", b"x")
