"""Sidecars that call a guarded ledger for probes, canaries and load that know no tokens."""

from __future__ import annotations

from proving_ground.components.site import PYTHON, Built, Component, Site
from proving_ground.spec import ServerSpec

TOKEN_FOR_S = 8


def sidecar(name: str, ledger: str, *, token_for_s: int = TOKEN_FOR_S) -> Component:
    """The component of that name, in front of that ledger."""

    def build(site: Site) -> Built:
        """Running; ready when the ledger behind it is."""
        site.report(f"{name}: starting")
        port = site.port(name)
        url = f"http://127.0.0.1:{port}"
        guarded, identity = site.says(ledger) or {}, site.says("identity") or {}
        site.start(
            ServerSpec(
                name=name,
                argv=(*PYTHON, "caller", str(port)),
                ready={"kind": "http", "url": f"{url}/caller/healthz"},
                env={
                    "CALLER_URL": guarded["url"],
                    "CALLER_CA": guarded["ca"],
                    "CALLER_IDENTITY": identity["url"],
                    "CALLER_TIER": "premium",
                    "CALLER_TOKEN_FOR_S": str(token_for_s),
                },
                env_files={"CALLER_SECRET": identity["secret-file"]},
            )
        )
        says = {
            "kind": "http",
            "url": url,
            "port": str(port),
            "metrics": f"{url}/caller/metrics",
            "seen": f"{url}/caller/seen",
            **site.common(name),
            "faults": ["kill", "pause"],
        }
        return Built(says, port)

    return Component(name, build, needs=(ledger, "identity"), ports=(name,))
