"""Keys: the runner's own, made on first use, and the public ones that are believed."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fireproof.errors import EvidenceError
from fireproof.evidence.layout import EvidenceRoot
from fireproof.evidence.tree import make_folders, open_plain, read_small, sync_folder

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import (
        EllipticCurvePrivateKey,
        EllipticCurvePublicKey,
    )
    from securesystemslib.signer import SSlibKey

    TrustedKeys = Mapping[str, SSlibKey]

_MAX_PEM = 64 * 1024


@dataclass(frozen=True, slots=True)
class RunnerKey:
    """The runner's key pair on disk; ``created`` asks for a notice."""

    private_path: Path
    public_path: Path
    key_id: str
    created: bool


def ensure_runner_key(root: EvidenceRoot) -> RunnerKey:
    """Runner key of an evidence folder, made if there is none.

    Safe when two runs start at once: whoever comes second finds the key of the first.

    Raises:
        EvidenceError: the key exists and cannot or must not be used, or cannot be made.
    """
    private, public = root.private_key, root.public_key
    try:
        make_folders(private.parent, 0o700)
        make_folders(public.parent)
        lock = os.open(private.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise EvidenceError(f"{root.path}: no place for keys: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        created = not os.path.lexists(private)
        if created:
            _create(private, public)
        key = public_key_of(load_private_key(private))
        if not os.path.lexists(public):  # ended between the two files, or somebody removed it
            _place(public, key.keyval["public"].encode("ascii"), 0o644)
        if load_public_key(public).keyid != key.keyid:
            raise EvidenceError(
                f"{public} is not the public key of {private}; keep it under another name "
                f"(*.pub.pem) so that older bundles verify, and run again"
            )
        return RunnerKey(private, public, key.keyid, created)
    except OSError as error:
        raise EvidenceError(f"{private}: cannot make a key: {error.strerror}") from error
    finally:
        os.close(lock)


def load_private_key(path: Path) -> EllipticCurvePrivateKey:
    """ECDSA P-256 private key of a PEM file that nobody else can read.

    Raises:
        EvidenceError: missing, a symlink, readable by others, or not such a key.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        if stat.S_ISLNK(os.lstat(path).st_mode):
            raise EvidenceError(f"{path}: is a symlink; a private key must be a plain file")
        with open_plain(path) as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if mode & 0o077:
                raise EvidenceError(
                    f"{path}: others may use this private key (mode {mode:04o}); "
                    f"if nobody has: chmod 600 {path}; otherwise replace it"
                )
            data = file.read(_MAX_PEM)
    except OSError as error:
        raise EvidenceError(f"{path}: private key cannot be read: {error.strerror}") from error
    try:
        key = load_pem_private_key(data, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise EvidenceError(f"{path}: not an unencrypted PEM private key: {error}") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise EvidenceError(f"{path}: expected an ECDSA P-256 private key")
    return key


def load_public_key(path: Path) -> SSlibKey:
    """ECDSA P-256 public key of a PEM file; its id is what securesystemslib derives from it.

    Raises:
        EvidenceError: it cannot be read, or is another kind of key.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(read_small(path.resolve(), _MAX_PEM))
    except OSError as error:
        raise EvidenceError(f"{path}: public key cannot be read: {error.strerror}") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise EvidenceError(f"{path}: expected a PEM public key: {error}") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise EvidenceError(f"{path}: expected an ECDSA P-256 public key")
    return _as_key(key)


def public_key_of(private: EllipticCurvePrivateKey) -> SSlibKey:
    """Public half of a private key."""
    return _as_key(private.public_key())


def _as_key(public: EllipticCurvePublicKey) -> SSlibKey:
    from fireproof.evidence.signers import local_signers

    key: SSlibKey = local_signers().SSlibKey.from_crypto(public)
    return key


def load_trusted_keys(
    files: Iterable[Path] = (), folder: Path | None = None, *, bundle: Path | None = None
) -> dict[str, SSlibKey]:
    """Keys that are believed, by id: the named files, and every ``*.pub.pem`` of a folder.

    Args:
        files: as given by ``--key``.
        folder: a trust folder; one that does not exist holds no keys.
        bundle: what is to be verified; a key that lies in it proves nothing and is refused.

    Raises:
        EvidenceError: a key cannot be read or must not be used.
    """
    paths = [*files]
    if folder is not None and folder.is_dir():
        paths += sorted(folder.glob("*.pub.pem"))
    inside = bundle.resolve() if bundle is not None else None
    for path in paths:
        if inside is not None and path.resolve().is_relative_to(inside):
            raise EvidenceError(
                f"{path}: lies in the bundle it should vouch for; get the key from its owner"
            )
    keys = [load_public_key(path) for path in paths]
    return {key.keyid: key for key in keys}


def _create(private: Path, public: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    if os.path.lexists(public):
        raise EvidenceError(
            f"{private} is missing but {public} is there; bring the private key back, or rename "
            f"the public key (it stays trusted as *.pub.pem) and a new pair is made"
        )
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    _place(private, pem, 0o600)


def _place(path: Path, data: bytes, mode: int) -> None:
    """Put a whole file in place at once, durably; the caller holds the lock."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)  # left by a process of the same number that was killed here
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    try:
        with open(fd, "wb") as file:
            os.fchmod(fd, mode)  # whatever the umask
            file.write(data)
            file.flush()
            os.fsync(fd)
        os.rename(draft, path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)
