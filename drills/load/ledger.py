"""What clients do to the ledger: four scenarios for ``load:`` in a drill.

Plain Locust classes; the drill says how often each comes due, and against which address. The
tenant is an option of the file: ``options: {tenant: load}``.
"""

from __future__ import annotations

import collections
import hashlib
import itertools
import random
import uuid
from typing import Any

from locust import FastHttpUser, events, task

KEPT = 1000  # events that a process remembers to read again
RUN = uuid.uuid4().hex  # keys of one process never meet those of another

numbers = itertools.count()
appended: collections.deque[tuple[int, str, str]] = collections.deque(maxlen=KEPT)


@events.init_command_line_parser.add_listener
def _(parser: Any) -> None:
    parser.add_argument("--tenant", default="load", help="whose events these are")


def body_of(key: str) -> str:
    """Different for each key, and known from it."""
    return hashlib.sha256(key.encode()).hexdigest()


class Client(FastHttpUser):
    """Shared by the scenarios; no scenario itself."""

    abstract = True

    @property
    def events_url(self) -> str:
        return f"/v1/{self.environment.parsed_options.tenant}/events"

    def append(self) -> tuple[int, str, str] | None:
        """A new event: its number, key and digest as acknowledged."""
        key = f"load-{RUN}-{next(numbers)}"
        event = {"key": key, "body": body_of(key)}
        with self.client.post(
            self.events_url, json=event, name="append", catch_response=True
        ) as answer:
            if answer.status_code != 201:
                answer.failure(f"status {answer.status_code}")
                return None
            told = answer.json()
            appended.append((told["seq"], key, told["digest"]))
            return appended[-1]

    def read_back(self, seq: int, key: str, digest: str) -> None:
        """The event is as it was sent and as it was acknowledged."""
        with self.client.get(
            f"{self.events_url}/{seq}", name="read back", catch_response=True
        ) as answer:
            if answer.status_code != 200:
                answer.failure(f"status {answer.status_code}")
                return
            event = answer.json()
            if (event["key"], event["body"]) != (key, body_of(key)):
                answer.failure(f"event {seq} is not what was sent")
            elif event["digest"] != digest:
                answer.failure(f"event {seq} has another digest than was acknowledged")


class Encode(Client):
    """Append an event."""

    @task
    def write(self) -> None:
        self.append()


class Verify(Client):
    """Read an event back and check its digest; the first of a process is its own."""

    @task
    def check(self) -> None:
        # Its own copy: another process of this load knows other events.
        known = random.choice(appended) if appended else self.append()  # noqa: S311 - any will do
        if known is not None:
            self.read_back(*known)


class Mixed(Client):
    """Append, then read the same event at once: a client that checks its own write."""

    @task
    def write_and_read(self) -> None:
        known = self.append()
        if known is not None:
            self.read_back(*known)


class ErrorInjection(Client):
    """What no client should send; a refusal with 4xx is the good answer, anything else is not."""

    wrong = (
        {"json": {"key": "no body"}},
        {"json": {"key": "", "body": "an empty key"}},
        {"json": ["not", "an", "object"]},
        {"data": "not JSON", "headers": {"Content-Type": "application/json"}},
        {"json": {"key": "too-long-" + "k" * 300, "body": ""}},
    )

    @task
    def send_nonsense(self) -> None:
        what: dict[str, Any] = dict(random.choice(self.wrong))  # noqa: S311 - any will do
        with self.client.post(
            self.events_url, name="nonsense", catch_response=True, **what
        ) as answer:
            if 400 <= answer.status_code < 500:
                answer.success()
            else:
                answer.failure(f"nonsense was answered with {answer.status_code}")
