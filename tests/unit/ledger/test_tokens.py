"""Tokens against the verifier: the whole negative pack, and the cache of keys."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from proving_ground.identity.keyring import ALGORITHMS, Keyring, KeyringError
from proving_ground.identity.mint import BAD, Mint, Wish
from proving_ground.ledger.keys import Keys
from proving_ground.ledger.roles import Caller, KeysUnavailable, TokenRefused
from proving_ground.ledger.tokens import Verifier

ISSUER, AUDIENCE = "https://identity.test", "ledger"
WISH = Wish("acme", ("writer",))
REASON = {
    "alg-none": "algorithm-refused",
    "hs256-public-key": "algorithm-refused",
    "other-alg": "algorithm-refused",
    "embedded-key": "bad-signature",
    "expired": "expired",
    "not-yet": "not-yet-valid",
    "wrong-aud": "wrong-audience",
    "wrong-iss": "wrong-issuer",
    "no-exp": "claim-missing",
    "no-tenant": "claim-missing",
    "odd-tenant": "claim-malformed",
    "unknown-role": "claim-malformed",
    "forged": "bad-signature",
    "altered": "bad-signature",
    "no-kid": "kid-missing",
    "junk-kid": "kid-unknown",
    "path-kid": "kid-unknown",
    "huge": "too-large",
    "bad-base64": "malformed",
    "two-parts": "malformed",
    "no-json": "malformed",
    "deep-json": "malformed",
    "garbage": "malformed",
}


class Provider:
    """A key ring, asked in process; it can be away, and it counts."""

    def __init__(self, folder: Path) -> None:
        self.ring = Keyring(folder / "keys.json")
        self.mint = Mint(ISSUER, AUDIENCE)
        self.is_away = False
        self.now = 100.0

    async def fetch(self) -> dict[str, Any]:
        await asyncio.sleep(0)
        if self.is_away:
            raise OSError("nobody answers")
        return self.ring.jwks()

    def keys(self, ttl_s: float = 30.0, cooldown_s: float = 2.0) -> Keys:
        return Keys(self.fetch, ttl_s=ttl_s, cooldown_s=cooldown_s, clock=lambda: self.now)

    def verifier(self, *, is_strict: bool = True, **limits: float) -> Verifier:
        keys = self.keys(**limits)
        return Verifier(keys, issuer=ISSUER, audience=AUDIENCE, is_strict=is_strict)

    def token(self, kind: str = "good", kid: str = "") -> str:
        """Signed with the key that signs, or with that one."""
        key = self.ring.key(kid) if kid else self.ring.signing()
        return self.mint.token(kind, key, WISH)


@pytest.fixture
def provider(tmp_path: Path) -> Provider:
    return Provider(tmp_path)


@pytest.fixture(scope="module")
def each_kind(tmp_path_factory: pytest.TempPathFactory) -> tuple[Provider, dict[str, str]]:
    """A provider with a key of each algorithm, and their kids: RSA keys take time to make."""
    provider = Provider(tmp_path_factory.mktemp("keys"))
    kids = {name: provider.ring.publish(name) for name in ALGORITHMS if name != "RS256"}
    return provider, {"RS256": provider.ring.signing().kid, **kids}


def outcome(verifier: Verifier, token: str) -> str:
    """The tenant believed, or the reason of the refusal."""

    async def run() -> str:
        try:
            return (await verifier.verify(token)).tenant
        except TokenRefused as err:
            return err.reason
        except KeysUnavailable:
            return "keys-unavailable"

    return asyncio.run(run())


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_good_token_is_believed_for_what_it_says(
    each_kind: tuple[Provider, dict[str, str]], algorithm: str
) -> None:
    """A verifier that refuses everything would pass every negative test."""
    provider, kids = each_kind

    caller = asyncio.run(provider.verifier().verify(provider.token(kid=kids[algorithm])))

    assert isinstance(caller, Caller)
    assert (caller.tenant, caller.roles) == ("acme", frozenset({"writer"}))
    assert caller.verbs == {"read", "append"}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("kind", BAD)
def test_a_bad_token_is_refused_for_its_own_reason(
    each_kind: tuple[Provider, dict[str, str]], kind: str, algorithm: str
) -> None:
    """Refused for another reason, the check that was meant may not exist."""
    provider, kids = each_kind

    assert outcome(provider.verifier(), provider.token(kind, kids[algorithm])) == REASON[kind]


def test_every_bad_kind_has_a_reason() -> None:
    """A kind added without one would be tested by nobody."""
    assert set(REASON) == set(BAD)


def test_without_a_kid_only_the_lenient_verifier_and_only_one_key_will_do(
    provider: Provider,
) -> None:
    """Guessing among several keys is not verification."""
    lenient = provider.verifier(is_strict=False)

    assert outcome(lenient, provider.token("no-kid")) == "acme"
    provider.ring.publish("ES256")
    assert outcome(provider.verifier(is_strict=False), provider.token("no-kid")) == "kid-missing"


def test_old_and_new_tokens_are_believed_right_after_a_rotation_with_one_fetch(
    provider: Provider,
) -> None:
    """A rotation must cost nobody a refusal and the provider no storm."""
    verifier = provider.verifier()
    old = provider.token()
    assert outcome(verifier, old) == "acme"
    provider.ring.sign_with(provider.ring.publish("EdDSA"))
    provider.now += 5.0
    tokens = [old, provider.token()] * 30

    async def run() -> list[Caller]:
        return await asyncio.gather(*(verifier.verify(token) for token in tokens))

    assert len(asyncio.run(run())) == 60
    assert verifier.keys.fetches == 2


def test_a_retired_key_is_refused_when_the_cache_is_over(provider: Provider) -> None:
    """How long a stolen key stays useful is a number, and it is the cache's age."""
    verifier = provider.verifier(ttl_s=30.0)
    first = provider.ring.signing().kid
    assert outcome(verifier, provider.token()) == "acme"
    provider.ring.sign_with(provider.ring.publish("ES256"))
    provider.ring.retire(first)

    provider.now += 29.9
    assert outcome(verifier, provider.token(kid=first)) == "acme"
    provider.now += 0.2
    assert outcome(verifier, provider.token(kid=first)) == "kid-unknown"


