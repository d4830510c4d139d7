"""Deploying a version, one act a call: validate, prepare, switch."""

from __future__ import annotations

import os
import stat
import sys
import uuid
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from archive import Checks, Stop, obey
from deployment import TENANT, Deployment, ask_http


def validate(wanted: dict[str, Any], checks: Checks) -> None:
    """Every requirement is looked at before anything changes, and all that fail are named."""
    there = wanted["components"]
    needed = ("switch", "ledger-db", "cache-store")
    missing = [name for name in needed if name not in there]
    checks.must("components-there", not missing, f"{', '.join(needed)}", f"missing: {missing}")
    deployment = Deployment(wanted)
    version, known = deployment.version, sorted(deployment.releases)
    found = {
        "release-known": (version in known, f"one of {', '.join(known)}", version or "nothing"),
        "replica-idle": _tell(deployment.idle, "a replica that serves nobody"),
        "secret-private": _tell(lambda: _private(deployment.cache["password-file"]), "mode 0600"),
        "switch-serves": _tell(
            lambda: str(dict(deployment.served(1))), "an answer with version and instance"
        ),
        "schema-known": _tell(lambda: deployment.schema()["revision"], "a revision"),
        "ports-distinct": _ports(deployment),
    }
    for name, (ok, expected, observed) in found.items():
        checks.add(name, ok, expected, observed)
    wrong = [f"{name}: expected {e}, got {o}" for name, (ok, e, o) in found.items() if not ok]
    if wrong:
        raise Stop("nothing was changed: " + "; ".join(wrong))


def prepare(wanted: dict[str, Any], checks: Checks) -> None:
    """Schema up, then the idle replica as the new version, tried out before anybody sees it."""
    deployment = Deployment(wanted)
    old = deployment.about(deployment.switch["url"])
    name = wanted.get("replica") or deployment.idle()
    if name in deployment.in_service():
        raise Stop(f"{name} is in service; deploy to an idle replica")
    # Written down first: from here on a rollback knows where to go.
    state = {"version": deployment.version, "replica": name, "previous": old}
    deployment.note(state)
    revision = deployment.releases[deployment.version]["revision"]
    if revision and revision != old["revision"]:
        moved = deployment.migrate("up", revision)
        held = f"{moved['to']} after {moved['tries']} tries, others waited {moved['held_ms']} ms"
        checks.must("schema-moved", moved["to"] == revision, revision, held)
    deployment.start(name, deployment.version)
    url = deployment.replicas[name]["url"]
    about = deployment.about(url)
    ok = (about["version"], about["instance"]) == (deployment.version, name)
    checks.must("new-version-runs", ok, f"{deployment.version} on {name}", str(about))
    body = uuid.uuid4().hex
    status, _, text = ask_http(url, "POST", f"/v1/{TENANT}/events", {"key": body, "body": body})
    seq = _seq(status, text)
    _, _, read = ask_http(url, "GET", f"/v1/{TENANT}/events/{seq}")
    checks.must("new-version-works", body in read, "a written event is read back", read[:120])


def switch(wanted: dict[str, Any], checks: Checks) -> None:
    """The traffic to the prepared replica."""
    deployment = Deployment(wanted)
    state = deployment.state()
    if state is None or state["version"] != deployment.version:
        raise Stop(f"{deployment.version} was not prepared")
    deployment.put_in_service(state["replica"])
    seen = ", ".join(deployment.in_service())
    checks.must("switched", seen == state["replica"], state["replica"], seen)
    checks.save(f"{deployment.version} on {state['replica']}")


def _tell(look: Any, expected: str) -> tuple[bool, str, str]:
    try:
        return True, expected, str(look())
    except (Stop, OSError, KeyError, ValueError) as err:
        return False, expected, str(err)


def _private(path: str) -> str:
    mode = stat.S_IMODE(os.stat(path).st_mode)
    if mode & 0o077:
        raise Stop(f"mode {mode:04o}")
    return f"mode {mode:04o}"


def _ports(deployment: Deployment) -> tuple[bool, str, str]:
    ports = [part["port"] for part in (deployment.switch, *deployment.replicas.values())]
    return len(set(ports)) == len(ports), "a port for each", " ".join(ports)


def _seq(status: int, text: str) -> int:
    import json

    if status != 201:
        raise Stop(f"the new version answers a write with {status}: {text[:120]}")
    return int(json.loads(text)["seq"])


ACTS = {"validate": validate, "prepare": prepare, "switch": switch}


if __name__ == "__main__":
    obey(ACTS[sys.argv[1]])
