"""From now on a write is acknowledged only when a second place has flushed it too."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from archive import Checks, Stop, obey, run

STREAMS_WITHIN_S = 30.0
_NAME = "wal-receiver"


def turn_on(wanted: dict[str, Any], checks: Checks) -> None:
    """Receiver, slot, setting, in this order: the other way round nothing could commit."""
    database, receiver = wanted["database"], wanted["receiver"]
    psql = [str(Path(database["bin"]) / "psql"), "-XAtq", "-v", "ON_ERROR_STOP=1"]

    def sql(text: str) -> str:
        return run([*psql, database["admin-dsn"], "-c", text], "psql").strip()

    # Reset first: without its receiver the server would wait with this very command.
    sql("ALTER SYSTEM RESET synchronous_standby_names")
    sql("SELECT pg_reload_conf()")
    run([database["ctl"], "stop", _NAME], "stopping an earlier receiver")
    for path in Path(receiver["directory"]).iterdir():
        path.unlink()  # of an earlier source, whose timeline may have been left
    slot = receiver["slot"]
    sql(
        "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots "  # noqa: S608 - our names
        f"WHERE slot_name = '{slot}'"
    )
    sql(f"SELECT pg_create_physical_replication_slot('{slot}', true)")
    run([database["ctl"], "start", _NAME], "starting the receiver")
    state = f"SELECT state FROM pg_stat_replication WHERE application_name = '{_NAME}'"  # noqa: S608
    wait(lambda: sql(state), "streaming")
    sql(f"""ALTER SYSTEM SET synchronous_standby_names = '"{_NAME}"'""")
    sql("SELECT pg_reload_conf()")
    seen = wait(lambda: sql(state.replace("state", "sync_state", 1)), "sync")
    checks.add("synchronous", True, "the receiver is the synchronous standby", seen)


def wait(ask_it: Any, wanted: str) -> str:
    """Until it says so."""
    give_up_at = time.monotonic() + STREAMS_WITHIN_S
    while (seen := str(ask_it())) != wanted:
        if time.monotonic() > give_up_at:
            raise Stop(f"the receiver: expected {wanted}, got {seen or 'no connection'}")
        time.sleep(0.1)
    return seen


if __name__ == "__main__":
    obey(turn_on)