def test_junk_delays_a_new_key_by_no_more_than_the_cooldown(provider: Provider) -> None:
    """And a thousand junk kids cost the provider one question."""
    verifier = provider.verifier(cooldown_s=2.0)
    assert outcome(verifier, provider.token()) == "acme"
    provider.now += 10.0
    for _ in range(50):
        assert outcome(verifier, provider.token("junk-kid")) == "kid-unknown"
    assert verifier.keys.fetches == 2
    provider.ring.sign_with(provider.ring.publish("ES256"))

    assert outcome(verifier, provider.token()) == "kid-unknown"
    provider.now += 2.0
    assert outcome(verifier, provider.token()) == "acme"


def test_while_the_provider_is_away_known_keys_hold_until_the_cache_is_over(
    provider: Provider,
) -> None:
    """The provider's outage is not ours at once, and not never either."""
    verifier = provider.verifier(ttl_s=30.0)
    assert outcome(verifier, provider.token()) == "acme"
    provider.is_away = True
    unknown = provider.ring.publish("ES256")

    assert outcome(verifier, provider.token()) == "acme"
    assert outcome(verifier, provider.token(kid=unknown)) == "kid-unknown"
    provider.now += 31.0
    assert outcome(verifier, provider.token()) == "keys-unavailable"
    provider.is_away = False
    provider.now += 0.3
    assert outcome(verifier, provider.token()) == "acme"


def test_a_key_set_of_other_kinds_of_keys_is_no_key_set(provider: Provider) -> None:
    """A symmetric key in the set would let everybody who reads it sign."""

    async def fetch() -> dict[str, Any]:
        return {"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "x", "alg": "HS256"}]}

    verifier = Verifier(Keys(fetch, ttl_s=9, cooldown_s=1), issuer=ISSUER, audience=AUDIENCE)

    assert outcome(verifier, provider.token()) == "keys-unavailable"


def test_the_keyring_refuses_a_step_out_of_order_and_remembers(tmp_path: Path) -> None:
    """Retiring the key that signs would refuse every token at once."""
    ring = Keyring(tmp_path / "keys.json")
    first = ring.signing().kid
    with pytest.raises(KeyringError, match="signs"):
        ring.retire(first)
    second = ring.publish("ES256")
    ring.sign_with(second)
    ring.retire(first)
    with pytest.raises(KeyringError, match="retired"):
        ring.sign_with(first)

    again = Keyring(tmp_path / "keys.json")
    assert again.states() == {first: "retired", second: "signing"}
    assert (tmp_path / "keys.json").stat().st_mode & 0o777 == 0o600
