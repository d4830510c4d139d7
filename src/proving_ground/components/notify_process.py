"""A provider of notices; ``start answer=500`` makes it refuse, ``answer=ok`` takes that back."""

from __future__ import annotations

from proving_ground.components.site import PYTHON, Built, Site
from proving_ground.spec import ServerSpec


def build_provider(site: Site, name: str) -> Built:
    """Running; what it delivered lies in a file and survives it."""
    site.report(f"{name}: starting")
    port, path = site.port(name), site.folder.run / f"{name}.jsonl"
    url = f"http://127.0.0.1:{port}"
    words = ("notify", str(port), name, str(path), "{answer}", *site.defects("notify"))
    site.start(
        ServerSpec(
            name=name,
            argv=(*PYTHON, *words),
            ready={"kind": "http", "url": f"{url}/healthz"},
            params={"answer": "ok"},
        )
    )
    says = {"kind": "http", "url": url, "port": str(port), **site.common(name)}
    return Built({**says, "deliveries": str(path), "faults": ["kill", "pause", "playbook"]}, port)
