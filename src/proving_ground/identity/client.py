"""Client of the provider, for playbooks and drills: rotate keys, have tokens made."""

from __future__ import annotations

import argparse
import json
import ssl
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

_WITHIN_S = 20.0


class Client:
    """Asks one provider; its secret is read from a file and never stands on a command line."""

    def __init__(self, url: str, authority: str, secret_file: str) -> None:
        self._url = url.rstrip("/")
        self._trust = ssl.create_default_context(cafile=authority)
        self._secret = Path(secret_file).read_text("utf-8").strip()

    def ask(self, method: str, path: str, content: dict[str, Any] | None = None) -> dict[str, Any]:
        """Its answer.

        Raises:
            OSError: no answer, or a refusal with the provider's words.
        """
        body = json.dumps(content or {}).encode() if method == "POST" else None
        headers = {"authorization": f"Bearer {self._secret}"}
        request = urllib.request.Request(  # noqa: S310 - the lab's own https URL
            self._url + path, data=body, headers=headers, method=method
        )
        try:
            with urllib.request.urlopen(  # noqa: S310
                request, timeout=_WITHIN_S, context=self._trust
            ) as answer:
                found: dict[str, Any] = json.load(answer)
        except urllib.error.HTTPError as err:
            raise OSError(f"{err.code}: {err.read().decode('utf-8', 'replace')}") from err
        return found

    def states(self) -> dict[str, str]:
        """State of each key by kid."""
        found: dict[str, str] = self.ask("GET", "/keys")["keys"]
        return found

    def tokens(self, *kinds: str, **wish: Any) -> dict[str, str]:
        """Tokens by kind; ``tenant``, ``roles``, ``tier``, ``subject``, ``for_s``, ``kid``."""
        content = {"kinds": list(kinds) or ["good"], **wish}
        found: dict[str, str] = self.ask("POST", "/tokens", content)["tokens"]
        return found


def main(argv: list[str]) -> int:
    """Print what the provider answered as JSON; 1 with its words when it refused."""
    given = _parser().parse_args(argv)
    try:
        client = Client(given.url, given.ca, given.secret_file)
        print(json.dumps(_act(client, given), indent=2))
    except (OSError, ValueError) as err:
        print(f"identity-ctl {given.act}: {err}", file=sys.stderr)
        return 1
    return 0


def _act(client: Client, given: argparse.Namespace) -> dict[str, Any]:
    if given.act == "keys":
        return {"keys": client.states()}
    if given.act == "publish":
        return client.ask("POST", "/keys/publish", {"algorithm": given.algorithm})
    if given.act in ("sign-with", "retire"):
        kid = _kid(client.states(), given.kid)
        return {"kid": kid, **client.ask("POST", f"/keys/{kid}/{given.act}")}
    wish = {"tenant": given.tenant, "roles": given.roles.split(","), "for_s": given.for_s}
    wish |= {"tier": given.tier, "subject": given.subject}
    if given.kid:
        wish["kid"] = _kid(client.states(), given.kid)
    return client.tokens(*given.kinds.split(","), **wish)


def _kid(states: dict[str, str], wanted: str) -> str:
    """A kid, or ``newest``, or ``oldest``: the first that is not retired."""
    living = [kid for kid, state in states.items() if state != "retired"]
    if wanted in ("newest", "oldest"):
        return living[-1 if wanted == "newest" else 0]
    return wanted


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m proving_ground identity-ctl")
    for name in ("--url", "--ca", "--secret-file"):
        parser.add_argument(name, required=True)
    acts = parser.add_subparsers(dest="act", required=True)
    acts.add_parser("keys")
    acts.add_parser("publish").add_argument("--algorithm", default="RS256")
    for name in ("sign-with", "retire"):
        acts.add_parser(name).add_argument("kid")
    mint = acts.add_parser("mint")
    mint.add_argument("--kinds", default="good", help="with commas, or every")
    mint.add_argument("--tenant", default="acme")
    mint.add_argument("--roles", default="writer")
    mint.add_argument("--tier", default="standard")
    mint.add_argument("--subject", default="somebody")
    mint.add_argument("--for-s", type=int, default=300)
    mint.add_argument("--kid", default="")
    return parser
