"""A ledger that sends notices through a chain of three providers."""

from __future__ import annotations

from proving_ground.components.ledger_process import build_ledger
from proving_ground.components.site import Built, Component, Site

PROVIDERS = ("notify-1", "notify-2", "notify-3")


def build(site: Site) -> Built:
    """Running and ready, whatever the providers do."""
    urls = [f"{name}={(site.says(name) or {})['url']}" for name in PROVIDERS]
    return build_ledger(site, "ledger-notices", {"LEDGER_NOTIFY_URLS": " ".join(urls)})


COMPONENT = Component(
    "ledger-notices", build, needs=("ledger-db", *PROVIDERS), ports=("ledger-notices",)
)
