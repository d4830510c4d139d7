"""Clients of the guarded ledger: one that asks once, and many that ask without pause."""

from __future__ import annotations

import contextlib
import json
import ssl
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from proving_ground.identity.client import Client
from proving_ground.ports import free_ports
from proving_ground.spec import load_spec
from support.started import started

PLAYBOOKS = Path(__file__).parents[2] / "playbooks/files"


class Guarded:
    """One instance, and the provider of its tokens."""

    def __init__(self, components: dict[str, Any], name: str = "ledger-secure") -> None:
        self.says = components[name]
        identity = components["identity"]
        self.identity = Client(identity["url"], identity["ca"], identity["secret-file"])
        trust = ssl.create_default_context(cafile=self.says["ca"])
        self.http = httpx.Client(base_url=self.says["url"], verify=trust, timeout=10)

    def close(self) -> None:
        self.http.close()

    def token(self, kind: str = "good", **wish: Any) -> str:
        return self.identity.tokens(kind, **wish)[kind]

    def ask(self, method: str, path: str, token: str, **more: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {token}", **more.pop("headers", {})}
        return self.http.request(method, path, headers=headers, **more)

    def append(self, token: str, tenant: str = "acme", **more: Any) -> httpx.Response:
        event = {"key": uuid.uuid4().hex, "body": "x"}
        return self.ask("POST", f"/v1/{tenant}/events", token, json=event, **more)

    def metric(self, name: str) -> float:
        for line in self.http.get("/metrics").text.splitlines():
            if line.startswith(name + " "):
                return float(line.rpartition(" ")[2])
        raise AssertionError(f"no metric {name}")

    def log_lines(self) -> list[dict[str, Any]]:
        text = Path(self.says["log"]).read_text("utf-8")
        return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


@dataclass
class Load:
    """What clients saw: a status, or the name of the failure."""

    seen: Counter[str] = field(default_factory=Counter)

    @property
    def failed(self) -> int:
        return sum(count for what, count in self.seen.items() if what not in ("200", "201"))


@contextlib.contextmanager
def steady(guarded: Guarded, tokens: list[str], *, fresh: bool = False) -> Iterator[Load]:
    """Writers that ask one request after the other and never again; ``fresh``: a handshake each."""
    load, over, lock = Load(), threading.Event(), threading.Lock()
    trust = ssl.create_default_context(cafile=guarded.says["ca"])

    def write() -> None:
        client = httpx.Client(base_url=guarded.says["url"], verify=trust, timeout=10)
        turn = 0
        while not over.wait(0.002):
            turn += 1
            event = {"key": uuid.uuid4().hex, "body": "x"}
            headers = {"authorization": f"Bearer {tokens[turn % len(tokens)]}"}
            headers |= {"connection": "close"} if fresh else {}
            try:
                what = str(client.post("/v1/acme/events", json=event, headers=headers).status_code)
            except httpx.HTTPError as err:
                what = type(err).__name__
            with lock:
                load.seen[what] += 1
        client.close()

    threads = [threading.Thread(target=write) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        time.sleep(0.3)
        over.set()
        for thread in threads:
            thread.join()


def act(outputs: Path, script: str, **wanted: Any) -> dict[str, bool | None]:
    """A playbook's script, called as the playbook calls it; its checks by name."""
    done = subprocess.run(
        [sys.executable, "-I", str(PLAYBOOKS / script)],
        input=json.dumps({"outputs": str(outputs), **wanted}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    checks = json.loads((outputs / "checks.json").read_text("utf-8"))
    return {check["name"]: check["ok"] for check in checks}


@contextlib.contextmanager
def beside(
    components: dict[str, Any], name: str, log: Path, *defects: str, **changed: str
) -> Iterator[Guarded]:
    """A copy of that instance on ports of its own, with these defects; ended by pid."""
    says = components[name]
    spec = load_spec(Path(says["log"]).parents[1] / "servers" / f"{name}.json")
    port, mtls_port = free_ports(2)
    argv = [str(port) if word == says["port"] else word for word in spec.argv]
    argv += [word for each in defects for word in ("--defect", each)]
    environ = {**spec.env, "LEDGER_MTLS_PORT": str(mtls_port), **changed}
    facts = {**says, "url": f"https://127.0.0.1:{port}", "log": str(log)}
    facts |= {"mtls-url": f"https://127.0.0.1:{mtls_port}", "mtls-port": str(mtls_port)}
    with (
        started(argv, environ, log, port, mtls_port),
        contextlib.closing(Guarded({**components, name: facts}, name)) as guarded,
    ):
        yield guarded


def reaches_mtls(guarded: Guarded, certificate: str = "") -> bool:
    """Whether a client with that certificate (or none) is let in by the second listener."""
    token = guarded.token(tier="premium")
    argv = ["curl", "-sS", "--max-time", "5", "--cacert", guarded.says["ca"]]
    argv += ["--cert", certificate] if certificate else []
    argv += ["-H", f"authorization: Bearer {token}", guarded.says["mtls-url"] + "/v1/acme/events"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return done.returncode == 0 and "events" in done.stdout
