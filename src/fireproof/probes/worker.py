"""The probe's own process: ``python -m fireproof.probes.worker``, its task as JSON on stdin.

Stdin stays open for as long as the runner lives; its end is the runner's end. SIGTERM ends the
probe in order: nothing new is asked, what is in flight gets its time, rows are written, exit 0.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import json
import os
import signal
import ssl
import sys
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fireproof.children.priority import raise_priority
from fireproof.children.status import FINISHED, RUNNING, Status
from fireproof.model.rule import Watched, parse_expression
from fireproof.probes.alerts.watch import AlertWatch, Page
from fireproof.probes.attempt import HttpAttempt, StartAttempt, Target
from fireproof.probes.observer import (
    Address,
    CanaryObserver,
    HttpObserver,
    Observer,
    PlainObserver,
)
from fireproof.probes.resources import Look, ResourcesObserver
from fireproof.probes.rows import RowWriter
from fireproof.probes.schedule import Schedule


def target_of(url: str) -> tuple[Target, Address]:
    """Where to connect and what to ask for; raises ValueError for what is not http(s)."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("expected http://host[:port]/path or https://…")
    if parts.username is not None or parts.password is not None:
        raise ValueError("a URL with a user name or password in it is a secret in the open")
    if parts.fragment or any(c <= " " or c > "~" for c in url):
        raise ValueError("a URL of printable ASCII, without blanks and without #fragment")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    tls = ssl.create_default_context() if parts.scheme == "https" else None
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.hostname, port, tls), Address(parts.netloc, path)


def address_of(text: str) -> Target:
    """Where a tcp probe connects; raises ValueError for what is no host:port."""
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError(f"expected host:port, got {text!r}")
    return Target(host.strip("[]"), int(port), None)


def _sql(dsn: str, query: str) -> StartAttempt:
    from fireproof.probes.sql import SqlAttempt

    try:
        import psycopg
    except ImportError as error:
        raise ValueError("an sql probe needs psycopg; install fireproof[run]") from error
    try:
        options = psycopg.pq.Conninfo.parse(dsn.encode())
    except psycopg.Error as error:
        raise ValueError(f"not a DSN: {error}") from error
    if any(option.keyword == b"password" and option.val for option in options):
        raise ValueError("a DSN with a password in it is a secret in the open; name a passfile")

    def start(_: bytes, /, **when: Any) -> SqlAttempt:
        return SqlAttempt(dsn.encode(), query.encode(), **when)

    return start


def _look(pid_file: Path) -> StartAttempt:
    def start(_: bytes, /, **when: Any) -> Look:
        return Look(pid_file, **when)

    return start


def _source(task: dict[str, Any]) -> tuple[StartAttempt, type[Any], dict[str, Any]]:
    """How questions are asked, and by which observer they are judged."""
    kind, url = task["kind"], task["url"]
    plain = {"within_ns": task.get("within_ns"), "equals": task.get("equals")}
    if kind == "resources":
        return _look(Path(url)), ResourcesObserver, {}
    if "plugin" in task:
        from fireproof.probes.plugin import asking

        return asking(task, raise_priority), PlainObserver, plain
    if kind == "sql":
        return _sql(url, task["query"]), PlainObserver, plain
    if kind == "tcp":
        return partial(HttpAttempt, address_of(url)), PlainObserver, plain
    target, address = target_of(url)
    ask = partial(HttpAttempt, target)
    if kind == "canary":
        return ask, CanaryObserver, {"address": address, "run": task["run"]}
    keys = ("status", "within_ns", "contains")
    return ask, HttpObserver, {"address": address} | {key: task[key] for key in keys}


def _watch(task: dict[str, Any], rows: RowWriter, status: Status) -> AlertWatch:
    """What waits for alerts, and evaluates their rules if it is to."""
    page = None
    if task["url"]:
        target, address = target_of(task["url"])
        url = f"http://{address.authority}{address.target}"
        page = Page(url, target, task["period_ns"], task["timeout_ns"])
    rules = [Watched(name, parse_expression(text), ns) for name, text, ns in task["rules"]]
    return AlertWatch(
        rows, status, names=task["alerts"], port=task["listen"], page=page, rules=rules
    )


async def _work(task: dict[str, Any]) -> int:
    loop = asyncio.get_running_loop()
    status = Status(task["status_fd"])

    def failed(error: OSError) -> None:
        print(f"probe {task['name']}: {error}", file=sys.stderr, flush=True)
        os._exit(1)  # rows that cannot be written are not observations

    def orphaned() -> None:
        if not os.read(0, 4096):
            rows.close()
            os._exit(2)

    work: Schedule | AlertWatch
    if task["kind"] == "alerts":
        rows = RowWriter(task["path"], AlertWatch.header, failed=failed)
        work = _watch(task, rows, status)
    else:
        ask, kind, how = _source(task)
        rows = RowWriter(task["path"], kind.header, failed=failed)
        observer: Observer = kind(rows, **how)
        every = {"period_ns": task["period_ns"], "timeout_ns": task["timeout_ns"]}
        work = Schedule(ask, observer, rows, status, **every)
    for signum in (signal.SIGINT, signal.SIGHUP):
        signal.signal(signum, signal.SIG_IGN)  # the runner decides when a probe ends
    loop.add_reader(0, orphaned)
    running = loop.create_task(work.run())
    await asyncio.sleep(0)
    loop.add_signal_handler(signal.SIGTERM, work.stop)
    gc.collect()
    gc.freeze()
    # These make garbage, and who knows what a plug-in makes; the others cut their cycles.
    if task["kind"] not in ("sql", "alerts") and "plugin" not in task:
        gc.disable()  # a collection is a pause, and pauses are what we measure in others
    status.state = RUNNING
    await running
    status.state = FINISHED
    return 0


def main() -> None:
    """Entry of the process."""
    task = json.loads(sys.stdin.buffer.readline())
    if task["die_with_parent"]:
        ctypes.CDLL(None).prctl(1, int(signal.SIGKILL), 0, 0, 0)  # PR_SET_PDEATHSIG
    if os.getppid() != task["parent"]:
        sys.exit("the runner is gone already")
    raise_priority()
    try:
        code = asyncio.run(_work(task))
    except (OSError, ValueError) as error:
        print(f"probe {task['name']}: {error}", file=sys.stderr, flush=True)
        code = 1
    os._exit(code)  # a resolver thread that hangs must not hold the end up


if __name__ == "__main__":
    main()
