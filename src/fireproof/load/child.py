"""A load's own process: ``python -m fireproof.load.child``, its task as JSON on stdin.

Three roles: ``check`` imports the locustfile and says what it holds; ``users`` sends requests,
alone or as one of several workers; ``master`` is Locust's, which counts the workers' users.
Stdin stays open for as long as the runner lives: its second line starts the schedule, its end is
the runner's end. SIGTERM ends the load in order: nothing new comes due, what is in flight gets its
time, rows are written, exit 0.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from fireproof.children.priority import raise_priority

_READY_S = 60.0  # for every user's on_start, a login perhaps
_FLUSH_S = 0.25
_MINUTE_NS = 60 * 10**9
_KEEP_S = 120  # of Locust's own per-second counters, which otherwise grow for hours


def main() -> None:
    """Entry of the process."""
    task = json.loads(_first_line())
    if task.get("die_with_parent"):
        ctypes.CDLL(None).prctl(1, int(signal.SIGKILL), 0, 0, 0)  # PR_SET_PDEATHSIG
    if os.getppid() != task["parent"]:
        sys.exit("the runner is gone already")
    os.chdir(task["project"])
    if task["role"] == "check":
        print(json.dumps(_check(task)), flush=True)
        os._exit(0)
    for signum in (signal.SIGINT, signal.SIGHUP):
        signal.signal(signum, signal.SIG_IGN)  # the runner decides when a load ends
    try:
        code = _master(task) if task["role"] == "master" else _users(task)
    except Exception as error:
        print(f"load {task['name']}: {error}", file=sys.stderr, flush=True)
        code = 1
    os._exit(code)


def _first_line() -> bytes:
    """The task; byte by byte, for what follows it must stay in the pipe."""
    line = b""
    while not line.endswith(b"\n") and (byte := os.read(0, 1)):
        line += byte
    return line


def _check(task: dict[str, Any]) -> dict[str, Any]:
    real, sys.stdout = sys.stdout, sys.stderr  # a locustfile that prints
    try:
        from fireproof.load import locustfile

        classes = locustfile.read(task["locustfile"])
        locustfile.choose(classes, task["scenarios"], task["locustfile"])
        try:
            locustfile.parsed_options(task["options"])
        except (ValueError, SystemExit) as error:
            raise locustfile.Unusable(f"{error}", task["locustfile"]) from None
    except Exception as error:
        place = {"file": getattr(error, "file", ""), "line": getattr(error, "line", 1)}
        return place | {"error": getattr(error, "text", f"{type(error).__name__}: {error}")}
    finally:
        sys.stdout = real
    return {"scenarios": sorted(classes)}


def _master(task: dict[str, Any]) -> int:
    """Locust's master: it hands out the users and adds up their statistics."""
    import gevent
    from locust.env import Environment

    from fireproof.load import locustfile

    classes = locustfile.read(task["locustfile"])
    shares = locustfile.choose(classes, task["scenarios"], task["locustfile"])
    environment = Environment(
        user_classes=[classes[name] for name in shares], host=task["target"], events=_events()
    )
    environment.parsed_options = locustfile.parsed_options(task["options"])
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda *_: stopping.append(1))
    runner = environment.create_master_runner("127.0.0.1", task["port"])
    environment.events.init.fire(environment=environment, runner=runner, web_ui=None)
    gevent.spawn(_watch_runner)
    give_up = time.monotonic() + _READY_S
    while len(runner.clients.ready) < task["workers"]:
        if time.monotonic() > give_up:
            raise TimeoutError(f"only {len(runner.clients.ready)} of {task['workers']} workers")
        gevent.sleep(0.02)
    few = task["workers"] * len(shares)  # one of each; a worker spawns the rest by itself
    runner.start(few, spawn_rate=few)
    from fireproof.load.page import READY, Page

    Page(task["status_fd"]).state = READY
    while not stopping:
        gevent.sleep(0.05)
        _forget(environment.stats)
    return 0


def _events() -> Any:
    """Locust's hooks, those that the locustfile has listened to included."""
    import locust

    return locust.events


