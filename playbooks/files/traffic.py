"""Where the switch sends requests, one act a call: by the slot file, and by a reload.

The reload is the control experiment. Caddy starts its listeners anew at every change of its
configuration, and requests get lost on the way. Nobody should switch like this; it shows that a
measurement of lost requests can see them.
"""

from __future__ import annotations

import contextlib
import json
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from archive import Checks, Stop, obey
from deployment import IN_A_ROW, Deployment, NotMoved

_UPSTREAMS = "/config/apps/http/servers/ledger/routes/1/handle/0/upstreams"


def move(wanted: dict[str, Any], checks: Checks) -> None:
    """To the replicas that ``to`` names."""
    _move(Deployment(wanted), wanted["to"].split(), checks)


def home(wanted: dict[str, Any], checks: Checks) -> None:
    """To where a lab at rest has it."""
    deployment = Deployment(wanted)
    _move(deployment, [deployment.switch["home"]], checks)


def unmove(wanted: dict[str, Any], checks: Checks) -> None:
    """The slot file as in a lab at rest; a switch that does not follow it did not before either."""
    deployment = Deployment(wanted)
    with contextlib.suppress(NotMoved):
        deployment.put_in_service(deployment.switch["home"])
    deployment.write_slot([deployment.switch["home"]])


def _move(deployment: Deployment, names: list[str], checks: Checks) -> None:
    wanted = f"{' '.join(names)} and nobody else"
    try:
        deployment.put_in_service(*names)
    except NotMoved as err:
        checks.must("moved", False, wanted, str(err))
    seen = sorted({name for name, _ in deployment.served(IN_A_ROW)})
    checks.must("moved", seen == sorted(names), wanted, " ".join(seen))
    checks.save(" ".join(names))


def is_home(wanted: dict[str, Any], checks: Checks) -> None:
    """Changes nothing; stops when the slot file names others."""
    deployment = Deployment(wanted)
    seen = " ".join(deployment.in_service())
    checks.must(
        "traffic-is-home", seen == deployment.switch["home"], deployment.switch["home"], seen
    )


def reload(wanted: dict[str, Any], checks: Checks) -> None:
    """Only these replicas in the configuration from now on."""
    deployment = Deployment(wanted)
    names = list(deployment.replicas) if wanted["to"] == "all" else wanted["to"].split()
    unknown = [name for name in names if name not in deployment.replicas]
    if unknown or not names:
        raise Stop(f"to: expected some of {', '.join(deployment.replicas)}, or all, got {names}")
    asked = dials(deployment, names)
    configuration(deployment, "PATCH", asked)
    seen = configuration(deployment, "GET")
    checks.must("reloaded", seen == asked, json.dumps(asked), json.dumps(seen))


def unreload(wanted: dict[str, Any], checks: Checks) -> None:
    """Every replica stands in it again; where all do, nothing is changed."""
    deployment = Deployment(wanted)
    whole = dials(deployment, list(deployment.replicas))
    if configuration(deployment, "GET") != whole:
        configuration(deployment, "PATCH", whole)


def is_whole(wanted: dict[str, Any], checks: Checks) -> None:
    """Changes nothing; stops when a replica is missing from the configuration."""
    deployment = Deployment(wanted)
    seen = configuration(deployment, "GET")
    whole = dials(deployment, list(deployment.replicas))
    checks.must("configuration-whole", seen == whole, json.dumps(whole), json.dumps(seen))


def dials(deployment: Deployment, names: Sequence[str]) -> list[dict[str, str]]:
    return [{"dial": f"127.0.0.1:{deployment.replicas[name]['port']}"} for name in names]


def configuration(deployment: Deployment, act: str, content: Any = None) -> Any:
    request = urllib.request.Request(  # noqa: S310 - the lab's own address
        deployment.switch["admin"] + _UPSTREAMS,
        None if content is None else json.dumps(content).encode(),
        {"Content-Type": "application/json"},
        method=act,
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
            text = answer.read()
    except urllib.error.URLError as err:
        raise Stop(f"the switch's configuration cannot be reached: {err}") from err
    return json.loads(text) if act == "GET" else None


ACTS = {
    "move": move,
    "home": home,
    "unmove": unmove,
    "is-home": is_home,
    "reload": reload,
    "unreload": unreload,
    "is-whole": is_whole,
}


if __name__ == "__main__":
    obey(ACTS[sys.argv[1]])
