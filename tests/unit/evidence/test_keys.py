from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from fireproof.errors import EvidenceError
from fireproof.evidence import EvidenceRoot, ensure_runner_key, load_public_key, load_trusted_keys
from fireproof.evidence.keys import load_private_key


@pytest.fixture
def root(tmp_path: Path) -> EvidenceRoot:
    return EvidenceRoot(tmp_path / "evidence")


def test_a_key_is_made_once_and_only_its_owner_reads_it(root: EvidenceRoot) -> None:
    """A key that others could read signs nothing worth believing."""
    old = os.umask(0)
    try:
        first = ensure_runner_key(root)
    finally:
        os.umask(old)
    second = ensure_runner_key(root)

    assert (first.created, second.created) == (True, False)
    assert first.key_id == second.key_id == load_public_key(root.public_key).keyid
    assert root.private_key.stat().st_mode & 0o777 == 0o600
    assert root.public_key.stat().st_mode & 0o777 == 0o644
    assert root.private_key.parent.stat().st_mode & 0o777 == 0o700
    assert sorted(os.listdir(root.private_key.parent)) == ["runner.pem"]


def test_openssl_reads_the_same_public_key(root: EvidenceRoot) -> None:
    """An auditor without Python uses this very file, and verify.sh derives the key id from it."""
    ensure_runner_key(root)
    argv = ["openssl", "pkey", "-in", str(root.private_key), "-pubout"]
    made = subprocess.run(argv, check=True, capture_output=True).stdout

    assert made == root.public_key.read_bytes()


def test_runs_that_start_at_once_share_one_key(root: EvidenceRoot) -> None:
    """Two keys for one runner would leave half of the bundles unverifiable."""
    code = (
        "import sys; from pathlib import Path; from fireproof.evidence import *;"
        "print(ensure_runner_key(EvidenceRoot(Path(sys.argv[1]))).key_id)"
    )
    racers = [
        subprocess.Popen([sys.executable, "-c", code, str(root.path)], stdout=subprocess.PIPE)
        for _ in range(4)
    ]
    ids = {racer.communicate()[0] for racer in racers}

    assert [racer.returncode for racer in racers] == [0] * 4
    assert len(ids) == 1


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o620])
def test_a_private_key_that_others_may_touch_is_refused(root: EvidenceRoot, mode: int) -> None:
    """It may have been copied already."""
    ensure_runner_key(root)
    root.private_key.chmod(mode)

    with pytest.raises(EvidenceError, match=f"others may use.*{mode:04o}.*chmod 600"):
        ensure_runner_key(root)


def test_a_private_key_behind_a_symlink_is_refused(root: EvidenceRoot, tmp_path: Path) -> None:
    """The file that is checked must be the file that is used."""
    ensure_runner_key(root)
    elsewhere = tmp_path / "elsewhere.pem"
    root.private_key.rename(elsewhere)
    root.private_key.symlink_to(elsewhere)

    with pytest.raises(EvidenceError, match="symlink"):
        ensure_runner_key(root)


def test_what_is_not_a_plain_file_is_refused(tmp_path: Path) -> None:
    """A FIFO in the key's place must not hang the drill."""
    os.mkfifo(tmp_path / "fifo", 0o600)

    with pytest.raises(EvidenceError, match="not a regular file"):
        load_private_key(tmp_path / "fifo")
    with pytest.raises(EvidenceError, match="cannot be read"):
        load_private_key(tmp_path / "nothing")


def test_a_lost_private_key_is_not_replaced_silently(root: EvidenceRoot) -> None:
    """Overwriting the public key would make every older bundle unverifiable."""
    ensure_runner_key(root)
    root.private_key.unlink()

    with pytest.raises(EvidenceError, match="missing but"):
        ensure_runner_key(root)

    root.public_key.rename(root.trust / "old.pub.pem")
    assert ensure_runner_key(root).created
    assert len(load_trusted_keys(folder=root.trust)) == 2