def _users(task: dict[str, Any]) -> int:
    """Users of this process, from their spawning to the last row."""
    import gevent
    from gevent import threadpool  # noqa: F401 - real threads, for writing segments
    from locust.env import Environment
    from locust.runners import STATE_RUNNING

    from fireproof.children.status import FINISHED, RUNNING
    from fireproof.load import locustfile
    from fireproof.load.arrival import Arrivals, FromDue, opened
    from fireproof.load.minute import Minutes
    from fireproof.load.page import READY, Page
    from fireproof.load.sheet import Sheet
    from fireproof.model.profile import Stage, offsets_ns

    page = Page(task["status_fd"])
    classes = locustfile.read(task["locustfile"])
    shares = locustfile.choose(classes, task["scenarios"], task["locustfile"])
    sheet = Sheet(Path(task["stem"]), list(shares))
    minutes = Minutes(page)
    arrivals = Arrivals(shares, sheet, page, timeout_ns=task["timeout_ns"], observe=minutes.observe)
    events = _events()
    request = FromDue(arrivals.shots)
    request._handlers = events.request._handlers
    events.request = request
    timeout_s = task["timeout_ns"] / 1e9
    attributes = {
        "host": task["target"],
        "default_headers": task["headers"],
        "network_timeout": timeout_s,
        "connection_timeout": timeout_s,
    }
    made = {name: opened(classes[name], name, arrivals, attributes) for name in shares}
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
        _until(lambda: runner.state == STATE_RUNNING or stopping, "the master started no users")
    there = runner.user_classes_count
    wanted = _pools(shares, task["users"], max(1, task["workers"]))
    runner.spawn_users(
        {made[name].__name__: max(0, n - there.get(made[name].__name__, 0)) for name, n in wanted}
    )
    total = runner.user_count
    _until(lambda: arrivals.idle() >= total or stopping, "a user did not get through on_start")
    page.state = READY
    start_ns = _go()
    gevent.spawn(_watch_runner)
    raise_priority()  # only now: the import and a thousand users must not delay the probes
    page.state = RUNNING
    keeper = gevent.spawn(_keep, sheet, environment.stats, minutes)
    gc.collect()
    gc.freeze()
    stages = [Stage(*stage) for stage in task["stages"]]
    arrivals.run(offsets_ns(stages), start_ns, index=task["index"], workers=max(1, task["workers"]))
    arrivals.drain()
    keeper.kill()
    environment.events.test_stop.fire(environment=environment)
    sheet.close()
    page.rows = sheet.rows
    page.state = FINISHED
    _until(lambda: stopping, "", seconds=None)  # the runner reads the rows, then lets us go
    return 0


def _pools(shares: dict[str, int], users: int, workers: int) -> list[tuple[str, int]]:
    """Users of each scenario in one process; each has some, whatever its weight."""
    total = sum(shares.values())
    return [(name, max(2, -(-users * n // (total * workers)))) for name, n in shares.items()]


def _until(true: Any, why: str, seconds: float | None = _READY_S) -> None:
    import gevent

    give_up = None if seconds is None else time.monotonic() + seconds
    while not true():
        if give_up is not None and time.monotonic() > give_up:
            raise TimeoutError(why)
        gevent.sleep(0.005 if seconds else 0.05)


def _go() -> int:
    """The start of the schedule, once the runner has said it."""
    import gevent.socket

    line = b""
    while not line.endswith(b"\n"):
        gevent.socket.wait_read(0)
        byte = os.read(0, 1)
        if not byte:
            os._exit(2)
        line += byte
    return int(json.loads(line)["start_ns"])


def _watch_runner() -> None:
    """Stdin has nothing more to say; its end is the runner's."""
    import gevent.socket

    while True:
        gevent.socket.wait_read(0)
        if not os.read(0, 4096):
            os._exit(2)  # rows up to the last flush are with the kernel


def _keep(sheet: Any, stats: Any, minutes: Any) -> None:
    """Rows to the kernel, full segments to Parquet, Locust's counters short, a word a minute."""
    import gevent

    pool = gevent.get_hub().threadpool  # a segment takes milliseconds that no request may wait for
    beats = 0
    while True:
        gevent.sleep(_FLUSH_S)
        sheet.flush()
        if sheet.full():
            path, columns = sheet.take()
            pool.apply(sheet.write_segment, (path, columns))
            sheet.cut()
        beats += 1
        if beats % 40 == 0:
            _forget(stats)
            gc.collect(1)
        minutes.beat()


def _forget(stats: Any) -> None:
    """Locust keeps a counter for every second of a run; nobody of ours reads the old ones."""
    horizon = int(time.time()) - _KEEP_S
    for entry in (*stats.entries.values(), stats.total):
        for counters in (entry.num_reqs_per_sec, entry.num_fail_per_sec):
            for second in [second for second in counters if second < horizon]:
                del counters[second]


if __name__ == "__main__":
    main()
