"""What a bearer token must be before it is believed."""

from __future__ import annotations

from typing import Any

import jwt

from proving_ground.ledger import defects
from proving_ground.ledger.keys import ALGORITHMS, Keys
from proving_ground.ledger.roles import ROLES, TENANT, Caller, TokenRefused

TOKEN_BYTES_MAX = 8192
_REQUIRED = ("exp", "iat", "nbf", "aud", "iss", "sub", "tenant", "roles")
_REASONS: tuple[tuple[type[Exception], str], ...] = (  # the first that fits; subclasses first
    (jwt.ExpiredSignatureError, "expired"),
    (jwt.ImmatureSignatureError, "not-yet-valid"),
    (jwt.InvalidAudienceError, "wrong-audience"),
    (jwt.InvalidIssuerError, "wrong-issuer"),
    (jwt.MissingRequiredClaimError, "claim-missing"),
    (jwt.InvalidSignatureError, "bad-signature"),
    (jwt.InvalidAlgorithmError, "algorithm-refused"),
    (jwt.DecodeError, "malformed"),
)


class Verifier:
    """Believes tokens of one issuer for one audience.

    Args:
        is_strict: every token names its key. When False a token without a kid is tried with the
            only key there is; production does not start so.
    """

    def __init__(self, keys: Keys, *, issuer: str, audience: str, is_strict: bool = True) -> None:
        self.keys = keys
        self._issuer, self._audience, self._is_strict = issuer, audience, is_strict

    async def verify(self, token: str) -> Caller:
        """The caller that the token proves.

        Raises:
            TokenRefused: with the reason.
            KeysUnavailable: nobody can know.
        """
        if len(token) > TOKEN_BYTES_MAX:
            raise TokenRefused("too-large", f"expected at most {TOKEN_BYTES_MAX} bytes")
        try:
            header = jwt.get_unverified_header(token)
        except (jwt.PyJWTError, ValueError, RecursionError) as err:
            if defects.on("malformed-token-crashes"):
                raise RuntimeError("malformed token") from err
            raise TokenRefused("malformed", str(err)) from err
        algorithm, kid = header.get("alg"), header.get("kid")
        if defects.on("accept-alg-none") and algorithm == "none":
            return self._caller(jwt.decode(token, options={"verify_signature": False}))
        if algorithm not in ALGORITHMS:
            raise TokenRefused("algorithm-refused", f"alg {str(algorithm)[:20]!r}")
        if kid is None and defects.on("accept-missing-kid"):
            await self.keys.key("")
            kid = self.keys.kids[0]
        if kid is None and self._is_strict:
            raise TokenRefused("kid-missing")
        if kid is not None and (not isinstance(kid, str) or not 0 < len(kid) <= 128):
            raise TokenRefused("kid-unknown")
        key = await self.keys.key(kid)
        if key is None:
            raise TokenRefused("kid-missing" if kid is None else "kid-unknown")
        # The key says what it is for: else a token could choose how it is checked.
        if key.algorithm_name != algorithm:
            raise TokenRefused("algorithm-refused", "the key is for another algorithm")
        return self._caller(self._claims(token, key, algorithm))

    def _claims(self, token: str, key: jwt.PyJWK, algorithm: str) -> dict[str, Any]:
        options: Any = {
            "require": list(_REQUIRED),
            "verify_signature": not defects.on("skip-signature"),
            "verify_exp": not defects.on("ignore-exp"),
            "verify_nbf": not defects.on("ignore-nbf"),
            "verify_iat": True,
            "verify_aud": not defects.on("ignore-aud"),
            "verify_iss": not defects.on("ignore-iss"),
            "strict_aud": False,
        }
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                audience=self._audience,
                issuer=self._issuer,
                options=options,
            )
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError, OverflowError) as err:
            reason = next((word for kind, word in _REASONS if isinstance(err, kind)), "malformed")
            raise TokenRefused(reason, str(err)) from err
        return claims

    def _caller(self, claims: dict[str, Any]) -> Caller:
        tenant, roles = claims.get("tenant"), claims.get("roles")
        if not isinstance(tenant, str) or not TENANT.fullmatch(tenant):
            raise TokenRefused("claim-malformed", "tenant")
        if not isinstance(roles, list) or not roles or not set(map(str, roles)) <= set(ROLES):
            raise TokenRefused("claim-malformed", "roles")
        return Caller(
            subject=str(claims.get("sub", ""))[:200],
            tenant=tenant,
            roles=frozenset(roles),
            tier=str(claims.get("tier", "standard")),
            token_id=str(claims.get("jti", ""))[:64],
        )
