"""One replica of the ledger behind the switch; ``start NAME version=v2`` changes its version."""

from __future__ import annotations

from proving_ground.components.secure import event_secret
from proving_ground.components.site import PYTHON, Built, Component, Site
from proving_ground.slot import read_slot, write_slot
from proving_ground.spec import ServerSpec

FIRST_IN_SERVICE = "ledger-blue"
DRAIN_MS = 1000  # the switch asks five times meanwhile


def replica(name: str) -> Component:
    """All replicas share database, cache and slot file."""

    def build(site: Site) -> Built:
        site.report(f"{name}: starting")
        port = site.port(name)
        url = f"http://127.0.0.1:{port}"
        slot = site.folder.run / "slot"
        if not read_slot(slot):
            write_slot(slot, [FIRST_IN_SERVICE])
        cache = site.says("cache-store") or {}
        secret = event_secret(site)
        service = ServerSpec(
            name=name,
            argv=(*PYTHON, "ledger", str(port), *site.defects("ledger")),
            ready={"kind": "http", "url": f"{url}/readyz"},
            env={
                "LEDGER_DSN": f"{site.aside('ledger-db')['service-dsn']} application_name={name}",
                "LEDGER_INSTANCE": name,
                "LEDGER_VERSION": "{version}",
                "LEDGER_LOG_LEVEL": "{log-level}",
                # A file that may be renamed under it, and the one that every reader of logs knows.
                "LEDGER_LOG_FILE": str(site.common(name)["log"]),
                "LEDGER_EVENT_SIGNATURES": "optional",
                "LEDGER_EVENT_SECRET_FILE": str(secret),
                "LEDGER_SLOT": str(slot),
                "LEDGER_CACHE_URL": cache["url"],
                "LEDGER_CACHE_PASSWORD_FILE": cache["password-file"],
                # New connections cost more than 100 ms on a busy machine, and a move loses nothing.
                "LEDGER_POOL_WAIT_MS": "1000",
                "LEDGER_DRAIN_MS": str(DRAIN_MS),
            },
            # A lab that ends, or a drill that is in a hurry, does not wait for the drain.
            stop={"fast": "SIGTERM", "immediate": "SIGKILL"},
            params={"version": "v1", "log-level": "info"},
            within_s=10.0,
        )
        site.start(service)
        says = {
            "kind": "http",
            "url": url,
            "port": str(port),
            "slot": str(slot),
            **site.common(name),
            "faults": ["kill", "pause", "playbook"],
        }
        return Built(says, port)

    return Component(name, build, needs=("ledger-db", "cache-store"), ports=(name,))
