"""How a client of a dead dependency tries again, seen from the dependency's own port.

While the engine is dead its port is free: whoever listens there sees each attempt when it comes.
"""

from __future__ import annotations

import itertools
import re
import socket
import statistics
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from archive import Checks
from beside import Beside

ATTEMPTS = 3  # LEDGER_RETRY_ATTEMPTS of the lab's ledgers
PAUSES_S = ((0.025, 0.05), (0.05, 0.1))  # half to all of 50 ms, then of 100 ms
LATE_S = 0.05  # how late the machine may be, in the median
CLOCK_S = 0.001  # a pause may end this much early
SPREAD_S = 0.005  # median above the least; without jitter a busy machine adds one or two
REQUESTS = 20  # half of them within 5 of 50 ms by chance: once in 100,000 runs
_WAIT_S = 2.0
_SECOND_PAUSE = re.compile(r"attempt 2 failed: .*; next in (\d+) ms")
_HEALTHY = b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"


class Listener(Beside):
    """At the dead engine's port. Hangs up, as the dead do, or answers 404 as a healthy one may."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.is_healthy = False
        self._at_s: list[float] = []
        self._door = socket.create_server(("127.0.0.1", port))
        self._door.settimeout(0.05)

    def taken(self) -> list[float]:
        """When the attempts since the last call came."""
        found, self._at_s = self._at_s, []
        return found

    def work(self) -> None:
        """Takes whoever comes, one after the other."""
        with self._door:
            while not self.over.is_set():
                try:
                    line, _ = self._door.accept()
                except TimeoutError:
                    continue
                with line:
                    line.settimeout(_WAIT_S)
                    try:
                        self._answer(line)
                    except OSError:
                        continue

    def _answer(self, line: socket.socket) -> None:
        request = b""
        while b"\r\n\r\n" not in request:
            part = line.recv(4096)
            if not part:
                return
            request += part
        self._at_s.append(time.monotonic())
        if self.is_healthy:
            line.sendall(_HEALTHY)


def watch_retries(port: int, ask: Any, is_closed: Any) -> list[dict[str, Any]]:
    """Attempts and the gaps between them, for each of ``REQUESTS`` requests that fail.

    Args:
        port: of the dead engine.
        ask: one request of a client; the answer's status.
        is_closed: whether the breaker lets everybody through.
    """
    found = []
    with Listener(port) as listener:
        listener.is_healthy = True
        give_up_at = time.monotonic() + _WAIT_S
        while not is_closed():
            if time.monotonic() > give_up_at:  # open for good: nobody is asked, nothing is seen
                return []
            ask()
            time.sleep(0.05)
        for _ in range(REQUESTS):
            listener.is_healthy = False
            listener.taken()
            status = ask()
            at_s = listener.taken()
            gaps = [round(after - before, 4) for before, after in itertools.pairwise(at_s)]
            found.append({"status": status, "attempts": len(at_s), "gaps_s": gaps})
            listener.is_healthy = True
            ask()  # one good answer, so that the failures in a row do not open the breaker
    return found


def judge_retries(facts: list[dict[str, Any]], lines: list[str], checks: Checks) -> None:
    """What was seen against the stated policy. Requests that an open breaker refused ask nobody.

    Args:
        facts: of ``watch_retries``.
        lines: of the client's log, which names each pause.
        checks: where the comparisons go.
    """
    asked = [one for one in facts if one["attempts"]]
    seen = bool(asked)  # without attempts nothing was shown, good or bad
    total = sum(one["attempts"] for one in asked)
    most = max((one["attempts"] for one in asked), default=0)
    checks.add(
        "attempts-bounded",
        most == ATTEMPTS if seen else None,
        f"{ATTEMPTS} attempts for one request, at most",
        f"{most} at most; {total} for {len(asked)} requests",
    )
    firsts, seconds = (
        [one["gaps_s"][place] for one in asked if len(one["gaps_s"]) > place] for place in (0, 1)
    )
    fits = [_fits(gaps, *bounds) for gaps, bounds in zip((firsts, seconds), PAUSES_S, strict=True)]
    wanted = " then ".join(f"{low * 1000:g} to {high * 1000:g} ms" for low, high in PAUSES_S)
    checks.add(
        "gaps-back-off",
        all(fits) if seen else None,
        f"{wanted}, late by {LATE_S * 1000:g} ms at most in the median",
        f"{_words(firsts)} then {_words(seconds)}",
    )
    spread_s = statistics.median(seconds) - min(seconds) if seconds else 0.0
    # A machine that is busy enough makes equal pauses differ; those that were meant do not.
    meant = [int(found[1]) for line in lines if (found := _SECOND_PAUSE.search(line))]
    meant_s = (max(meant) - min(meant)) / 1000 if meant else 0.0
    checks.add(
        "gaps-vary",
        spread_s >= SPREAD_S and meant_s >= 2 * SPREAD_S if seen else None,
        f"second gaps {SPREAD_S * 1000:g} ms or more above the least in the median, "
        f"meant to be {2 * SPREAD_S * 1000:g} ms or more apart",
        f"{spread_s * 1000:.1f} ms, meant to be {meant_s * 1000:.0f} ms apart",
    )


def _fits(gaps: list[float], low: float, high: float) -> bool:
    if not gaps:
        return False
    return min(gaps) >= low - CLOCK_S and statistics.median(gaps) <= high + LATE_S


def _words(gaps: list[float]) -> str:
    if not gaps:
        return "none"
    low, middle, high = min(gaps), statistics.median(gaps), max(gaps)
    return f"{low * 1000:.0f} to {high * 1000:.0f} ms (median {middle * 1000:.0f})"
