"""Rolling back, one act a call: switch (clients first), then clean (schema, cache, replica).

Undo is both, if there is anything to take back; look only looks.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from archive import Checks, Stop, obey
from deployment import Deployment


def switch(wanted: dict[str, Any], checks: Checks) -> None:
    """The traffic back to where the last deployment took it from."""
    deployment = Deployment(wanted)
    state = _state(deployment)
    previous = state["previous"]
    name, version = previous["instance"], previous["version"]
    deployment.start(name, version)  # does nothing where it still runs
    deployment.put_in_service(name)
    ((instance, seen),) = deployment.served(1)
    checks.must("rolled-back", (instance, seen) == (name, version), f"{version} on {name}", seen)
    checks.save(f"{version} on {name}")


def clean(wanted: dict[str, Any], checks: Checks) -> None:
    """The schema down, the other version's cache entries gone, its replica idle with the old."""
    deployment = Deployment(wanted)
    state = _state(deployment)
    previous = state["previous"]
    before = deployment.schema()["revision"]
    # The bad version goes first: it may write to the cache as long as it lives.
    deployment.start(state["replica"], previous["version"])
    lost: dict[str, int] = {}
    if before != previous["revision"]:
        moved = deployment.migrate("down", previous["revision"])
        lost = moved["lost"]
        expected = "what only the newer schema holds is counted"
        checks.add("declared-lost", bool(lost), expected, f"{lost or 'nothing named'}")
    revision = deployment.schema()["revision"]
    checks.must(
        "schema-rolled-back",
        revision == previous["revision"],
        str(previous["revision"]),
        str(revision),
    )
    foreign = deployment.foreign_keys(previous["version"])
    if foreign:
        deployment.redis().delete(*foreign)
    # Whether nothing else is there is looked at by verify-deployment.yml.
    bad = f"{state['version']}:".encode()
    left = sum(key.startswith(bad) for key in deployment.foreign_keys(previous["version"]))
    checks.must("cache-purged", left == 0, f"0 entries of {state['version']}", f"{left} left")
    Path(deployment.switch["state"]).unlink(missing_ok=True)


def undo(wanted: dict[str, Any], checks: Checks) -> None:
    """Both acts if a deployment stands; safe when none does, and to be said again."""
    if Deployment(wanted).state() is not None:
        switch(wanted, checks)
        clean(wanted, checks)


def look(wanted: dict[str, Any], checks: Checks) -> None:
    """Changes nothing; stops when a deployment stands."""
    state = Deployment(wanted).state()
    standing = f"{state['version']} on {state['replica']}" if state else "none"
    checks.must("no-deployment-stands", state is None, "none", standing)


def _state(deployment: Deployment) -> dict[str, Any]:
    state = deployment.state()
    if state is None:
        raise Stop("nothing was deployed since the last rollback; there is nowhere to go back to")
    return state


ACTS = {"switch": switch, "clean": clean, "undo": undo, "look": look}


if __name__ == "__main__":
    obey(ACTS[sys.argv[1]])
