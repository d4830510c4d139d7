"""A replica that leaves in order, one act a call: drain, start, runs."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from archive import Checks, Stop, ask, fail, run
from deployment import ask_http

LEAVES_WITHIN_S = 10.0
_EVERY_S = 0.02


def drain(wanted: dict[str, Any], checks: Checks) -> None:
    """SIGTERM, and its faces asked fifty times a second until it is gone."""
    name, replica = _replica(wanted)
    # Not /in-service: of a replica that serves nobody it says no before and after.
    if _status(replica, "/readyz") != 200:
        raise Stop(f"{name} is not ready; there is nothing to drain")
    began = time.monotonic()
    out_s = gone_s = None
    argv = [replica["ctl"], "stop", name, "mode=fast"]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as stopping:
        while stopping.poll() is None and time.monotonic() - began < LEAVES_WITHIN_S * 2:
            asked_s = time.monotonic() - began
            if out_s is None and _status(replica, "/readyz") == 503:
                out_s = asked_s
            if _status(replica, "/healthz") == 200:
                gone_s = None
            elif gone_s is None:
                gone_s = asked_s
            time.sleep(_EVERY_S)
    took_s = time.monotonic() - began
    first = out_s is not None and (gone_s is None or out_s < gone_s)
    words = f"not ready at {_at(out_s)}, deaf at {_at(gone_s)}"
    checks.add("readiness-turns-first", first, "not ready while it still serves", words)
    checks.add(
        "leaves-in-time",
        stopping.returncode == 0 and took_s < LEAVES_WITHIN_S,
        f"gone within {LEAVES_WITHIN_S:g} s",
        f"{took_s:.2f} s",
    )
    checks.save(f"{took_s:.3f}")


def start(wanted: dict[str, Any], checks: Checks) -> None:
    """It runs, as the version that it was."""
    name, replica = _replica(wanted)
    run([replica["ctl"], "start", name], f"starting {name}")


def runs(wanted: dict[str, Any], checks: Checks) -> None:
    """Changes nothing; stops when it is not ready."""
    name, replica = _replica(wanted)
    seen = _status(replica, "/readyz")
    checks.must("replica-runs", seen == 200, f"{name} is ready", str(seen or "no answer"))


def _replica(wanted: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    name = wanted["replica"]
    known = wanted["components"]["switch"]["replicas"].split()
    if name not in known:
        raise Stop(f"replica: expected one of {', '.join(known)}, got {name!r}")
    return name, wanted["components"][name]


def _status(replica: dict[str, Any], path: str) -> int:
    try:
        return ask_http(replica["url"], "GET", path)[0]
    except Stop:
        return 0


def _at(found_s: float | None) -> str:
    return "no time" if found_s is None else f"{found_s:.2f} s"


ACTS = {"drain": drain, "start": start, "runs": runs}


def main() -> None:
    """The act that the argument names, as standard input says."""
    try:
        wanted = ask()
        ACTS[sys.argv[1]](wanted, Checks(wanted["outputs"]))
    except (Stop, OSError, KeyError, ValueError) as err:
        fail(err)


if __name__ == "__main__":
    main()
