"""The signer: a child process that holds the key, so that the runner never does.

This module imports nothing but the standard library until it is the child: the guardian forks
it before anything else is loaded, and on two cores the crypto costs the run nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import struct
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fireproof.errors import EvidenceError, FireproofError
from fireproof.evidence.layout import EvidenceRoot

if TYPE_CHECKING:
    from securesystemslib.signer import Signer, SSlibKey

SIGNER_ENV = "FIREPROOF_SIGNER"
PUBLIC_KEY_ENV = "FIREPROOF_SIGNER_PUBLIC_KEY"
_ANSWER_S = 30.0  # a key in a cloud may take seconds; a key in a file takes a millisecond
_MAX_FRAME = 64 * 1024 * 1024
_DEAF_TO = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGTSTP)


class LocalSigner:
    """Signs in this process. The child holds one; so may a short command such as ``recover``."""

    def __init__(self, signer: Signer, key: SSlibKey, *, created: bool = False) -> None:
        self._signer = signer
        self._key = key
        self.key_id = key.keyid
        self.created = created  # the key was made just now: the command line prints a notice

    def sign(self, payload_type: str, payload: bytes) -> bytes:
        """Sigstore bundle over a payload, checked against the public key before it is returned."""
        from fireproof.evidence.envelope import Envelope, pae, verify_envelope

        try:
            signature = self._signer.sign(pae(payload_type, payload))
        except Exception as error:  # each kind of key store has its own errors
            raise EvidenceError(f"signing failed: {type(error).__name__}: {error}") from error
        envelope = Envelope(payload_type, payload, self.key_id, bytes.fromhex(signature.signature))
        verify_envelope(envelope, {self.key_id: self._key}, "new signature")
        return envelope.encode()

    def close(self) -> None:
        """Nothing to end."""


def open_signer(root: EvidenceRoot, uri: str | None = None) -> LocalSigner:
    """Signer that a securesystemslib URI names.

    Args:
        root: where the default key lives; it is made on first use.
        uri: ``file:PATH``, or any other scheme that securesystemslib knows (``awskms:`` ...), whose
            public key is read from the file that FIREPROOF_SIGNER_PUBLIC_KEY names, by default
            ``trust/runner.pub.pem``. None: FIREPROOF_SIGNER, else the runner's own key.

    Raises:
        EvidenceError: the key cannot be used; the text says what to do.
    """
    from fireproof.evidence.keys import (
        ensure_runner_key,
        load_private_key,
        load_public_key,
        public_key_of,
    )
    from fireproof.evidence.signers import all_signers, local_signers

    uri = uri or os.environ.get(SIGNER_ENV) or ""
    created = False
    if not uri:
        own = ensure_runner_key(root)
        uri, created = f"file:{own.private_path}", own.created
    scheme, _, path = uri.partition(":")
    if scheme in ("file", "file2"):
        private = load_private_key(Path(path))
        key = public_key_of(private)
        return LocalSigner(local_signers().CryptoSigner(private, key), key, created=created)
    signers = all_signers()  # before the public key is one of theirs
    key = load_public_key(Path(os.environ.get(PUBLIC_KEY_ENV) or root.public_key))
    try:
        return LocalSigner(signers.Signer.from_priv_key_uri(uri, key), key)
    except Exception as error:  # each kind of key store has its own errors
        text = f"{SIGNER_ENV}: {scheme}: cannot be used: {type(error).__name__}: {error}"
        raise EvidenceError(text) from error


class ChildSigner:
    """A signer in a child process, seen from the parent and from whoever the parent forks next.

    The child ends when the last holder of the other end is gone, not when its parent dies: a
    runner that lost its guardian still has to seal.
    """

    def __init__(self, pid: int, channel: socket.socket) -> None:
        self.pid = pid
        self._owner = os.getpid()
        self._channel = channel
        self._hello: dict[str, Any] | None = None
        self._lock = threading.Lock()

    @property
    def key_id(self) -> str:
        return str(self.ready()["key_id"])

    @property
    def created(self) -> bool:
        """Whether the key was made just now: the command line prints a notice."""
        return bool(self.ready()["created"])

    def ready(self) -> dict[str, Any]:
        """What the child said of its key, waiting for it if need be.

        Raises:
            EvidenceError: the key cannot be used; the text says what to do.
        """
        with self._lock:
            return self._greeting()

    def sign(self, payload_type: str, payload: bytes) -> bytes:
        """Sigstore bundle over a payload."""
        with self._lock:
            self._greeting()
            deadline = time.monotonic() + _ANSWER_S
            try:
                _send(self._channel, payload_type.encode("utf-8"), deadline)
                _send(self._channel, payload, deadline)
                answer = _receive(self._channel, deadline)
            except OSError as error:
                # Half a message may be under way: this channel can never be trusted again.
                self._channel.close()
                raise EvidenceError(f"the signer process is gone: {error}") from error
        if answer[:1] != b"+":
            raise EvidenceError(answer[1:].decode("utf-8", "replace"))
        return answer[1:]

    def release(self) -> None:
        """Let go of this process's end; the guardian calls it once the runner has its own copy."""
        self._channel.close()

    def close(self) -> None:
        """Let go, and reap the child when it is ours. Safe to call twice."""
        self._channel.close()
        if self._owner != os.getpid() or self.pid == 0:
            return
        give_up_at = time.monotonic() + 5.0
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(self.pid, os.WNOHANG) == (0, 0):
                if time.monotonic() > give_up_at:  # somebody else still holds the other end
                    os.kill(self.pid, signal.SIGKILL)
                    os.waitpid(self.pid, 0)
                    break
                time.sleep(0.001)
        self.pid = 0

    def _greeting(self) -> dict[str, Any]:
        if self._hello is None:
            try:
                deadline = time.monotonic() + _ANSWER_S
                _send(self._channel, b"", deadline)
                answer = _receive(self._channel, deadline)
                self._hello = dict(json.loads(answer))
            except (OSError, ValueError) as error:
                raise EvidenceError(f"the signer process did not start: {error}") from error
        if "error" in self._hello:
            raise EvidenceError(str(self._hello["error"]))
        return self._hello


