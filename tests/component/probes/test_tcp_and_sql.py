"""tcp and sql probes against real servers, alone and in a whole drill."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fireproof.errors import StepError
from fireproof.judge.recovery import why_invalid
from fireproof.judge.samples import ProbeSamples, parse_probe
from fireproof.judge.story import Source
from fireproof.model.drill import Probe, SqlProbe, TcpProbe
from fireproof.probes import start_probe
from fireproof.probes.running import ProbeProcess
from support.postgres import Postgres, free_port
from support.probing import FILE, serving, wait_until
from support.proxy import proxied
from support.records import RUN
from support.scenario import Scenario

pytestmark = pytest.mark.component


@contextmanager
def probing(bag: Path, probe: Probe, url: str) -> Iterator[ProbeProcess]:
    running = start_probe("db", probe, url=url, run=RUN, bag=bag, file=FILE)
    try:
        yield running
    finally:
        running.stop()


def samples_of(bag: Path) -> ProbeSamples:
    return parse_probe((bag / FILE).read_bytes(), http=False)


def sql(query: str = "SELECT 1", **more: object) -> SqlProbe:
    return SqlProbe.model_validate({"sql": query, "on": "db", "every": "50ms", **more})


def test_a_tcp_probe_sees_a_server_go_and_come_back(tmp_path: Path) -> None:
    """A port that nobody listens on is the plainest outage there is."""
    probe = TcpProbe.model_validate({"tcp": "x", "timeout": "300ms"})
    with serving() as server, probing(tmp_path, probe, f"127.0.0.1:{server.port}") as running:
        wait_until(lambda: running.observations() > 5)
        server.end()
        wait_until(lambda: running.errors() > 3)
        server.start()
        wait_until(lambda: running.good_since() is not None)
        clean, rows = running.stop()
    samples = samples_of(tmp_path)

    assert (clean, rows) == (True, samples.rows)
    assert {one.outcome for one in samples.asked} == {"good", "refused"}
    source = Source(b"", samples.rows, 20 * 10**6, 300 * 10**6)
    assert "never asked" not in why_invalid(samples, source)


@pytest.mark.parametrize(
    ("query", "good", "outcome"),
    [
        ("SELECT 1", {}, "good"),
        ("SELECT 1", {"equals": "1", "within": "900ms"}, "good"),
        ("SELECT 1", {"equals": "2"}, "bad-content"),
        ("SELECT 1, 2", {"equals": "1"}, "bad-content"),
        ("SELECT 1 WHERE false", {"equals": "1"}, "bad-content"),
        ("SELECT pg_sleep(0.2)", {"within": "100ms"}, "slow"),
        ("SELECT pg_sleep(5)", {}, "timeout"),
        ("SELECT nonsense", {}, "error"),
        ("CREATE TEMP TABLE t (x int); INSERT INTO t VALUES (7); SELECT x FROM t", {}, "good"),
    ],
)
def test_each_answer_of_a_database_has_its_outcome(
    tmp_path: Path, postgres: Postgres, query: str, good: dict[str, str], outcome: str
) -> None:
    """'It answers' and 'it answers rightly, in time' are two things."""
    with probing(tmp_path, sql(query, good=good), postgres.dsn) as running:
        wait_until(lambda: running.observations() >= 3)
        clean, _ = running.stop()
    samples = samples_of(tmp_path)

    assert clean
    assert {one.outcome for one in samples.asked} == {outcome}
    assert {one.status for one in samples.asked} == {None}
    assert not samples.unsent


def test_a_database_that_hangs_or_resets_is_told_apart(tmp_path: Path, postgres: Postgres) -> None:
    """A login that is swallowed must end by its time, and leave no connection open."""
    with proxied(postgres.port) as link:
        dsn = postgres.dsn.replace(f"port={postgres.port}", f"port={link.port}")
        with probing(tmp_path, sql(timeout="400ms"), dsn) as running:
            wait_until(lambda: (running.good_since() or 0) > 0)
            link.add("stall", expires_ms=900)
            wait_until(lambda: running.errors() >= 3)
            wait_until(lambda: running.good_since() is not None)
            link.add("reset_peer", expires_ms=400)
            wait_until(lambda: running.good_since() is None)
            wait_until(lambda: running.good_since() is not None)
            open_files = len(os.listdir(f"/proc/{running.pid}/fd"))
            clean, _ = running.stop()
    outcomes = {one.outcome for one in samples_of(tmp_path).asked}

    assert clean
    assert outcomes == {"good", "timeout", "reset"}
    assert open_files < 20


@pytest.mark.parametrize(
    ("probe", "url", "says"),
    [
        (sql(), "host=127.0.0.1 password=hunter2", "name a passfile"),
        (sql(), "what is this", "not a DSN"),
        (TcpProbe(tcp="x"), "127.0.0.1", "expected host:port"),
        (TcpProbe(tcp="x"), "http://127.0.0.1/", "expected host:port"),
    ],
)
def test_an_address_that_cannot_be_is_refused_at_once(
    tmp_path: Path, probe: Probe, url: str, says: str
) -> None:
    """Found out by the first row it would look like an outage."""
    with pytest.raises(StepError, match=says) as caught:
        start_probe("db", probe, url=url, run=RUN, bag=tmp_path, file=FILE)

    assert "hunter2" not in str(caught.value)


def test_nobody_there_is_refused(tmp_path: Path) -> None:
    """The commonest state of a database that was just killed."""
    dsn = f"host=127.0.0.1 port={free_port()} user=nobody"
    with probing(tmp_path, sql(), dsn) as running:
        wait_until(lambda: running.errors() >= 3)

    assert {one.outcome for one in samples_of(tmp_path).asked} == {"refused"}


@pytest.mark.full
def test_a_recovery_time_is_measured_with_a_tcp_probe(scenario: Scenario) -> None:
    """``from:`` takes any probe that observes a service; the judge reads its rows."""
    drill = scenario.drill()
    scenario.extra = {"address": f"127.0.0.1:{scenario.port}"}
    drill["probes"] = {"api": {"tcp": "{tiny.address}"}}

    ran = scenario.run(drill)

    assert (ran.code, ran.outcome) == (0, "passed"), ran.stderr
    assert scenario.verify(ran.bundle) == 0
    samples = parse_probe((ran.bundle / "data/samples/api.csv").read_bytes(), http=False)
    assert {"good", "refused"} <= {one.outcome for one in samples.asked}


def test_a_recovery_time_is_measured_with_an_sql_probe(
    scenario: Scenario, postgres: Postgres
) -> None:
    """A database behind a black line is away, and back when the line is."""
    with proxied(postgres.port) as link:
        dsn = postgres.dsn.replace(f"port={postgres.port}", f"port={link.port}")
        scenario.others["db"] = {"kind": "postgres", "dsn": dsn, "faults": []}
        scenario.others["link"] = {"kind": "p", "api": link.api, "faults": ["black-hole"]}
        drill = scenario.drill()
        drill["components"] = ["link"]
        probe = {"sql": "SELECT 41 + 1", "on": "db", "good": {"equals": "42"}, "timeout": "300ms"}
        drill["probes"] = {"api": probe}
        drill["fault"] = [{"black-hole": "link"}]
        # Longer than the probe's period, or there is no outage to be seen.
        post = f"u.urlopen(u.Request('{link.api}/reset', method='POST'))"
        back = f"import time, urllib.request as u; time.sleep(1); {post}"
        drill["recover"] = [{"process": [sys.executable, "-c", back]}]

        for _ in range(3):  # a machine that is late just then has measured nothing, and says so
            ran = scenario.run(drill)
            if "measurement invalid" not in ran.stderr:
                break

    assert (ran.code, ran.outcome) == (0, "passed"), ran.stderr
    assert scenario.verify(ran.bundle) == 0


def test_a_probe_without_a_dsn_is_found_before_anything_runs(scenario: Scenario) -> None:
    """The environment has to say how to reach what is to be asked."""
    drill = scenario.drill()
    drill["probes"]["db"] = {"sql": "SELECT 1", "on": "tiny"}

    ran = scenario.run(drill)

    assert ran.code == 3, ran.stderr
    assert "component 'tiny' has no 'dsn'" in ran.stderr
    assert ran.result is None


@pytest.fixture
def scenario(tmp_path: Path) -> Iterator[Scenario]:
    found = Scenario(tmp_path)
    yield found
    found.close()
