"""More requests at once than there are connections: how each is answered."""

from __future__ import annotations

import collections
import concurrent.futures
import json
import sys
import time
import uuid
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from archive import Checks, Stop, obey
from deployment import TENANT, ask_http

SIZE = 10  # connections that ledger-api may have
AT_ONCE, ROUNDS = 40, 5
ANSWERED_WITHIN_S = 4.0
CODES = ("pool-exhausted", "database-unavailable")


def fill(wanted: dict[str, Any], checks: Checks) -> None:
    """Rounds of requests until every connection that may be is there."""
    url = wanted["components"]["ledger-api"]["url"]
    size = 0.0
    for _ in range(ROUNDS):
        _ask_at_once(url)
        _, _, page = ask_http(url, "GET", "/metrics")
        size = _gauge(page, "ledger_pool_size")
        if size >= SIZE:
            break
    checks.must("pool-is-full-size", size >= SIZE, f"{SIZE} connections", f"{size:g}")


def saturate(wanted: dict[str, Any], checks: Checks) -> None:
    """Twice 40 at once while the database does not answer: bounded waits, words that are clear."""
    url = wanted["components"]["ledger-api"]["url"]
    answers = [*_ask_at_once(url), *_ask_at_once(url)]
    longest = max(took for _, _, _, took in answers)
    expected = f"each of {len(answers)} answered within {ANSWERED_WITHIN_S:g} s"
    in_time = longest < ANSWERED_WITHIN_S and all(status for status, *_ in answers)
    checks.add("answered-in-time", in_time, expected, f"the longest took {longest:.2f} s")
    codes = collections.Counter(code for _, code, _, _ in answers)
    clear = all(
        status == 503 and code in CODES and headers.get("retry-after")
        for status, code, headers, _ in answers
    )
    words = ", ".join(f"{count} {code}" for code, count in sorted(codes.items()))
    expected = "503 with retry-after and a code, pool-exhausted among them"
    checks.add("refusals-are-clear", clear and codes["pool-exhausted"] > 0, expected, words)


def _ask_at_once(url: str) -> list[tuple[int, str, dict[str, str], float]]:
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(_write, [url] * AT_ONCE))


def _write(url: str) -> tuple[int, str, dict[str, str], float]:
    """Status, code, headers, seconds; status 0 when there was no answer."""
    event = {"key": uuid.uuid4().hex, "body": "x"}
    began = time.monotonic()
    try:
        status, headers, text = ask_http(url, "POST", f"/v1/{TENANT}/events", event)
        code = "" if status == 201 else str(json.loads(text).get("code", "no code"))
    except (Stop, ValueError):
        status, headers, code = 0, {}, "no answer"
    return status, code, headers, time.monotonic() - began


def _gauge(page: str, name: str) -> float:
    lines = [line.split() for line in page.splitlines() if line.startswith(f"{name} ")]
    if not lines:
        raise Stop(f"there is no {name} in /metrics")
    return float(lines[0][1])


ACTS = {"fill": fill, "saturate": saturate}


if __name__ == "__main__":
    obey(ACTS[sys.argv[1]])
