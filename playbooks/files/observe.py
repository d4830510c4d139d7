"""What the service says of itself, compared with what is seen from outside; one act a call."""

from __future__ import annotations

import json
import re
import sys
import time
import uuid
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
import itertools

from archive import Checks, Stop, obey, run
from deployment import Deployment, ask_http

USUAL = "info"  # what a replica logs in a lab at rest
REQUESTS = 300
OVERHEAD_S = 0.025  # what a client sees beyond the service: connection, switch, a busy machine
LOGGED_WITHIN_S = 5.0
# Nobody else asks for this route, so that its histogram is ours.
_PATH = "/version"
_BUCKET = re.compile(
    r'^ledger_request_seconds_bucket\{le="([^"]+)",route="version"\} (\S+)$', re.MULTILINE
)


def histogram(wanted: dict[str, Any], checks: Checks) -> None:
    """The service's percentiles against the client's own, from the same requests."""
    url = _replica(wanted, wanted["replica"])["url"]
    before, took_s = _buckets(url), []
    for _ in range(REQUESTS):
        began = time.monotonic()
        ask_http(url, "GET", _PATH)
        took_s.append(time.monotonic() - began)
    after = _buckets(url)
    counts = [(le, after[le] - before.get(le, 0)) for le in sorted(after)]
    total = int(counts[-1][1])
    checks.add("histogram-counts", total == REQUESTS, f"{REQUESTS} requests", f"{total}")
    took_s.sort()
    for percent in (50, 95, 99):
        rank = -(-REQUESTS * percent // 100)
        low, high = _bounds(counts, rank)
        client = took_s[rank - 1]
        # No request takes the service longer than it takes the client, so no percentile does.
        good = low <= client <= high + OVERHEAD_S
        checks.add(
            f"histogram-p{percent}",
            good,
            f"{low * 1000:.1f} to {(high + OVERHEAD_S) * 1000:.1f} ms by the service",
            f"{client * 1000:.1f} ms by the client",
        )


def trace(wanted: dict[str, Any], checks: Checks) -> None:
    """One id in the client's hand, the switch's log, the service's, and the audit log."""
    deployment = Deployment(wanted)
    given = f"trace-{uuid.uuid4().hex}"
    # Refused for its signature, because refusals are what the audit log holds.
    refused = {"x-request-id": given, "x-ledger-signature": f"t={int(time.time())},v1={'0' * 64}"}
    event = {"key": given, "body": "signed by nobody"}
    status, headers, _ = ask_http(
        deployment.switch["url"], "POST", "/v1/observed/events", event, refused
    )
    if status != 401:
        raise Stop(f"a request signed by nobody is answered {status}; it stands in no audit log")
    instance, seen = headers["x-ledger-instance"], headers["x-request-id"]
    checks.add("id-in-answer", seen == given, given, seen)
    for name in ("switch", instance):
        log = Path(wanted["components"][name]["log"])
        found = _within(lambda log=log: given in log.read_text("utf-8"))
        place = f"id-in-log-of-{'switch' if name == 'switch' else 'service'}"
        checks.add(place, found, f"{given} in {name}'s", "there" if found else "not there")
    sql = f"SELECT reason FROM audit WHERE request_id = '{given}'"  # noqa: S608 - hex, our own
    rows = deployment.psql(sql)
    audited = ["signature-wrong"]
    checks.add(
        "id-in-audit-log", rows.split() == audited, f"{given}: {audited[0]}", rows or "no entry"
    )


def logs(wanted: dict[str, Any], checks: Checks) -> None:
    """Lines are JSON, none is missing, no body stands in them, and the level filters."""
    name, replica = wanted["replica"], _replica(wanted, wanted["replica"])
    path, secret = Path(replica["log"]), uuid.uuid4().hex
    run([replica["ctl"], "start", name, f"log-level={USUAL}"], f"starting {name}")
    start = path.stat().st_size
    event = {"key": uuid.uuid4().hex, "body": secret}
    ask_http(replica["url"], "POST", "/v1/observed/events", event)
    _within(lambda: '"path": "/v1/observed/events"' in _from(path, start))
    lines = [line for line in path.read_text("utf-8").splitlines() if line.strip()]
    parsed = [_json(line) for line in lines]
    broken = sum(line is None for line in parsed)
    checks.add("log-lines-are-json", broken == 0, "every line", f"{broken} of {len(lines)} are not")
    numbers = [line["n"] for line in parsed if line]
    gaps = sum(b not in (a + 1, 1) for a, b in itertools.pairwise(numbers))
    checks.add("no-log-line-lost", gaps == 0, "numbers without a gap", f"{gaps} gaps")
    leaked = secret in path.read_text("utf-8")
    checks.add("no-body-in-log", not leaked, "no body", "a body" if leaked else "none")
    run([replica["ctl"], "start", name, "log-level=error"], f"starting {name}")
    start = path.stat().st_size
    ask_http(replica["url"], "GET", _PATH)
    time.sleep(0.5)
    below = [line for line in _from(path, start).splitlines() if '"level": "error"' not in line]
    run([replica["ctl"], "start", name, f"log-level={USUAL}"], f"starting {name}")
    checks.add("log-level-filters", not below, "errors only", f"{len(below)} lines below")


def usual(wanted: dict[str, Any], _: Checks) -> None:
    """It runs and logs as it did; safe to be said again."""
    name, replica = wanted["replica"], _replica(wanted, wanted["replica"])
    run([replica["ctl"], "start", name, f"log-level={USUAL}"], f"starting {name}")


def is_usual(wanted: dict[str, Any], checks: Checks) -> None:
    """Changes nothing; stops when it does not run, or logs less or more than it did."""
    name, replica = wanted["replica"], _replica(wanted, wanted["replica"])
    server = json.loads(run([replica["ctl"], "status"], "asking the supervisor"))[name]
    seen = server["params"]["log-level"] if server["pid"] else "does not run"
    checks.must("logs-as-usual", seen == USUAL, USUAL, seen)


def _replica(wanted: dict[str, Any], name: str) -> dict[str, Any]:
    known = wanted["components"]["switch"]["replicas"].split()
    if name not in known:
        raise Stop(f"replica: expected one of {', '.join(known)}, got {name!r}")
    found: dict[str, Any] = wanted["components"][name]
    return found


def _buckets(url: str) -> dict[float, float]:
    _, _, text = ask_http(url, "GET", "/metrics")
    return {float(le): float(count) for le, count in _BUCKET.findall(text)}


def _bounds(counts: list[tuple[float, float]], rank: int) -> tuple[float, float]:
    """Between which limits the value of that rank lies."""
    low = 0.0
    for le, count in counts:
        if count >= rank:
            return low, le
        low = le
    return low, float("inf")


def _within(seen: Any) -> bool:
    give_up_at = time.monotonic() + LOGGED_WITHIN_S
    while not seen():
        if time.monotonic() > give_up_at:
            return False
        time.sleep(0.05)
    return True


def _from(path: Path, start: int) -> str:
    with path.open("rb") as file:
        file.seek(start)
        return file.read().decode("utf-8", "replace")


def _json(line: str) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


ACTS = {
    "histogram": histogram,
    "trace": trace,
    "logs": logs,
    "usual": usual,
    "is-usual": is_usual,
}


if __name__ == "__main__":
    obey(ACTS[sys.argv[1]])
