"""A replica that leaves in order, one act a call: drain, start, runs."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.parse
import uuid
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from archive import Checks, Stop, obey, run
from deployment import TENANT, ask_http

LEAVES_WITHIN_S = 10.0
_EVERY_S = 0.02


class Begun:
    """A request whose end is still to be sent when the replica is told to leave."""

    def __init__(self, url: str) -> None:
        place = urllib.parse.urlsplit(url)
        event = json.dumps({"key": uuid.uuid4().hex, "body": "begun before SIGTERM"}).encode()
        self._rest = event[len(event) // 2 :]
        head = f"POST /v1/{TENANT}/events HTTP/1.1\r\nHost: {place.netloc}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(event)}\r\n\r\n"
        self._line = socket.create_connection((place.hostname or "", place.port or 0), 5)
        self._line.sendall(head.encode() + event[: len(event) // 2])

    def finish(self) -> str:
        """Send the rest; the status line of the answer, or why there is none."""
        try:
            self._line.sendall(self._rest)
            return self._line.recv(4096).decode("latin-1").split("\r\n")[0] or "cut off"
        except OSError as err:
            return f"cut off: {err}"
        finally:
            self._line.close()


def drain(wanted: dict[str, Any], checks: Checks) -> None:
    """SIGTERM, and its faces asked fifty times a second until it is gone."""
    name, replica = _replica(wanted)
    # Not /in-service: of a replica that serves nobody it says no before and after.
    if _status(replica, "/readyz") != 200:
        raise Stop(f"{name} is not ready; there is nothing to drain")
    begun, answer = Begun(replica["url"]), ""
    time.sleep(_EVERY_S)
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
                answer = answer or begun.finish()  # nobody else gets in any more
            time.sleep(_EVERY_S)
    took_s = time.monotonic() - began
    answer = answer or begun.finish()
    first = out_s is not None and (gone_s is None or out_s < gone_s)
    words = f"not ready at {_at(out_s)}, deaf at {_at(gone_s)}"
    checks.add("readiness-turns-first", first, "not ready while it still serves", words)
    checks.add(
        "leaves-in-time",
        stopping.returncode == 0 and took_s < LEAVES_WITHIN_S,
        f"gone within {LEAVES_WITHIN_S:g} s",
        f"{took_s:.2f} s",
    )
    finished = answer.startswith("HTTP/1.1 201")
    checks.add("in-flight-finished", finished, "201 for a request begun before SIGTERM", answer)
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


if __name__ == "__main__":
    obey(ACTS[sys.argv[1]])
