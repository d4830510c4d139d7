"""The users of one process, from their spawning to the last row."""

from __future__ import annotations

import gc
import json
import os
import signal
from pathlib import Path
from typing import Any

import gevent
import gevent.socket
import locust
from gevent.event import Event
from locust.env import Environment
from locust.runners import STATE_RUNNING

from fireproof.children.priority import raise_priority
from fireproof.children.status import FINISHED, RUNNING
from fireproof.load import locustfile
from fireproof.load.arrival import Arrivals, FromDue, opened
from fireproof.load.minute import Minutes
from fireproof.load.page import READY, Page
from fireproof.load.sheet import Sheet
from fireproof.load.together import forget, until, watch_runner
from fireproof.model.profile import Stage, offsets_ns

_FLUSH_S = 0.25


def send(task: dict[str, Any]) -> int:
    """Users of this process, from their spawning to the last row."""
    page = Page(task["status_fd"])
    classes = locustfile.read(task["locustfile"])
    shares = locustfile.choose(classes, task["scenarios"], task["locustfile"])
    sheet = Sheet(Path(task["stem"]), list(shares))
    minutes = Minutes(page)
    arrivals = Arrivals(shares, sheet, page, timeout_ns=task["timeout_ns"], observe=minutes.observe)
    events = locust.events
    request = FromDue(arrivals.shots)
    request._handlers = events.request._handlers
    events.request = request
    timeout_s = task["timeout_ns"] / 1e9
    attributes = {
        "host": task["target"],
        "network_timeout": timeout_s,
        "connection_timeout": timeout_s,
    }
    made = {
        name: opened(classes[name], name, arrivals, task["headers"], attributes) for name in shares
    }
    environment = Environment(user_classes=list(made.values()), host=task["target"], events=events)
    environment.parsed_options = locustfile.parsed_options(task["options"])
    if task["workers"]:
        runner: Any = environment.create_worker_runner("127.0.0.1", task["port"])
    else:
        runner = environment.create_local_runner()
    environment.events.init.fire(environment=environment, runner=runner, web_ui=None)
    stopping = []

    def stop(*_: object) -> None:
        stopping.append(1)
        arrivals.stop()

    signal.signal(signal.SIGTERM, stop)
    if not task["workers"]:
        environment.events.test_start.fire(environment=environment)
    else:
        until(lambda: runner.state == STATE_RUNNING or stopping, "the master started no users")
    there = runner.user_classes_count
    wanted = _pools(shares, task["users"], max(1, task["workers"]))
    runner.spawn_users(
        {made[name].__name__: max(0, n - there.get(made[name].__name__, 0)) for name, n in wanted}
    )
    total = runner.user_count
    until(lambda: arrivals.idle() >= total or stopping, "a user did not get through on_start")
    page.state = READY
    start_ns = _go()
    gevent.spawn(watch_runner)
    raise_priority()  # only now: the import and a thousand users must not delay the probes
    page.state = RUNNING
    over = Event()
    keeper = gevent.spawn(_keep, over, sheet, environment.stats, minutes)
    gc.collect()
    gc.freeze()
    stages = [Stage(*stage) for stage in task["stages"]]
    arrivals.run(offsets_ns(stages), start_ns, index=task["index"], workers=max(1, task["workers"]))
    arrivals.drain()
    over.set()
    keeper.join()  # a segment half written would come after its rows were gathered
    environment.events.test_stop.fire(environment=environment)
    sheet.close()
    page.rows = sheet.rows
    page.state = FINISHED
    until(lambda: stopping, "", seconds=None)  # the runner reads the rows, then lets us go
    return 0


def _pools(shares: dict[str, int], users: int, workers: int) -> list[tuple[str, int]]:
    """Users of each scenario in one process; each has some, whatever its weight."""
    total = sum(shares.values())
    return [(name, max(2, -(-users * n // (total * workers)))) for name, n in shares.items()]


def _go() -> int:
    """The start of the schedule, once the runner has said it."""
    line = b""
    while not line.endswith(b"\n"):
        gevent.socket.wait_read(0)
        byte = os.read(0, 1)
        if not byte:
            os._exit(2)
        line += byte
    return int(json.loads(line)["start_ns"])


def _keep(over: Event, sheet: Sheet, stats: Any, minutes: Minutes) -> None:
    """Rows to the kernel, full segments to Parquet, Locust's counters short, a word a minute."""
    pool = gevent.get_hub().threadpool  # a segment takes milliseconds that no request may wait for
    beats = 0
    while not over.wait(_FLUSH_S):
        sheet.flush()
        if sheet.full():
            path, columns = sheet.take()
            pool.apply(sheet.write_segment, (path, columns))
            sheet.cut()
        beats += 1
        if beats % 40 == 0:
            forget(stats)
            gc.collect(1)
        minutes.beat()