def start_signer(root: EvidenceRoot, uri: str | None = None) -> ChildSigner:
    """Fork the signer; call it while the process has one thread.

    Returns at once: the child imports, reads (or makes) the key and warms up meanwhile. What goes
    wrong there is raised by the first ``ready()`` or ``sign()``.
    """
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            ours.close()
            _become_signer(theirs)
            _serve(theirs, root, uri)
            code = 0
        finally:
            os._exit(code)  # never back into the caller's stack, whatever happened
    theirs.close()
    return ChildSigner(pid, ours)


def _become_signer(channel: socket.socket) -> None:
    """Cut every tie to the parent but the channel."""
    for signum in _DEAF_TO:  # a signal to the whole group must not cost the aborted run its seal
        signal.signal(signum, signal.SIG_IGN)
    # The parent's locks and pipes must not live on here.
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1):
        os.dup2(null, fd)
    os.closerange(3, channel.fileno())
    os.closerange(channel.fileno() + 1, 1 << 20)


def _serve(channel: socket.socket, root: EvidenceRoot, uri: str | None) -> None:
    _warm_up()
    # A key is made only for a run that really starts: a malformed drill file writes nothing.
    try:
        _receive(channel, None)
    except OSError:
        return  # nobody ever asked
    try:
        signer = open_signer(root, uri)
        hello: dict[str, Any] = {"key_id": signer.key_id, "created": signer.created}
    except FireproofError as error:
        hello = {"error": str(error)}
    except Exception as error:
        hello = {"error": f"the signer process failed: {type(error).__name__}: {error}"}
    with contextlib.suppress(OSError):  # whoever asked is gone
        _send(channel, json.dumps(hello).encode("utf-8"), None)
        while "error" not in hello:
            payload_type = _receive(channel, None).decode("utf-8")
            payload = _receive(channel, None)
            try:
                answer = b"+" + signer.sign(payload_type, payload)
            except Exception as error:
                answer = b"-" + str(error).encode("utf-8", "replace")
            _send(channel, answer, None)


def _warm_up() -> None:
    """Load and run every line a signature needs, with a key that is thrown away."""
    from cryptography.hazmat.primitives.asymmetric import ec

    from fireproof.evidence.keys import public_key_of
    from fireproof.evidence.signers import local_signers

    private = ec.generate_private_key(ec.SECP256R1())
    key = public_key_of(private)
    LocalSigner(local_signers().CryptoSigner(private, key), key).sign("warm/up", b"")


def _send(channel: socket.socket, data: bytes, deadline: float | None) -> None:
    channel.settimeout(_left(deadline))
    channel.sendall(struct.pack(">I", len(data)) + data)


def _receive(channel: socket.socket, deadline: float | None) -> bytes:
    size = struct.unpack(">I", _exactly(channel, 4, deadline))[0]
    if size > _MAX_FRAME:
        raise OSError(f"a message of {size} bytes")
    return _exactly(channel, size, deadline)


def _exactly(channel: socket.socket, size: int, deadline: float | None) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        channel.settimeout(_left(deadline))
        part = channel.recv(min(size - len(parts), 1 << 20))
        if not part:
            raise OSError("the other end is closed")
        parts += part
    return bytes(parts)


def _left(deadline: float | None) -> float | None:
    return None if deadline is None else max(0.001, deadline - time.monotonic())
