"""From now on a write is acknowledged only when a second place has flushed it too."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from archive import Checks, Stop, obey, run

STREAMS_WITHIN_S = 30.0
_NAME = "wal-receiver"


def turn_on(wanted: dict[str, Any], checks: Checks) -> None:
    """Receiver, slot, setting, in this order: the other way round nothing could commit."""
    sql, receiver = _sql(wanted), wanted["receiver"]
    turn_off(wanted, checks)  # of an earlier source; without its receiver the server would wait
    for path in Path(receiver["directory"]).iterdir():
        path.unlink()  # whose timeline may have been left
    sql(f"SELECT pg_create_physical_replication_slot('{receiver['slot']}', true)")
    run([wanted["database"]["ctl"], "start", _NAME], "starting the receiver")
    state = f"SELECT state FROM pg_stat_replication WHERE application_name = '{_NAME}'"  # noqa: S608
    wait(lambda: sql(state), "streaming")
    sql(f"""ALTER SYSTEM SET synchronous_standby_names = '"{_NAME}"'""")
    sql("SELECT pg_reload_conf()")
    seen = wait(lambda: sql(state.replace("state", "sync_state", 1)), "sync")
    checks.add("synchronous", seen == "sync", "the receiver is the synchronous standby", seen)


def turn_off(wanted: dict[str, Any], _: Checks) -> None:
    """Setting, receiver, slot, in this order: nothing ever waits for who is gone."""
    sql = _sql(wanted)
    sql("ALTER SYSTEM RESET synchronous_standby_names")
    sql("SELECT pg_reload_conf()")
    run([wanted["database"]["ctl"], "stop", _NAME], "stopping the receiver")
    where = f"FROM pg_replication_slots WHERE slot_name = '{wanted['receiver']['slot']}'"
    wait(lambda: sql(f"SELECT count(*) {where} AND active"), "0")
    sql(f"SELECT pg_drop_replication_slot(slot_name) {where}")


def look(wanted: dict[str, Any], checks: Checks) -> None:
    """Changes nothing; stops when the receiver is waited for, or WAL is kept for it."""
    sql = _sql(wanted)
    waits = sql("SHOW synchronous_standby_names") or "nobody"
    slot = wanted["receiver"]["slot"]
    kept = sql(f"SELECT count(*) FROM pg_replication_slots WHERE slot_name = '{slot}'")  # noqa: S608
    seen = f"writes wait for {waits}, {kept} slots"
    checks.must("not-synchronous", seen == "writes wait for nobody, 0 slots", "neither", seen)


def _sql(wanted: dict[str, Any]) -> Callable[[str], str]:
    database = wanted["database"]
    psql = [str(Path(database["bin"]) / "psql"), "-XAtq", "-v", "ON_ERROR_STOP=1"]
    return lambda text: run([*psql, database["admin-dsn"], "-c", text], "psql").strip()


def wait(ask_it: Any, wanted: str) -> str:
    """Until it says so."""
    give_up_at = time.monotonic() + STREAMS_WITHIN_S
    while (seen := str(ask_it())) != wanted:
        if time.monotonic() > give_up_at:
            raise Stop(f"the receiver: expected {wanted}, got {seen or 'no connection'}")
        time.sleep(0.1)
    return seen


ACTS = {"turn-on": turn_on, "turn-off": turn_off, "look": look}


if __name__ == "__main__":
    obey(lambda wanted, checks: ACTS[wanted["act"]](wanted, checks))
