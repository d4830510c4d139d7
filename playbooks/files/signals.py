"""A dead replica comes back under load; meanwhile metrics are scraped and logs renamed."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from archive import Checks, Stop, obey, run
from deployment import Deployment
from rotation import Rotated, judge_rotation
from scrapes import EVERY_S, Scrapes, judge_pages

ROTATIONS = 5
_SETTLED_S = 0.5  # the last lines are on their way


def restart(wanted: dict[str, Any], checks: Checks) -> None:
    """Start the one that ``replica`` names; for ``seconds`` everything is renamed and scraped."""
    deployment, dead = Deployment(wanted), wanted["replica"]
    names = deployment.in_service()
    if dead not in names:
        raise Stop(f"replica: expected one in service ({', '.join(names)}), got {dead!r}")
    mark = wanted["run"][-8:]
    logs = {name: Rotated(Path(deployment.replicas[name]["log"]), mark) for name in names}
    with Scrapes({name: deployment.replicas[name]["url"] for name in names}) as scrapes:
        time.sleep(4 * EVERY_S)
        began_s = time.time()
        run([deployment.switch["ctl"], "start", dead], f"starting {dead}")
        for _ in range(ROTATIONS):
            time.sleep(float(wanted["seconds"]) / ROTATIONS)
            for log in logs.values():
                log.rotate()
        time.sleep(_SETTLED_S)
        ended_s = time.time()
    time.sleep(_SETTLED_S)
    scrapes.keep(wanted["outputs"])
    judge_pages(scrapes, dead, checks)
    judge_rotation(logs, _answered(deployment, names, began_s, ended_s), checks)


def _answered(
    deployment: Deployment, names: list[str], began_s: float, ended_s: float
) -> dict[str, list[str]]:
    """Ids by instance, from the switch's log."""
    found: dict[str, list[str]] = {name: [] for name in names}
    for text in Path(deployment.switch["log"]).read_text("utf-8").splitlines():
        if '"handled request"' not in text:
            continue
        line = json.loads(text)
        headers = line.get("resp_headers") or {}
        name = (headers.get("X-Ledger-Instance") or [""])[0]
        if name in found and began_s <= line["ts"] <= ended_s:
            found[name].append(headers["X-Request-Id"][0])
    return found


ACTS = {"restart": restart}


if __name__ == "__main__":
    obey(ACTS[sys.argv[1]])
