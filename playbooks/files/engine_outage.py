"""The Merkle engine away: what clients and the breaker do meanwhile, and what is there after."""

from __future__ import annotations

import http.client
import json
import re
import statistics
import sys
import time
import urllib.parse
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from archive import Checks, Stop, obey
from breaker_told import judge_told
from deployment import ask_http
from proof_check import Event, Verifier
from retries import judge_retries, watch_retries

FAILURES = 5  # LEDGER_BREAKER_FAILURES of the lab's ledgers
RESET_S = 1.0  # LEDGER_BREAKER_RESET_MS
AT_ONCE_S = 0.3  # what one attempt may take; a refusal asks nobody
TRIES = 3
CLIENTS = 8  # at the same time, when the breaker is ready to let one through
RATE_TOLERANCE = 0.05
LOOKS_S = 0.1
PROOFS_MAX = 3000  # every event of a smoke run; of a longer one as many, evenly
COVERED_WITHIN_S = 10.0
_TRANSITIONS = [f"transitions_total {state}" for state in ("closed", "half-opened", "opened")]
_SAMPLE = re.compile(r'^ledger_breaker_(\S+)\{dependency="merkle-engine"(?:,\w+="(\S+)")?\} (\S+)$')


def watch(wanted: dict[str, Any], _: Checks) -> None:
    """Facts of the outage, saved for ``judge``: a step that only looks may not end a recovery."""
    url = wanted["components"]["ledger-proofs"]["url"]
    path = _covered(wanted)
    before, asked_at = _breaker(url), time.monotonic()
    statuses, clear = [], True
    while _breaker(url)["transitions_total opened"] == before["transitions_total opened"]:
        status, headers, _body = ask_http(url, "GET", path)
        statuses.append(status)
        clear = clear and "retry-after" in headers
        if len(statuses) > FAILURES:
            break
    opened_at, opened = time.monotonic(), _breaker(url)
    opened_s, calm = opened_at - asked_at, opened
    for _try in range(TRIES):
        began = time.monotonic()
        refused = [_refused_in(url, path) for _ in range(3)]
        held = _breaker(url)
        if time.monotonic() < opened_at + RESET_S:
            break
        # A busy machine was too late: one of them was the probe, and opened it anew.
        opened_at, calm = began, held
    time.sleep(RESET_S + 0.2)
    with ThreadPoolExecutor(CLIENTS) as clients:
        statuses += list(clients.map(lambda _: ask_http(url, "GET", path)[0], range(CLIENTS)))
    probed = _breaker(url)
    failed = "calls_total failed"
    facts = {
        "transitions": sum(map(before.__getitem__, _TRANSITIONS)),
        "opened": opened["transitions_total opened"] - before["transitions_total opened"],
        "failures": opened[failed] - before[failed],
        "opened_s": round(opened_s, 3),
        "refused_s": round(max(refused), 3),
        "asked_while_open": held[failed] - calm[failed],
        "probes": probed[failed] - held[failed],
        "statuses": sorted(set(statuses)),
        "answers": len(statuses),
        "clear": clear,
        **_meanwhile(wanted, url, path),
    }
    Checks(wanted["outputs"]).save(json.dumps(facts))


def judge(wanted: dict[str, Any], checks: Checks) -> None:
    """The facts against what is promised; each is a check of the run."""
    facts = wanted["facts"]
    facts = json.loads(facts) if isinstance(facts, str) else facts
    rate = float(wanted["rate"])
    opened = f"{facts['failures']:.0f} failures, opened {facts['opened']:.0f} times"
    good = (facts["opened"], facts["failures"]) == (1, FAILURES)
    checks.add("opens-after-exactly-n", good, f"{FAILURES} failures, opened 1 times", opened)
    good = facts["asked_while_open"] == 0 and facts["refused_s"] <= AT_ONCE_S
    seen = f"{facts['refused_s'] * 1000:.0f} ms, {facts['asked_while_open']:.0f} asked"
    checks.add("open-refuses-at-once", good, f"at most {AT_ONCE_S * 1000:.0f} ms, 0 asked", seen)
    one = f"1 of {CLIENTS} clients let through"
    seen = f"{facts['probes']:.0f} of {CLIENTS} clients let through"
    checks.add("half-open-asks-once", facts["probes"] == 1, one, seen)
    kind = f"{wanted['kind']}: counted"
    counted = kind if facts["failures"] > 0 else f"{wanted['kind']}: not counted"
    checks.add(f"counts-{wanted['kind']}", facts["failures"] > 0, kind, counted)
    good = facts["statuses"] == [503] and facts["clear"]
    seen = f"{facts['answers']} answers: {facts['statuses']}, retry-after {facts['clear']}"
    checks.add("proofs-refused-clearly", good, "503 with retry-after, each time", seen)
    good = abs(facts["slope"] - rate) <= rate * RATE_TOLERANCE
    limit = f"{rate:g}/s offered, within {RATE_TOLERANCE:.0%}"
    checks.add("backlog-grows-as-offered", good, limit, f"{facts['slope']:g}/s")
    if "retries" in facts:
        judge_retries(facts["retries"], _log(wanted), checks)
    _closes(wanted, checks)
    lines = _log(wanted)
    metrics = _breaker(wanted["components"]["ledger-proofs"]["url"])
    judge_told(lines, "merkle-engine", facts["transitions"], metrics, checks)
    _refusals_do_not_count(wanted, checks)
    _nothing_unhandled(wanted, checks)


