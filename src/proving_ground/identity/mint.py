"""Tokens: good ones, and every kind of bad one that a verifier must refuse."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from proving_ground.identity.keyring import PrivateKey, SigningKey

_SKEW_S = 1  # nbf lies a little back: signer and verifier round to whole seconds


@dataclass(frozen=True, slots=True)
class Wish:
    """What a token shall say."""

    tenant: str
    roles: tuple[str, ...]
    subject: str = "somebody"
    tier: str = "standard"
    for_s: int = 300


class Mint:
    """Signs as the issuer, and as somebody who would like to be."""

    def __init__(self, issuer: str, audience: str) -> None:
        self._issuer, self._audience = issuer, audience

    def token(self, kind: str, key: SigningKey, wish: Wish) -> str:
        """A token of one of ``KINDS``.

        Raises:
            KeyError: there is no such kind.
        """
        return KINDS[kind](key, self.claims(wish))

    def claims(self, wish: Wish) -> dict[str, Any]:
        now = int(time.time())
        return {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": wish.subject,
            "tenant": wish.tenant,
            "roles": list(wish.roles),
            "tier": wish.tier,
            "iat": now - _SKEW_S,
            "nbf": now - _SKEW_S,
            "exp": now + wish.for_s,
            "jti": uuid.uuid4().hex,
        }


def _signed(key: SigningKey, claims: dict[str, Any], **header: Any) -> str:
    headers = {"kid": key.kid, **header}
    return jwt.encode(claims, key.private, key.algorithm, headers=headers)


def _with(**changes: Any) -> Callable[[SigningKey, dict[str, Any]], str]:
    """Well signed, with claims changed; None removes one, a function gets the old value."""

    def sign(key: SigningKey, claims: dict[str, Any]) -> str:
        for name, value in changes.items():
            if value is None:
                claims.pop(name)
            else:
                claims[name] = value(claims[name]) if callable(value) else value
        return _signed(key, claims)

    return sign


def _raw(header: Any, claims: Any, signature: bytes) -> str:
    parts = (_json(header), _json(claims), signature)
    return ".".join(_b64(part) for part in parts)


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def _no_signature(key: SigningKey, claims: dict[str, Any]) -> str:
    return _raw({"alg": "none", "typ": "JWT", "kid": key.kid}, claims, b"")


def _public_key_as_secret(key: SigningKey, claims: dict[str, Any]) -> str:
    """The classic confusion: HMAC with the public key, which everybody knows, as its secret."""
    pem = key.private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    head = {"alg": "HS256", "typ": "JWT", "kid": key.kid}
    text = f"{_b64(_json(head))}.{_b64(_json(claims))}"
    return f"{text}.{_b64(hmac.new(pem, text.encode(), hashlib.sha256).digest())}"


def _another(key: SigningKey) -> SigningKey:
    """Another key of the same kind under the same name."""
    private: PrivateKey
    if isinstance(key.private, rsa.RSAPrivateKey):
        private = rsa.generate_private_key(65537, 2048)
    elif isinstance(key.private, ec.EllipticCurvePrivateKey):
        private = ec.generate_private_key(ec.SECP256R1())
    else:
        private = ed25519.Ed25519PrivateKey.generate()
    return SigningKey(key.kid, key.algorithm, private, "signing")


def _forged(key: SigningKey, claims: dict[str, Any]) -> str:
    return _signed(_another(key), claims)


def _without_kid(key: SigningKey, claims: dict[str, Any]) -> str:
    return jwt.encode(claims, key.private, key.algorithm)


def _altered(key: SigningKey, claims: dict[str, Any]) -> str:
    """Signed for one tenant, then rewritten for another."""
    head, _, signature = _signed(key, claims).split(".")
    return f"{head}.{_b64(_json({**claims, 'tenant': 'altered', 'roles': ['admin']}))}.{signature}"


def _embedded_key(key: SigningKey, claims: dict[str, Any]) -> str:
    """The token brings its own key and asks to be checked with that."""
    own = _another(key)
    return _signed(own, claims, jwk=own.jwk())


def _other_algorithm(key: SigningKey, claims: dict[str, Any]) -> str:
    """An allowed algorithm, but not the one that the named key is for."""
    if key.algorithm == "ES256":
        own = SigningKey(key.kid, "EdDSA", ed25519.Ed25519PrivateKey.generate(), "")
    else:
        own = SigningKey(key.kid, "ES256", ec.generate_private_key(ec.SECP256R1()), "")
    return _signed(own, claims)


def _bad_base64(key: SigningKey, claims: dict[str, Any]) -> str:
    head, body, signature = _signed(key, claims).split(".")
    return f"{head}.{body[:-2]}!*.{signature}"


def _back(seconds: int) -> Callable[[int], int]:
    return lambda at: at - seconds


_HOUR_S = 3600
KINDS: dict[str, Callable[[SigningKey, dict[str, Any]], str]] = {
    "good": _signed,
    "alg-none": _no_signature,
    "hs256-public-key": _public_key_as_secret,
    "other-alg": _other_algorithm,
    "expired": _with(iat=_back(2 * _HOUR_S), nbf=_back(2 * _HOUR_S), exp=_back(_HOUR_S)),
    "not-yet": _with(nbf=lambda at: at + _HOUR_S, exp=lambda at: at + 2 * _HOUR_S),
    "wrong-aud": _with(aud="another-service"),
    "wrong-iss": _with(iss="https://another-issuer.test"),
    "no-exp": _with(exp=None),
    "no-tenant": _with(tenant=None),
    "odd-tenant": _with(tenant="../other"),
    "unknown-role": _with(roles=["owner"]),
    "forged": _forged,
    "altered": _altered,
    "embedded-key": _embedded_key,
    "no-kid": _without_kid,
    "junk-kid": lambda key, claims: _signed(key, claims, kid=f"junk-{secrets.token_hex(6)}"),
    "path-kid": lambda key, claims: _signed(key, claims, kid="../../etc/passwd"),
    "huge": _with(sub="x" * 20_000),
    "bad-base64": _bad_base64,
    "two-parts": lambda key, claims: _signed(key, claims).rpartition(".")[0],
    "no-json": lambda key, claims: f"{_b64(b'not json')}.{_b64(b'{}')}.{_b64(b'x')}",
    "deep-json": lambda key, claims: f"{_b64(b'[' * 3000)}.{_b64(b'{}')}.{_b64(b'x')}",
    "garbage": lambda key, claims: "garbage",
}
BAD = tuple(kind for kind in KINDS if kind != "good")
