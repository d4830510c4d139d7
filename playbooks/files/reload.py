"""The control experiment: move the traffic by changing the switch's configuration.

Caddy starts its listeners anew at every change, and requests get lost on the way. Nobody should
switch like this; it shows that a measurement of lost requests can see them.
"""

from __future__ import annotations

import json
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from archive import Checks, Stop, ask, fail
from deployment import Deployment

_UPSTREAMS = "/config/apps/http/servers/ledger/routes/1/handle/0/upstreams"


def reload(wanted: dict[str, Any], checks: Checks) -> None:
    """Only these replicas from now on; ``to: all`` puts the configuration back."""
    deployment = Deployment(wanted)
    names = list(deployment.replicas) if wanted["to"] == "all" else wanted["to"].split()
    unknown = [name for name in names if name not in deployment.replicas]
    if unknown or not names:
        raise Stop(f"to: expected some of {', '.join(deployment.replicas)}, or all, got {names}")
    upstreams = [{"dial": f"127.0.0.1:{deployment.replicas[name]['port']}"} for name in names]
    request = urllib.request.Request(  # noqa: S310 - the lab's own address
        deployment.switch["admin"] + _UPSTREAMS,
        json.dumps(upstreams).encode(),
        {"Content-Type": "application/json"},
        method="PATCH",
    )
    try:
        urllib.request.urlopen(request, timeout=20).close()  # noqa: S310
    except urllib.error.URLError as err:
        raise Stop(f"the switch takes no configuration: {err}") from err
    checks.add("reloaded", True, "a new configuration", ", ".join(names))


def main() -> None:
    """Reload as standard input says."""
    try:
        wanted = ask()
        reload(wanted, Checks(wanted["outputs"]))
    except (Stop, OSError, KeyError, ValueError) as err:
        fail(err)


if __name__ == "__main__":
    main()