def prove(wanted: dict[str, Any], checks: Checks) -> None:
    """Every event of the run is under a checkpoint, and its proof holds; spoiled ones do not."""
    since, engine = int(wanted["since"]), wanted["components"]["merkle-engine"]
    events = _events(wanted, since)
    _wait_until_covered(wanted, events[-1][0])
    verifier, wrong, refused = Verifier(engine["public-key"]), [], 0
    for event, status, said in _proofs(engine["url"], events):
        why = f"answered {status}" if status != 200 else verifier.why_not(event, said)
        if why:
            wrong.append(f"event {event[0]}: {why}")
            continue
        spoiled = (*event[:3], f"{event[3]} ")
        refused += verifier.why_not(spoiled, said) is not None
    shown, first = len(events) - len(wrong), "; ".join(["", *wrong[:1]])
    checks.add(
        "every-proof-holds",
        not wrong,
        f"{len(events)} of {len(events)} hold",
        f"{shown} of {len(events)} hold{first}",
    )
    good = shown > 0 and refused == shown
    checks.add("altered-event-refused", good, f"{shown} of {shown}", f"{refused} of {shown}")


# -- parts


def _meanwhile(wanted: dict[str, Any], url: str, path: str) -> dict[str, Any]:
    """How the backlog grows; beside it, where ``listen`` is said, how the ledger tries again."""
    with ThreadPoolExecutor(1) as beside:
        tried = None
        if wanted["listen"]:
            tried = beside.submit(
                watch_retries,
                int(wanted["components"]["merkle-engine"]["port"]),
                lambda: ask_http(url, "GET", path)[0],
                lambda: _breaker(url)["state "] == 0,
            )
        slope = round(_slope(wanted, float(wanted["seconds"])), 2)
        return {"slope": slope} | ({"retries": tried.result()} if tried else {})


def _closes(wanted: dict[str, Any], checks: Checks) -> None:
    url, path = wanted["components"]["ledger-proofs"]["url"], _covered(wanted)
    began = time.monotonic()
    while True:
        status, *_ = ask_http(url, "GET", path)
        took_s = time.monotonic() - began
        if status == 200 and _breaker(url)["state "] == 0:
            break
        if took_s > RESET_S * 3:
            break
        time.sleep(0.05)
    good = status == 200 and took_s <= RESET_S
    seen = f"{took_s * 1000:.0f} ms, answered {status}"
    checks.add("closes-by-itself", good, f"within {RESET_S * 1000:.0f} ms, answered 200", seen)


def _refusals_do_not_count(wanted: dict[str, Any], checks: Checks) -> None:
    """More events than checkpoints, for a moment: the engine answers 404, healthily."""
    import psycopg

    url = wanted["components"]["ledger-proofs"]["url"]
    with psycopg.connect(wanted["components"]["ledger-db"]["admin-dsn"]) as conn:
        conn.execute("SET lock_timeout = '5s'")
        conn.execute("LOCK TABLE checkpoints IN EXCLUSIVE MODE")  # readers pass, the engine waits
        event = {"key": f"uncovered-{wanted['run']}", "body": "not covered yet"}
        _, _, body = ask_http(url, "POST", "/v1/outage/events", event)
        path, before = f"/v1/outage/proofs/{json.loads(body)['seq']}", _breaker(url)
        statuses = sorted({ask_http(url, "GET", path)[0] for _ in range(2 * FAILURES)})
        after = _breaker(url)
        conn.rollback()
    failed = after["calls_total failed"] - before["calls_total failed"]
    asked = failed + after["calls_total good"] - before["calls_total good"]
    good = None  # an engine that was not asked, because its breaker is open, shows nothing
    if asked:
        good = statuses == [404] and failed == 0 and after["state "] == 0
    seen = f"{2 * FAILURES} answers: {statuses}, {failed:.0f} counted, state {after['state ']:.0f}"
    expected = f"{2 * FAILURES} answers: [404], 0 counted, state 0"
    checks.add("does-not-count-404", good, expected, seen)


