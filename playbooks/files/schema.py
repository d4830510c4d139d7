"""The database's schema, one act a call: up, down, is-trunk."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from archive import Checks, obey, run


def up(wanted: dict[str, Any], checks: Checks) -> None:
    """To the revision that ``to`` names."""
    before = _migrate(wanted, "show")
    moved = _migrate(wanted, "up", "--to", wanted["to"])
    after = _migrate(wanted, "show")
    _tell(checks, moved)
    ok = after["revision"] == wanted["to"] and after["digest"] != before["digest"]
    checks.must("schema-up", ok, wanted["to"], after["revision"])
    # For whoever compares after the way back.
    (Path(wanted["outputs"]) / "schema-before.json").write_text(json.dumps(before), "utf-8")
    checks.save(before["digest"])


def down(wanted: dict[str, Any], checks: Checks) -> None:
    """To the newest of the trunk; nothing when it is there."""
    if _on_trunk(_migrate(wanted, "show")["revision"]):
        return
    moved = _migrate(wanted, "down")
    _tell(checks, moved)
    lost = ", ".join(f"{count} values of {name}" for name, count in moved["lost"].items())
    expected = "what only the newer schema holds is counted"
    checks.add("declared-lost", bool(lost), expected, lost or "nothing named")
    after = _migrate(wanted, "show")
    checks.must("schema-down", _on_trunk(after["revision"]), "the trunk", after["revision"])
    checks.save(after["digest"])


def is_trunk(wanted: dict[str, Any], checks: Checks) -> None:
    """Changes nothing; stops when the schema is another."""
    seen = _migrate(wanted, "show")["revision"]
    checks.must("schema-is-trunk", _on_trunk(seen), "the trunk", str(seen))


def _on_trunk(revision: str | None) -> bool:
    return str(revision)[:1].isdigit()  # names of the trunk begin with a number


def _tell(checks: Checks, moved: dict[str, Any]) -> None:
    words = f"{moved['held_ms']} ms at the most, after {moved['tries']} tries"
    checks.add("lock-time", moved["held_ms"] < 1000, "others wait less than 1000 ms", words)


def _migrate(wanted: dict[str, Any], *words: str) -> dict[str, Any]:
    migrate = wanted["components"]["ledger-db"]["migrate"]
    found: dict[str, Any] = json.loads(run([migrate, *words], f"migrate {words[0]}"))
    return found


ACTS = {"up": up, "down": down, "is-trunk": is_trunk}


if __name__ == "__main__":
    obey(ACTS[sys.argv[1]])
