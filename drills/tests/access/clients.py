"""Clients of the guarded ledger and of its identity provider, over HTTP alone.

Nothing of the ledger's own code is used: a copy of a mistake would agree with the mistake.
"""

from __future__ import annotations

import json
import os
import ssl
import time
import uuid
from pathlib import Path
from typing import Any

import httpx


def fact(component: str, key: str) -> str:
    """What the environment says of a component; the step ``pytest`` hands it over."""
    return os.environ[f"FP_{component}_{key}".upper().replace("-", "_")]


def unique(prefix: str) -> str:
    """A name that no run before has used."""
    return f"{prefix}-{uuid.uuid4().hex[:10]}"


class Identity:
    """The provider: makes tokens, good and bad, and rotates its keys."""

    def __init__(self) -> None:
        trust = ssl.create_default_context(cafile=fact("identity", "ca"))
        secret = Path(fact("identity", "secret-file")).read_text("utf-8").strip()
        headers = {"authorization": f"Bearer {secret}"}
        self._http = httpx.Client(
            base_url=fact("identity", "url"), verify=trust, headers=headers, timeout=10
        )

    def ask(self, method: str, path: str, **content: Any) -> dict[str, Any]:
        body = {"json": content} if method == "POST" else {}
        answer = self._http.request(method, path, **body)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def tokens(self, *kinds: str, **wish: Any) -> dict[str, str]:
        """By kind; ``every`` stands for all of them."""
        found: dict[str, str] = self.ask("POST", "/tokens", kinds=list(kinds), **wish)["tokens"]
        return found

    def token(self, **wish: Any) -> str:
        """A good one; of the tier without a tight limit unless told otherwise."""
        return self.tokens("good", **({"tier": "premium"} | wish))["good"]


class Ledger:
    """One instance."""

    def __init__(self, name: str = "ledger-secure") -> None:
        self.name = name
        trust = ssl.create_default_context(cafile=fact(name, "ca"))
        self._http = httpx.Client(base_url=fact(name, "url"), verify=trust, timeout=10)

    def ask(self, method: str, path: str, token: str = "", **more: Any) -> httpx.Response:
        headers = dict(more.pop("headers", {}))
        if token:
            headers["authorization"] = f"Bearer {token}"
        return self._http.request(method, path, headers=headers, **more)

    def append(self, token: str, tenant: str = "acme", **more: Any) -> httpx.Response:
        event = {"key": uuid.uuid4().hex, "body": "written by a drill"}
        return self.ask("POST", f"/v1/{tenant}/events", token, json=event, **more)

    def metric(self, name: str, otherwise: float | None = None) -> float:
        """Its value; ``otherwise`` for a labelled one that has not been counted yet."""
        for line in self.ask("GET", "/metrics").text.splitlines():
            if line.startswith(f"{name} "):
                return float(line.rpartition(" ")[2])
        assert otherwise is not None, f"{self.name} has no metric {name}"
        return otherwise

    def log_lines(self) -> list[dict[str, Any]]:
        text = Path(fact(self.name, "log")).read_text("utf-8", "replace")
        return [json.loads(line) for line in text.splitlines() if line.startswith("{")]

    def status_until(self, token: str, wanted: int, within_s: float) -> tuple[float, int]:
        """Append until it is answered so, or time is up: (seconds until then, requests made)."""
        began, count = time.monotonic(), 0
        while True:
            count += 1
            seen = self.append(token).status_code
            took_s = time.monotonic() - began
            if seen == wanted or took_s > within_s:
                return (took_s if seen == wanted else float("inf")), count
            time.sleep(0.02)
