"""Notices while providers fail: who was tried, in which order, and who delivered how often."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from archive import Checks, Stop, obey, run
from deployment import ask_http

CHAIN = ("notify-1", "notify-2", "notify-3")
LIMIT_S = 5.0  # for one notice, with two providers failing in front of the one that takes it
CAME_ROUND_WITHIN_S = 5.0
_CALLS = re.compile(r'^ledger_breaker_calls_total\{dependency="(\S+)",outcome="(\S+)"\} (\S+)$')


def send(wanted: dict[str, Any], checks: Checks) -> None:
    """Facts of notices sent while the first provider is dead and the second stands still."""
    before, found = _calls(wanted), []
    for number in range(int(wanted["notices"])):
        notice, began = f"{wanted['run']}-{number}", time.monotonic()
        status, said = _notice(wanted, notice)
        took_s = round(time.monotonic() - began, 3)
        found.append({"id": notice, "status": status, "took_s": took_s, **said})
    after = _calls(wanted)
    failed = {name: after[name]["failed"] - before[name]["failed"] for name in CHAIN}
    checks.save(json.dumps({"notices": found, "failed": failed}))


def mend(wanted: dict[str, Any], _: Checks) -> None:
    """What the on-call does: start the dead one, continue the one that stands still."""
    _start(wanted, "notify-1", "ok")
    pid = int(Path(wanted["components"]["notify-2"]["control"]["pid-file"]).read_text().split()[0])
    os.kill(pid, signal.SIGCONT)


def judge(wanted: dict[str, Any], checks: Checks) -> None:
    """The facts, and what every provider has on record by now."""
    facts = wanted["facts"]
    facts = json.loads(facts) if isinstance(facts, str) else facts
    notices = facts["notices"]
    count = len(notices)
    _wait_for_the_late_one(wanted, notices[-1]["id"])
    delivered = {name: _delivered(wanted, name, notices) for name in CHAIN}
    seen = ", ".join(f"{name}: {number}" for name, number in delivered.items())
    good = list(delivered.values()) == [0, 0, count]
    checks.add("third-delivers-each-once", good, f"0, 0 and {count} deliveries", seen)
    taken = sum(notice["status"] == 201 for notice in notices)
    checks.add("sender-told-so", taken == count, f"{count} answers 201", f"{taken} answers 201")
    slowest = max(notice["took_s"] for notice in notices)
    checks.add("taken-in-time", slowest <= LIMIT_S, f"at most {LIMIT_S:g} s", f"{slowest:g} s")
    for name, kind in (("notify-1", "lost-connection"), ("notify-2", "timeout")):
        number = facts["failed"][name]
        asked = any(name == one["provider"] for each in notices for one in each["tried"])
        counted = number > 0 if asked else None
        checks.add(f"counts-{kind}", counted, f"{kind}: counted", f"{number:.0f} counted")


def order(wanted: dict[str, Any], checks: Checks) -> None:
    """All well: one delivery. Then 500, 400, taken: three clocks of one machine tell the order."""
    calm, rough = f"{wanted['run']}-calm", f"{wanted['run']}-rough"
    _notice(wanted, calm)
    number = sum(_delivered(wanted, name, [{"id": calm}]) for name in CHAIN)
    checks.add("one-delivery-when-all-is-well", number == 1, "1 delivery", f"{number}")
    try:
        _start(wanted, "notify-1", "500")
        _start(wanted, "notify-2", "400")
        before = _calls(wanted)
        _notice(wanted, rough)
        after = _calls(wanted)
    finally:
        answer(wanted, checks)
    asked = [(_asked(wanted, name, rough), name) for name in CHAIN]
    told = sorted((entries[0]["at_ns"], name) for entries, name in asked if entries)
    names = [name for _, name in told]
    good = names == list(CHAIN) if len(names) == len(CHAIN) or names[:1] != [CHAIN[0]] else None
    checks.add("tried-in-order", good, ", ".join(CHAIN), ", ".join(names))
    for name, kind, counted in (("notify-1", "500", 1), ("notify-2", "400", 0)):
        failed = after[name]["failed"] - before[name]["failed"]
        reached = failed + after[name]["good"] - before[name]["good"]
        good = failed == counted if reached else None
        does = "counts" if counted else "does-not-count"
        checks.add(f"{does}-{kind}", good, f"{counted} counted", f"{failed:.0f} counted")


def answer(wanted: dict[str, Any], _: Checks) -> None:
    """Those that were made to refuse answer again; safe to be said again."""
    for name in CHAIN[:2]:
        _start(wanted, name, "ok")


def is_calm(wanted: dict[str, Any], checks: Checks) -> None:
    """Changes nothing; stops when one of them does not run, or was started to refuse."""
    argv = [wanted["components"][CHAIN[0]]["ctl"], "status"]
    servers = json.loads(run(argv, "asking the supervisor"))
    seen = {name: servers[name]["pid"] and servers[name]["params"]["answer"] for name in CHAIN}
    words = ", ".join(f"{name}: {answer or 'not running'}" for name, answer in seen.items())
    checks.must("providers-answer", set(seen.values()) == {"ok"}, "ok from each", words)


# -- parts


def _notice(wanted: dict[str, Any], notice: str) -> tuple[int, dict[str, Any]]:
    url = wanted["components"]["ledger-notices"]["url"]
    content = {"id": notice, "text": "the restore is done"}
    status, _, body = ask_http(url, "POST", "/v1/drill/notices", content)
    return status, json.loads(body)


def _asked(wanted: dict[str, Any], name: str, notice: str) -> list[dict[str, Any]]:
    _, _, body = ask_http(wanted["components"][name]["url"], "GET", "/deliveries")
    return [one for one in json.loads(body)["asked"] if one["id"] == f"drill.{notice}"]


def _delivered(wanted: dict[str, Any], name: str, notices: list[dict[str, Any]]) -> int:
    asked = (one for notice in notices for one in _asked(wanted, name, notice["id"]))
    return sum(one["outcome"] == "delivered" for one in asked)


def _wait_for_the_late_one(wanted: dict[str, Any], notice: str) -> None:
    """What stood in the stopped provider's socket is answered now; that must not be missed."""
    give_up_at = time.monotonic() + CAME_ROUND_WITHIN_S
    while not _asked(wanted, "notify-2", notice) and time.monotonic() < give_up_at:
        time.sleep(0.05)


def _calls(wanted: dict[str, Any]) -> dict[str, dict[str, float]]:
    _, _, text = ask_http(wanted["components"]["ledger-notices"]["url"], "GET", "/metrics")
    found: dict[str, dict[str, float]] = {name: {} for name in CHAIN}
    for line in text.splitlines():
        if one := _CALLS.match(line):
            found.setdefault(one[1], {})[one[2]] = float(one[3])
    return found


def _start(wanted: dict[str, Any], name: str, answer: str) -> None:
    argv = [wanted["components"][name]["ctl"], "start", name, f"answer={answer}"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Stop(f"{name} does not start: {done.stderr.strip()[:200]}")


ACTS = {
    "send": send,
    "mend": mend,
    "judge": judge,
    "order": order,
    "calm": answer,
    "is-calm": is_calm,
}


if __name__ == "__main__":
    obey(ACTS[sys.argv[1]])