def test_a_missing_public_key_is_written_again(root: EvidenceRoot) -> None:
    """A process that ended between the two files must not stop the next."""
    first = ensure_runner_key(root)
    root.public_key.unlink()

    assert ensure_runner_key(root).key_id == first.key_id
    assert load_public_key(root.public_key).keyid == first.key_id


def test_halves_that_do_not_match_are_refused(root: EvidenceRoot, tmp_path: Path) -> None:
    """Evidence signed now would not verify later."""
    ensure_runner_key(root)
    other = ensure_runner_key(EvidenceRoot(tmp_path / "other"))
    root.public_key.write_bytes(other.public_path.read_bytes())

    with pytest.raises(EvidenceError, match="is not the public key of"):
        ensure_runner_key(root)


def test_a_place_that_is_no_folder_says_so(tmp_path: Path) -> None:
    """No traceback at 4 a.m."""
    (tmp_path / "file").write_text("")
    (tmp_path / "evidence").mkdir()
    (tmp_path / "evidence/keys").mkdir()
    (tmp_path / "evidence/keys/runner.pem").mkdir()

    with pytest.raises(EvidenceError, match="no place for keys"):
        ensure_runner_key(EvidenceRoot(tmp_path / "file"))
    with pytest.raises(EvidenceError, match="not a regular file"):
        ensure_runner_key(EvidenceRoot(tmp_path / "evidence"))


def test_only_p256_keys_are_taken(tmp_path: Path) -> None:
    """verify.sh and the transparency log understand this one kind."""
    keys: list[ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey] = [
        ed25519.Ed25519PrivateKey.generate(),
        ec.generate_private_key(ec.SECP384R1()),
    ]
    for n, key in enumerate(keys):
        private, public = tmp_path / f"{n}.pem", tmp_path / f"{n}.pub.pem"
        private.touch(0o600)
        private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        public.write_bytes(
            key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        )
        with pytest.raises(EvidenceError, match="expected an ECDSA P-256 private"):
            load_private_key(private)
        with pytest.raises(EvidenceError, match="expected an ECDSA P-256 public"):
            load_public_key(public)


def test_an_encrypted_or_broken_key_says_so(tmp_path: Path) -> None:
    """There is nobody to type a passphrase."""
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))
    for content in (pem, b"not a key", b""):
        path = tmp_path / "key.pem"
        path.touch(0o600)
        path.write_bytes(content)
        with pytest.raises(EvidenceError, match="unencrypted PEM private key"):
            load_private_key(path)
        with pytest.raises(EvidenceError, match="PEM public key"):
            load_public_key(path)
    with pytest.raises(EvidenceError, match="cannot be read"):
        load_public_key(tmp_path / "nothing")


def test_trusted_keys_come_from_outside_the_bundle(root: EvidenceRoot, tmp_path: Path) -> None:
    """Whoever forges a bundle forges the key beside the signature as well."""
    own = ensure_runner_key(root)
    bundle = tmp_path / "bundle"
    (bundle / "data").mkdir(parents=True)
    planted = bundle / "data/signer.pub.pem"
    planted.write_bytes(own.public_path.read_bytes())
    (tmp_path / "link.pem").symlink_to(planted)

    assert list(load_trusted_keys([own.public_path], bundle=bundle)) == [own.key_id]
    assert load_trusted_keys(folder=tmp_path / "nothing") == {}
    for path in (planted, tmp_path / "link.pem"):
        with pytest.raises(EvidenceError, match="lies in the bundle"):
            load_trusted_keys([path], bundle=bundle)


def test_a_full_disk_leaves_no_half_key(
    root: EvidenceRoot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a key in place would stop every later run."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("fireproof.evidence.keys.os.rename", full)
    with pytest.raises(EvidenceError, match="cannot make a key: No space left"):
        ensure_runner_key(root)

    assert os.listdir(root.private_key.parent) == []
    monkeypatch.undo()
    assert ensure_runner_key(root).created
