"""A ledger with every guard on: tokens, TLS, a port for named clients, limits, signatures."""

from __future__ import annotations

import secrets
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

from proving_ground.components import logins
from proving_ground.components.certificates import (
    CLIENT,
    SERVER_NAMES,
    authority_folder,
    client_files,
    server_file,
)
from proving_ground.components.site import PYTHON, Built, Component, Site
from proving_ground.spec import ServerSpec

TIERS = "free=50,standard=200,premium=5000"
WINDOW_S = 10
JWKS_TTL_S, JWKS_COOLDOWN_S = 3, 1  # short, so that a drill can wait for them


def secure_ledger(
    name: str, storage: str, *, proofs: bool = False, jwks_ttl_s: int = JWKS_TTL_S
) -> Component:
    """Instances share database, limits, certificate and shared secret.

    With proofs the profile is development: the engine speaks plain HTTP, which production refuses.
    """
    mtls = f"{name}-mtls"

    def build(site: Site) -> Built:
        site.report(f"{name}: starting")
        port, mtls_port = site.port(name), site.port(mtls)
        url = f"https://127.0.0.1:{port}"
        authority = authority_folder(site)
        ca = str(authority / "ca.pem")
        certificate = str(server_file(site, "ledger-secure"))
        secret = event_secret(site)
        database, facts = _database(site, storage)
        if proofs:
            database |= {"LEDGER_PROFILE": "development", **_engine(site)}
        identity, limiter = site.says("identity") or {}, site.says("limiter-store") or {}
        service = ServerSpec(
            name=name,
            argv=(*PYTHON, "ledger", str(port), *site.defects("ledger")),
            ready={"kind": "http", "url": f"{url}/readyz", "ca": ca},
            env={
                "LEDGER_INSTANCE": name,
                **database,
                "LEDGER_AUTH": "strict",
                "LEDGER_JWKS_URL": identity["jwks-url"],
                "LEDGER_JWKS_CA": ca,
                "LEDGER_JWKS_TTL_S": str(jwks_ttl_s),
                "LEDGER_JWKS_COOLDOWN_S": str(JWKS_COOLDOWN_S),
                "LEDGER_JWT_ISSUER": identity["issuer"],
                "LEDGER_JWT_AUDIENCE": identity["audience"],
                "LEDGER_RATE_TIERS": TIERS,
                "LEDGER_RATE_WINDOW_S": str(WINDOW_S),
                "LEDGER_LIMITER_URL": limiter["url"],
                "LEDGER_LIMITER_PASSWORD_FILE": limiter["password-file"],
                "LEDGER_TLS_CERT": certificate,
                "LEDGER_TLS_KEY": certificate,
                "LEDGER_MTLS_PORT": str(mtls_port),
                "LEDGER_MTLS_CA": ca,
                "LEDGER_MTLS_CLIENTS": CLIENT,
                "LEDGER_EVENT_SIGNATURES": "optional",
                "LEDGER_EVENT_SECRET_FILE": str(secret),
            },
            within_s=20.0,
        )
        site.start(service)
        # From now on it counts as started once it lives, whatever its database does.
        site.declare(replace(service, ready={**service.ready, "url": f"{url}/healthz"}))
        says: dict[str, Any] = {
            "kind": "http",
            "url": url,
            "port": str(port),
            "mtls-url": f"https://127.0.0.1:{mtls_port}",
            "mtls-port": str(mtls_port),
            "ca": ca,
            "authority": str(authority),
            "certificate": certificate,
            "names": " ".join(SERVER_NAMES),
            "issue": str(_issue(site, authority)),
            "storage": storage,
            "tiers": TIERS,
            "window-s": str(WINDOW_S),
            "jwks-ttl-s": str(jwks_ttl_s),
            "jwks-cooldown-s": str(JWKS_COOLDOWN_S),
            "event-secret-file": str(secret),
            "attempt": str(_attempt(site, name)),
            "cross-sign": site.command("cross-sign", "cross-sign"),
            "audit": site.command("audit", "audit"),
            "ask-storage": site.command("ask-storage", "storage"),
            **client_files(site),
            **facts,
            **site.common(name),
            "faults": ["kill", "pause", "playbook"],
        }
        return Built(says, port)

    needs: tuple[str, ...] = ("ledger-db",) if storage == "postgres" else ()
    needs += ("merkle-engine",) if proofs else ()
    return Component(name, build, needs=(*needs, "identity", "limiter-store"), ports=(name, mtls))


def event_secret(site: Site) -> Path:
    """The file with the secret that requests are signed with."""
    path = site.folder.secrets / "ledger-event-secret"
    if not path.exists():
        site.folder.secret(path.name, secrets.token_hex(32) + "\n")
    return path


def _engine(site: Site) -> dict[str, str]:
    engine = site.says("merkle-engine") or {}
    return {
        "LEDGER_ENGINE_URL": engine["url"],
        "LEDGER_ENGINE_KEY_FILE": engine["public-key"],
        "LEDGER_ENGINE_ORIGIN": engine["origin"],
    }


def _attempt(site: Site, name: str) -> Path:
    """A command that starts this service with other settings and says what became of it."""
    words = [*PYTHON, "attempt-start", "--root", str(site.root), "--name", name]
    return site.folder.script(f"attempt-{name}", f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')


def _issue(site: Site, authority: Path) -> Path:
    """A command that signs certificates with the lab's authority."""
    words = shlex.join([*PYTHON, "issue", "--ca", str(authority)])
    return site.folder.script("issue", f'#!/bin/sh\nexec {words} "$@"\n')


def _database(site: Site, storage: str) -> tuple[dict[str, str], dict[str, str]]:
    """Settings, and what a drill may know of the login."""
    if storage == "memory":
        return {"LEDGER_STORAGE": "memory"}, {}
    facts = logins.make_logins(site)
    environ = {"LEDGER_PROFILE": "production", "LEDGER_DSN_FILE": facts["dsn-file"]}
    return environ, facts
