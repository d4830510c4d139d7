"""Locust's master: it counts the workers' users and adds up their statistics."""

from __future__ import annotations

import signal
from typing import Any

import gevent
import locust
from locust.env import Environment

from fireproof.load import locustfile
from fireproof.load.page import READY, Page
from fireproof.load.together import forget, until, watch_runner


def lead(task: dict[str, Any]) -> int:
    """Until SIGTERM; the users of a task are spawned by its workers."""
    classes = locustfile.read(task["locustfile"])
    shares = locustfile.choose(classes, task["scenarios"], task["locustfile"])
    environment = Environment(
        user_classes=[classes[name] for name in shares], host=task["target"], events=locust.events
    )
    environment.parsed_options = locustfile.parsed_options(task["options"])
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda *_: stopping.append(1))
    runner = environment.create_master_runner("127.0.0.1", task["port"])
    environment.events.init.fire(environment=environment, runner=runner, web_ui=None)
    gevent.spawn(watch_runner)
    until(lambda: len(runner.clients.ready) >= task["workers"], "a worker did not report")
    few = task["workers"] * len(shares)  # one of each; a worker spawns the rest by itself
    runner.start(few, spawn_rate=few)
    Page(task["status_fd"]).state = READY
    while not stopping:
        gevent.sleep(0.05)
        forget(environment.stats)
    return 0
