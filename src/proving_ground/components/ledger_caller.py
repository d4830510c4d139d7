"""A sidecar that calls ``ledger-secure`` for probes, canaries and load that know no tokens."""

from __future__ import annotations

from proving_ground.components.site import PYTHON, Built, Component, Site
from proving_ground.spec import ServerSpec


def build(site: Site) -> Built:
    """Running; ready when the ledger behind it is."""
    site.report("ledger-caller: starting")
    port = site.port("ledger-caller")
    url = f"http://127.0.0.1:{port}"
    secure, identity = site.says("ledger-secure") or {}, site.says("identity") or {}
    site.start(
        ServerSpec(
            name="ledger-caller",
            argv=(*PYTHON, "caller", str(port)),
            ready={"kind": "http", "url": f"{url}/caller/healthz"},
            env={
                "CALLER_URL": secure["url"],
                "CALLER_CA": secure["ca"],
                "CALLER_IDENTITY": identity["url"],
                "CALLER_TIER": "premium",
            },
            env_files={"CALLER_SECRET": identity["secret-file"]},
        )
    )
    says = {
        "kind": "http",
        "url": url,
        "port": str(port),
        "metrics": f"{url}/caller/metrics",
        **site.common("ledger-caller"),
        "faults": ["kill", "pause"],
    }
    return Built(says, port)


COMPONENT = Component(
    "ledger-caller", build, needs=("ledger-secure", "identity"), ports=("ledger-caller",)
)
