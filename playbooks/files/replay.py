"""The ledger's log recomputed from its bodies, before and after; one act a call."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from archive import Checks, Stop, obey
from deployment import ask_http

COVERED_WITHIN_S = 5.0
# Each reason that the replay has for refusing; it is shown at least one copy for each.
REASONS = ("altered", "order", "truncated", "root", "signature", "key", "malformed")

# Changes of a copy of the store, by the check that tells what the replay makes of it.
DIFFERENCES = {
    "agrees-with-an-untouched-copy": "",
    "fails-on-a-changed-row": "UPDATE events SET body = body || '.' WHERE seq = 2",
    "fails-on-a-missing-row": "DELETE FROM events WHERE seq = 2",
    "fails-on-a-missing-end": "DELETE FROM events WHERE seq = (SELECT max(size) FROM checkpoints)",
}


def remember(wanted: dict[str, Any], checks: Checks) -> None:
    """Write events; save what the log comes to and the newest checkpoint, as a client keeps it."""
    url = wanted["components"]["ledger-window"]["url"]
    for number in range(int(wanted["events"])):
        event = {"key": f"{wanted['run']}-{number}", "body": f"replayed {number}"}
        status, _, body = ask_http(url, "POST", "/v1/replay/events", event)
        if status != 201:
            raise Stop(f"event {number} was answered {status}: {body[:200]}")
    seq, note = json.loads(body)["seq"], {"number": 0, "note": ""}
    give_up_at = time.monotonic() + COVERED_WITHIN_S
    while time.monotonic() < give_up_at:
        sql = "SELECT number, note, size FROM checkpoints ORDER BY number DESC LIMIT 1"
        if (row := _one(wanted, sql)) is not None:
            note = {"number": row[0], "note": row[1]}
            if row[2] >= seq:
                break
        time.sleep(0.05)
    # A log that is refused already is judged after the fault, where its objective is.
    _, said = _replay(wanted, "check")
    checks.save(json.dumps({"state": said.get("state", json.dumps(said)), "known": note}))


def compare(wanted: dict[str, Any], checks: Checks) -> None:
    """Twice from nothing; both equal, every root as signed, what was known still there."""
    before = wanted["before"]
    before = json.loads(before) if isinstance(before, str) else before
    known = Path(wanted["outputs"]) / "known.jsonl"
    known.write_text(json.dumps(before["known"]) + "\n", "utf-8")
    code, said = _replay(wanted, "check", "--times", "2", "--known", str(known))
    good = code == 0 and said["times"] == 2 and said["known"] == 1
    seen = json.dumps(said)
    checks.add("replayed-twice-alike", good, "two equal replays, each root as signed", seen)
    if wanted["same"] == "yes":
        state = str(said.get("state"))
        checks.add("same-state-as-before", state == before["state"], before["state"], state)


def refuse(wanted: dict[str, Any], checks: Checks) -> None:
    """Known-bad copies of this very log; how many were refused for each reason."""
    code, said = _replay(wanted, "refusals")
    told = "reasons" in said  # else the log itself was refused, and no copy of it shows anything
    for reason in REASONS:
        count = said.get("reasons", {}).get(reason, 0)
        checks.add(f"refused-{reason}", count > 0 if told else None, "1 or more", f"{count}")
    right = code == 0 and said["refused"] == said["shown"] if told else None
    checks.add("every-copy-refused-rightly", right, "each, for its own reason", json.dumps(said))


def duplicate(wanted: dict[str, Any], checks: Checks) -> None:
    """One key sent inside its window and after it: one effect, the same answer, then a refusal."""
    service = wanted["components"]["ledger-window"]
    event = {"key": f"{wanted['run']}-twice", "body": "once"}
    first = _append(service["url"], event)
    inside = _append(service["url"], event)
    time.sleep(float(service["window-seconds"]) + 0.5)
    late = _append(service["url"], event)
    sql = "SELECT count(*) FROM events WHERE tenant = 'replay' AND key = %s"
    row = _one(wanted, sql, event["key"])
    stored = row[0] if row else 0
    same = inside[1] == first[1]
    seen = f"{inside[0]}, {'the same' if same else 'another'} answer"
    good = (first[0], inside[0], same) == (201, 200, True)
    checks.add("inside-window-same-answer", good, "200, the same answer", seen)
    checks.add("outside-window-refused", late[0] == 409, "409", f"{late[0]}")
    checks.add("effect-once", stored == 1, "1 event after 3 deliveries", f"{stored} events")


def differ(wanted: dict[str, Any], checks: Checks) -> None:
    """The one command on copies of this store: 0 for the untouched, 1 and why for a difference."""
    import psycopg
    from psycopg import sql

    database, scratch = wanted["components"]["ledger-db"], f"fireproof-{wanted['run']}-copy"
    drop = sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(scratch))
    _, said = _replay(wanted, "check")
    told = "refused" not in said  # else no copy of this log shows anything
    with psycopg.connect(database["admin-dsn"], autocommit=True) as conn:
        try:
            for name, change in DIFFERENCES.items():
                conn.execute(drop)
                _copy(conn, scratch, change)
                copy = f"{database['dsn']} options='-c search_path={scratch}'"
                code, said = _replay(wanted, "check", dsn=copy)
                good = (code, "refused" in said) == ((1, True) if change else (0, False))
                expected = "exit 1, and why" if change else "exit 0"
                seen = f"exit {code}: {json.dumps(said)}"
                checks.add(name, good if told else None, expected, seen)
        finally:
            conn.execute(drop)


def _copy(conn: Any, scratch: str, change: str) -> None:
    """Events and checkpoints of one instant in a schema of their own, then changed."""
    from psycopg import sql

    name = sql.Identifier(scratch)
    with conn.transaction():
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        conn.execute(sql.SQL("CREATE SCHEMA {}").format(name))
        conn.execute(sql.SQL("SET LOCAL search_path TO {}").format(name))
        conn.execute("CREATE TABLE events AS TABLE public.events")
        conn.execute("CREATE TABLE checkpoints AS TABLE public.checkpoints")
        changed = conn.execute(change).rowcount if change else 0
    if changed != bool(change):
        raise Stop(f"{changed} rows of the copy were changed, not one: {change}")


def _append(url: str, event: dict[str, str]) -> tuple[int, Any]:
    status, _, body = ask_http(url, "POST", "/v1/replay/events", event)
    return status, json.loads(body)


def _replay(
    wanted: dict[str, Any], act: str, *words: str, dsn: str = ""
) -> tuple[int, dict[str, Any]]:
    """Exit code and the one line that the replay prints; a wrong call is nobody's refusal."""
    engine = wanted["components"]["merkle-engine"]
    dsn = dsn or wanted["components"]["ledger-db"]["dsn"]
    argv = [engine["replay"], act, "--key", engine["public-key"], "--dsn", dsn, *words]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1) or not done.stdout:
        raise Stop(f"replay {act}: exit {done.returncode}: {done.stderr.strip()[-300:]}")
    found: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, found


def _one(wanted: dict[str, Any], sql: str, *values: object) -> Any:
    import psycopg

    with psycopg.connect(wanted["components"]["ledger-db"]["dsn"]) as conn:
        return conn.execute(sql, values).fetchone()


ACTS = {
    "remember": remember,
    "compare": compare,
    "refuse": refuse,
    "differ": differ,
    "duplicate": duplicate,
}


if __name__ == "__main__":
    obey(ACTS[sys.argv[1]])