def _log(wanted: dict[str, Any]) -> list[str]:
    """Lines of the drill; the last may still be on its way."""
    with Path(wanted["components"]["ledger-proofs"]["log"]).open("rb") as file:
        file.seek(int(wanted["log_from"]))
        return file.read().decode("utf-8", "replace").splitlines()


def _nothing_unhandled(wanted: dict[str, Any], checks: Checks) -> None:
    lines = _log(wanted)
    bad = [line for line in lines if "Traceback" in line or "Exception in ASGI" in line]
    good = bool(lines) and not bad  # the breaker's own lines must be there
    seen = f"{len(bad)} in {len(lines)} lines"
    checks.add("no-unhandled-exception", good, "none, in a log that was written", seen)


def _breaker(url: str) -> dict[str, float]:
    """Every number of the engine's breaker, by its name and its second label."""
    _, _, text = ask_http(url, "GET", "/metrics")
    found = (_SAMPLE.match(line) for line in text.splitlines())
    return {f"{one[1]} {one[2] or ''}": float(one[3]) for one in found if one}


def _refused_in(url: str, path: str) -> float:
    began = time.monotonic()
    ask_http(url, "GET", path)
    return time.monotonic() - began


@contextmanager
def _database(wanted: dict[str, Any]) -> Iterator[Any]:
    import psycopg

    with psycopg.connect(wanted["components"]["ledger-db"]["dsn"], autocommit=True) as conn:
        yield conn


def _covered(wanted: dict[str, Any]) -> str:
    """Path of the proof of the newest event that a checkpoint covers."""
    sql = "SELECT tenant, seq FROM events WHERE seq = (SELECT max(size) FROM checkpoints)"
    with _database(wanted) as conn:
        row = conn.execute(sql).fetchone()
    if row is None:
        raise Stop("no checkpoint covers any event")
    return f"/v1/{row[0]}/proofs/{row[1]}"


def _slope(wanted: dict[str, Any], seconds: float) -> float:
    """Growth of the backlog a second, by least squares over looks at the database itself."""
    sql = """SELECT (SELECT coalesce(max(seq), 0) FROM events)
                  - (SELECT coalesce(max(size), 0) FROM checkpoints)"""
    at_s, backlog, began = [], [], time.monotonic()
    with _database(wanted) as conn:
        while time.monotonic() < began + seconds:
            sent_s = time.monotonic()
            row = conn.execute(sql).fetchone()
            at_s.append((sent_s + time.monotonic()) / 2)
            backlog.append(float(row[0]))
            time.sleep(LOOKS_S)
    return statistics.linear_regression(at_s, backlog).slope


def _events(wanted: dict[str, Any], since: int) -> list[Event]:
    sql = "SELECT seq, tenant, key, body FROM events WHERE seq > %s ORDER BY seq"
    with _database(wanted) as conn:
        found: list[Event] = conn.execute(sql, (since,)).fetchall()
    if not found:
        raise Stop(f"no event was stored after event {since}")
    step = -(-len(found) // PROOFS_MAX)
    return [*found[:-1:step], found[-1]]


def _wait_until_covered(wanted: dict[str, Any], seq: int) -> None:
    give_up_at = time.monotonic() + COVERED_WITHIN_S
    with _database(wanted) as conn:
        while True:
            row = conn.execute("SELECT coalesce(max(size), 0) FROM checkpoints").fetchone()
            if row[0] >= seq or time.monotonic() > give_up_at:
                return  # what is not covered is answered 404 and says so itself
            time.sleep(0.05)


def _proofs(url: str, events: list[Event]) -> Iterator[tuple[Event, int, dict[str, Any]]]:
    """The engine's answers, on one connection."""
    line = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=5)
    for event in events:
        line.request("GET", f"/proofs/{event[0]}")
        answer = line.getresponse()
        yield event, answer.status, json.loads(answer.read())
    line.close()


ACTS = {"watch": watch, "judge": judge, "prove": prove}


if __name__ == "__main__":
    obey(ACTS[sys.argv[1]], http.client.HTTPException)
