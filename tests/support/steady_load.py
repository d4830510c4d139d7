"""Clients that keep their connections and never try again: every lost request is seen."""

from __future__ import annotations

import collections
import contextlib
import http.client
import itertools
import json
import threading
import time
import urllib.parse
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class Load:
    """What the clients saw; complete once the block is left."""

    answers: collections.Counter[tuple[int, str, str]] = field(default_factory=collections.Counter)
    lost: list[str] = field(default_factory=list)  # no answer at all: the connection's own words
    longest_s: float = 0.0

    @property
    def count(self) -> int:
        """Requests sent."""
        return self.answers.total() + len(self.lost)

    @property
    def failed(self) -> int:
        """Lost ones, and answers that are no success."""
        return len(self.lost) + sum(n for key, n in self.answers.items() if key[0] >= 400)

    def of(self, instance: str) -> int:
        """Answers that this replica gave."""
        return sum(n for key, n in self.answers.items() if key[2] == instance)


@contextlib.contextmanager
def steady_load(url: str, clients: int = 8, pause_s: float = 0.005) -> Iterator[Load]:
    """Writes and reads in turn, from so many clients, for as long as the block lasts."""
    load, lock, over = Load(), threading.Lock(), threading.Event()
    place = urllib.parse.urlsplit(url).netloc

    def client() -> None:
        line = http.client.HTTPConnection(place, timeout=10)
        seq = 1
        for turn in itertools.count():
            if over.wait(pause_s):
                break
            began = time.monotonic()
            try:
                if turn % 2 == 0:
                    event = json.dumps({"key": uuid.uuid4().hex, "body": "x"})
                    line.request("POST", "/v1/load/events", event)
                else:
                    line.request("GET", f"/v1/load/events/{seq}")
                answer = line.getresponse()
                content = answer.read()
                if answer.status == 201:
                    seq = json.loads(content)["seq"]
                version = answer.headers.get("x-ledger-version", "")
                key = (answer.status, version, answer.headers.get("x-ledger-instance", ""))
                with lock:
                    load.answers[key] += 1
            except (OSError, http.client.HTTPException) as err:
                with lock:
                    load.lost.append(repr(err))
                line.close()
            with lock:
                load.longest_s = max(load.longest_s, time.monotonic() - began)
        line.close()

    threads = [threading.Thread(target=client, daemon=True) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        over.set()
        for thread in threads:
            thread.join(15)
