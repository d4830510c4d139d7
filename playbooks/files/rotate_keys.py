"""Signing keys of the identity provider: publish a new one, sign with it, retire the old one."""

from __future__ import annotations

import base64
import json
import ssl
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from archive import Checks, Stop, obey, run

VERBS = ("publish", "sign-with-new", "retire")


class Provider:
    """The provider, by the command that the component names."""

    def __init__(self, component: dict[str, str]) -> None:
        self._component = component

    def do(self, *words: str) -> dict[str, Any]:
        text = run([self._component["identity-ctl"], *words], f"identity-ctl {words[0]}")
        found: dict[str, Any] = json.loads(text)
        return found

    def living(self) -> list[str]:
        """Kids that are not retired, oldest first."""
        states = self.do("keys")["keys"]
        return [kid for kid, state in states.items() if state != "retired"]

    def published(self) -> list[str]:
        """Kids in the key set, as everybody reads it."""
        trust = ssl.create_default_context(cafile=self._component["ca"])
        url = self._component["jwks-url"]
        with urllib.request.urlopen(url, timeout=10, context=trust) as answer:  # noqa: S310
            return [key["kid"] for key in json.load(answer)["keys"]]

    def signs(self) -> str:
        """Kid that a token made now names."""
        head = self.do("mint")["good"].partition(".")[0]
        kid: str = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))["kid"]
        return kid


def rotate(wanted: dict[str, Any], checks: Checks) -> None:
    """The verbs that are wanted, in order; each is looked at from outside."""
    verb = wanted["verb"]
    if verb in LATER:
        LATER[verb](wanted, checks)
        return
    if verb not in (*VERBS, "all"):
        raise Stop(f"verb: expected {', '.join(VERBS)} or all, got {verb!r}")
    provider = Provider(wanted["identity"])
    kid = ""
    if verb in ("publish", "all"):
        kid = provider.do("publish", "--algorithm", wanted["algorithm"])["kid"]
        seen = provider.published()
        checks.must("key-published", kid in seen, f"{kid} in the key set", " ".join(seen))
        time.sleep(float(wanted.get("overlap_s", 0)))
    if verb in ("sign-with-new", "all"):
        kid = provider.do("sign-with", "newest")["kid"]
        signs = provider.signs()
        checks.must("new-key-signs", signs == kid, f"tokens signed with {kid}", signs)
        time.sleep(float(wanted.get("drain_s", 0)))
    if verb in ("retire", "all"):
        if len(provider.living()) < 2:
            raise Stop("retire: there is only one key; publish another and sign with it first")
        kid = provider.do("retire", "oldest")["kid"]
        seen = provider.published()
        checks.must("key-retired", kid not in seen, f"{kid} no more in the key set", " ".join(seen))
    checks.save(kid)


def settle(wanted: dict[str, Any], checks: Checks) -> None:
    """The key that signs is the only one; safe to be said again. Tokens of a key that signed before
    it end first.
    """
    provider = Provider(wanted["identity"])
    signs, living = provider.signs(), provider.living()
    if living.index(signs) > 0:
        time.sleep(float(wanted["drain_s"]))
    for kid in living:
        if kid != signs:
            provider.do("retire", kid)
    is_settled(wanted, checks)


def is_settled(wanted: dict[str, Any], checks: Checks) -> None:
    """Changes nothing; stops when another key than the one that signs is known."""
    provider = Provider(wanted["identity"])
    signs, living = provider.signs(), provider.living()
    checks.must("one-key", living == [signs], f"{signs} alone", " ".join(living))


LATER = {"settle": settle, "is-settled": is_settled}


if __name__ == "__main__":
    obey(rotate)
