"""Whether what is measured is true: outages of known length, losses of known number."""

from __future__ import annotations

import math
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.line import Line, row
from bench.measure import Sample, rank
from bench.peers import HERE
from bench.projects import scratch

OUTAGES = 102
QUIET_S = (0.35, 0.55)  # good before and after an outage
DOWN_S = (0.15, 0.45)
SCRAPE_S = 1.0  # what a monitoring system asks for by default
LOST = (0, 1, 2, 3, 5, 8, 13, 50, 200)
RATE = 200


class StampingServer:
    """Told to stop; says when it did, and when it was there again."""

    def __init__(self) -> None:
        from support.postgres import free_port

        self.port = free_port()
        self._start()

    def _start(self) -> int:
        argv = [sys.executable, "-I", str(HERE / "tests" / "support" / "stamping_server.py")]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen([*argv, str(self.port)], stdin=pipe, stdout=pipe)
        return self._stamp("up")

    def _stamp(self, word: str) -> int:
        assert self._process.stdout is not None
        said, at = self._process.stdout.readline().split()
        assert said.decode() == word, said
        return int(at)

    def outage(self, how: str, length_s: float) -> tuple[int, int, int, int]:
        """(before, after) as the injector saw it; (down, up) as the server did."""
        assert self._process.stdin is not None
        before = time.monotonic_ns()
        self._process.stdin.write(f"{how}\n".encode())
        self._process.stdin.flush()
        down = self._stamp("down")
        if how == "kill":
            self._process.wait()
        else:
            while "State:\tT" not in Path(f"/proc/{self._process.pid}/status").read_text():
                time.sleep(0.0002)
        after = time.monotonic_ns()
        time.sleep(length_s)
        if how == "kill":
            self._close()
            return before, after, down, self._start()
        os.kill(self._process.pid, signal.SIGCONT)
        return before, after, down, self._stamp("up")

    def _close(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        self._close()


@dataclass(frozen=True)
class Known:
    """What really was, and what the judge made of it; nanoseconds."""

    how: str
    length: int
    contained: bool
    error: float
    width: float


def judge(asked: Sequence[object], known: tuple[int, int, int, int], how: str) -> Known:
    """The interval of one outage, as a drill would report it, beside the truth."""
    from typing import cast

    from fireproof.judge.outage import find_outage
    from fireproof.judge.samples import Asked
    from fireproof.judge.story import CannotTell, Span

    before, after, down, up = known
    seen = [
        one
        for one in cast(Sequence[Asked], asked)
        if before - QUIET_S[0] * 1e9 < one.due_ns < up + QUIET_S[0] * 1e9
    ]
    try:
        found = find_outage(
            seen,
            injection=Span(before, after),
            hold_ns=int(QUIET_S[0] * 0.7e9),
            recovered_ns=None,
            undo_ns=None,
        )
    except CannotTell:
        return Known(how, up - down, False, math.inf, math.inf)
    hi = math.inf if found.up_hi_ns is None else found.up_hi_ns - before
    lo = found.up_lo_ns - after
    truth = up - down
    return Known(how, truth, lo <= truth <= hi, abs((lo + hi) / 2 - truth), hi - lo)


@row("recovery-truth")
def recovery_truth() -> list[Line]:
    from support.probing import probing, samples_of

    draw = random.Random("outages")  # noqa: S311 - not a secret
    server = StampingServer()
    told = []
    with scratch() as bag:
        try:
            url = f"http://127.0.0.1:{server.port}/"
            with probing(bag, url, good={"within": "50ms"}) as probe:
                while probe.observations() < 20:
                    time.sleep(0.01)
                for number in range(OUTAGES):
                    how = ("kill", "hang")[number % 2]
                    time.sleep(draw.uniform(*QUIET_S))
                    told.append((how, server.outage(how, draw.uniform(*DOWN_S))))
                time.sleep(QUIET_S[1])
                probe.stop()
            asked = samples_of(bag).asked
        finally:
            server.end()
    found = [judge(asked, known, how) for how, known in told]
    return lines_of(found, scraped(found, draw))


def scraped(found: Sequence[Known], draw: random.Random) -> list[float]:
    """The error of counting bad answers to one question a second, asked at any phase."""
    errors = []
    for one in found:
        length_s = one.length / 1e9
        first = draw.uniform(0, SCRAPE_S)
        bad = max(0, math.ceil((length_s - first) / SCRAPE_S))
        errors.append(abs(bad * SCRAPE_S - length_s))
    return errors


def lines_of(found: Sequence[Known], seldom: Sequence[float]) -> list[Line]:
    inside = sum(one.contained for one in found)
    errors = [one.error / 1e6 for one in found]
    width = Sample.of([one.width / 1e6 for one in found])
    missed = {
        how: sum(not one.contained for one in found if one.how == how) for how in ("kill", "hang")
    }
    note = f"kills missed {missed['kill']}, hangs missed {missed['hang']}; the interval is "
    note += f"{width.show('ms')} wide"
    theirs = Sample.of([error * 1e3 for error in seldom])
    return [
        Line(
            f"recovery time: the interval holds the truth, of {len(found)} outages, 10 ms probes",
            f"{inside} of {len(found)}",
            "nobody gives an interval",
            100 * inside / len(found),
            "%",
            99,
            at_least=True,
            note=note,
        ),
        Line(
            "recovery time: distance of the interval's middle from the truth, 99 of 100",
            Sample.of(errors).show("ms"),
            f"the same outages asked once a second: {theirs.show('ms')}",
            rank(errors, 0.99),
            "ms",
            15,
        ),
    ]


@row("lost-writes")
def lost_writes() -> list[Line]:
    import psycopg

    from support.lab_project import LabProject

    rounds, widths, told = 2, [], []
    with scratch() as folder:
        project = LabProject(folder / "project")
        try:
            project.up()
            api, database = project.component("ledger-api"), project.component("ledger-db")
            with psycopg.connect(database["admin-dsn"], autocommit=True) as admin:
                for number, lost in enumerate(LOST * rounds):
                    found, width = lose(folder / f"bag-{number}", api["url"], database, admin, lost)
                    told.append((lost, found))
                    widths += [width] if lost else []
        finally:
            left = project.down()
    if left:
        raise SystemExit(f"bench: the lab left {left}")
    exact = sum(lost == found for lost, found in told)
    wrong = [f"{lost} injected, {found} reported" for lost, found in told if lost != found]
    age = Sample.of(widths)
    numbers = ", ".join(map(str, LOST))
    return [
        Line(
            f"lost writes: exactly as many reported as were taken away ({numbers}; {rounds} times)",
            f"{exact} of {len(told)}",
            "nobody counts them",
            100 * exact / len(told),
            "%",
            100,
            at_least=True,
            note="; ".join(wrong),
        ),
        Line(
            f"lost writes: width of the age of the loss at {RATE} writes/s",
            age.show("ms"),
            "nobody measures it",
            max(widths),
            "ms",
            50,
            note="the widest is what the budget is compared with",
        ),
    ]


def lose(
    bag: Path, url: str, database: dict[str, str], admin: object, lost: int
) -> tuple[int, float]:
    """Write through the service, take the newest away behind its back; what is reported."""
    from typing import Any, cast

    from fireproof.guard.folder import new_run_id
    from fireproof.judge.loss import Evidence, loss_age, tally
    from fireproof.judge.samples import parse_canary, parse_present
    from fireproof.judge.story import Source, Span
    from fireproof.model.drill import CanaryProbe
    from fireproof.probes import read_present, start_probe

    run, file = new_run_id(), "data/samples/canary.csv"
    query = "SELECT key, body FROM events WHERE tenant = 'canary'"
    writes = f"{url}/v1/canary/events"
    words = {"acknowledged-writes": writes, "rate": f"{RATE}/s", "read-from": "db", "query": query}
    probe = CanaryProbe.model_validate(words)
    writer = start_probe("canary", probe, url=writes, run=run, bag=bag, file=file)
    while writer.observations() < max(LOST) + 60:
        time.sleep(0.01)
    before = time.monotonic_ns()
    _, rows = writer.stop()
    injection = Span(before, time.monotonic_ns())
    cast(Any, admin).execute(
        "DELETE FROM events WHERE seq IN (SELECT seq FROM events WHERE tenant = 'canary'"
        " AND key LIKE %s ORDER BY seq DESC LIMIT %s)",
        (f"{run}-%", lost),
    )
    present = bag / "present.csv"
    deadline = time.monotonic_ns() + 30 * 10**9
    read = read_present(database["dsn"], query, present, deadline_ns=deadline)
    samples = parse_canary((bag / file).read_bytes(), run)
    evidence = Evidence(
        Source(b"", round(1e9 / RATE), probe.timeout, rows),
        samples,
        parse_present(present.read_bytes()),
        Span(read[0], read[1]),
        "",
    )
    found = tally(run, evidence)
    age = loss_age(found, injection)
    return len(found.lost), (age.hi - age.lo) / 1e6
