"""The identity provider: publishes its keys over TLS, signs tokens, rotates."""

from __future__ import annotations

import secrets
import shlex

from proving_ground.components.certificates import authority_folder, server_file
from proving_ground.components.site import PYTHON, Built, Component, Site
from proving_ground.spec import ServerSpec

ISSUER, AUDIENCE = "https://identity.test", "ledger"


def build(site: Site) -> Built:
    """Running, with one key that signs."""
    site.report("identity: starting")
    port = site.port("identity")
    url = f"https://127.0.0.1:{port}"
    authority = str(authority_folder(site) / "ca.pem")
    secret = site.folder.secret("identity-secret", secrets.token_urlsafe(32))
    site.start(
        ServerSpec(
            name="identity",
            argv=(*PYTHON, "identity", str(port), *site.defects("identity")),
            ready={"kind": "http", "url": f"{url}/healthz", "ca": authority},
            env={
                "IDENTITY_KEYS": str(site.folder.secrets / "identity-keys.json"),
                "IDENTITY_ISSUER": ISSUER,
                "IDENTITY_AUDIENCE": AUDIENCE,
                "IDENTITY_TLS": str(server_file(site, "identity")),
            },
            env_files={"IDENTITY_SECRET": str(secret)},
            within_s=20.0,
        )
    )
    command = [*PYTHON, "identity-ctl", "--url", url, "--ca", authority]
    script = f'#!/bin/sh\nexec {shlex.join([*command, "--secret-file", str(secret)])} "$@"\n'
    says = {
        "kind": "http",
        "url": url,
        "port": str(port),
        "ca": authority,
        "jwks-url": f"{url}/.well-known/jwks.json",
        "issuer": ISSUER,
        "audience": AUDIENCE,
        "secret-file": str(secret),
        "identity-ctl": str(site.folder.script("identity-ctl", script)),
        **site.common("identity"),
        "faults": ["kill", "pause", "playbook"],
    }
    return Built(says, port)


COMPONENT = Component("identity", build, ports=("identity",))
