"""Signing keys and where each is in its life: published, signing, retired."""

from __future__ import annotations

import json
import os
import secrets
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
STATES = ("published", "signing", "retired")
ALGORITHMS = ("RS256", "ES256", "EdDSA")


class KeyringError(Exception):
    """A step that the keys' present state does not allow."""


@dataclass(slots=True)
class SigningKey:
    """One key. A retired one stays here, so that a drill can show that it is refused."""

    kid: str
    algorithm: str
    private: PrivateKey
    state: str

    def jwk(self) -> dict[str, Any]:
        """Its public half, as published."""
        public = self.private.public_key()
        if isinstance(public, rsa.RSAPublicKey):
            found = RSAAlgorithm.to_jwk(public, as_dict=True)
        elif isinstance(public, ec.EllipticCurvePublicKey):
            found = ECAlgorithm.to_jwk(public, as_dict=True)
        else:
            found = OKPAlgorithm.to_jwk(public, as_dict=True)
        found.pop("key_ops", None)
        return {**found, "kid": self.kid, "alg": self.algorithm, "use": "sig"}


class Keyring:
    """Keys in a file of mode 0600; every step is on disk before it is believed."""

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, threading.Lock()
        self._keys: dict[str, SigningKey] = {}
        if path.exists():
            for raw in json.loads(path.read_text("utf-8")):
                private: Any = serialization.load_pem_private_key(raw.pop("pem").encode(), None)
                self._keys[raw["kid"]] = SigningKey(private=private, **raw)
        else:
            first = self.publish("RS256")
            self.sign_with(first)

    def publish(self, algorithm: str) -> str:
        """A new key's kid: in the key set from now on, signing nothing yet."""
        private: PrivateKey
        if algorithm == "RS256":
            private = rsa.generate_private_key(65537, 2048)
        elif algorithm == "ES256":
            private = ec.generate_private_key(ec.SECP256R1())
        elif algorithm == "EdDSA":
            private = ed25519.Ed25519PrivateKey.generate()
        else:
            raise KeyringError(f"algorithm: expected {'|'.join(ALGORITHMS)}, got {algorithm!r}")
        with self._lock:
            kid = f"k{len(self._keys) + 1}-{secrets.token_hex(4)}"
            self._store({**self._keys, kid: SigningKey(kid, algorithm, private, "published")})
        return kid

    def sign_with(self, kid: str) -> None:
        """New tokens are signed with this key; the one before stays published."""
        with self._lock:
            if self._known(kid).state == "retired":
                raise KeyringError(f"{kid!r} is retired")
            changed = {
                each.kid: SigningKey(each.kid, each.algorithm, each.private, _next_state(each, kid))
                for each in self._keys.values()
            }
            self._store(changed)

    def retire(self, kid: str) -> None:
        """No longer published: verifiers stop to believe it as soon as they look again."""
        with self._lock:
            key = self._known(kid)
            if key.state == "signing":
                raise KeyringError(f"{kid!r} signs; let another sign first")
            gone = SigningKey(kid, key.algorithm, key.private, "retired")
            self._store({**self._keys, kid: gone})

    def key(self, kid: str) -> SigningKey:
        with self._lock:
            return self._known(kid)

    def signing(self) -> SigningKey:
        with self._lock:
            return next(key for key in self._keys.values() if key.state == "signing")

    def states(self) -> dict[str, str]:
        """State of each key by kid, oldest first."""
        with self._lock:
            return {kid: key.state for kid, key in self._keys.items()}

    def jwks(self, *, with_retired: bool = False) -> dict[str, Any]:
        """The key set as published."""
        with self._lock:
            keys = list(self._keys.values())
        return {"keys": [key.jwk() for key in keys if with_retired or key.state != "retired"]}

    def _known(self, kid: str) -> SigningKey:
        if kid not in self._keys:
            raise KeyringError(f"no key {kid!r}; there are {', '.join(self._keys)}")
        return self._keys[kid]

    def _store(self, keys: dict[str, SigningKey]) -> None:
        raw = [
            {"kid": key.kid, "algorithm": key.algorithm, "state": key.state, "pem": _pem(key)}
            for key in keys.values()
        ]
        fresh = self._path.with_name(self._path.name + ".new")
        fresh.unlink(missing_ok=True)
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(raw, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, self._path)
        self._keys = keys


def _next_state(key: SigningKey, signing: str) -> str:
    if key.kid == signing:
        return "signing"
    return "published" if key.state == "signing" else key.state


def _pem(key: SigningKey) -> str:
    return key.private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode("ascii")
