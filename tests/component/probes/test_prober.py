"""The prober against servers that stop, hang, reset, dawdle and lie."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest

from fireproof.errors import StepError
from fireproof.model.drill import HttpProbe
from fireproof.probes import start_probe
from fireproof.processes import identify, is_alive
from support.postgres import free_port
from support.probing import (
    FILE,
    killed,
    observe_outage,
    paused,
    probing,
    samples_of,
    serving,
    wait_until,
)
from support.records import RUN

pytestmark = pytest.mark.component


@pytest.mark.parametrize(
    ("fault", "length_s"), [(killed, 0.1), (killed, 0.45), (paused, 0.15), (paused, 0.4)]
)
def test_the_interval_holds_what_really_happened(
    fault: object, length_s: float, tmp_path: Path
) -> None:
    """The truth is stamped beside the kill, and by the server when it listens again."""
    observed = observe_outage(tmp_path, fault, length_s)  # type: ignore[arg-type]

    assert observed.true, observed


@pytest.mark.parametrize(
    ("path", "outcome"),
    [
        ("/ok", "good"),
        ("/chunked", "good"),
        ("/wrong", "bad-content"),
        ("/busy", "bad-status"),
        ("/slow", "slow"),
        ("/silent", "timeout"),
        ("/reset", "reset"),
        ("/close", "reset"),
        ("/garbage", "error"),
    ],
)
def test_each_way_of_being_away_has_its_own_outcome(
    path: str, outcome: str, tmp_path: Path
) -> None:
    """At 4 a.m. 'refused' and 'timeout' send people to different places."""
    good = {"within": "100ms", "contains": "ready"}
    with (
        serving() as server,
        probing(tmp_path, server.url(path), every="20ms", timeout="300ms", good=good) as probe,
    ):
        wait_until(lambda: probe.observations() >= 5)
        good_since = probe.good_since()
        clean, rows = probe.stop()
    samples = samples_of(tmp_path)

    assert {one.outcome for one in samples.asked} == {outcome}
    assert (clean, rows) == (True, samples.rows)
    assert not samples.unsent
    assert (good_since is not None) == (outcome == "good")
    assert probe.errors() == (0 if outcome == "good" else probe.observations())


def test_nobody_listening_is_refused(tmp_path: Path) -> None:
    """The fastest bad answer there is."""
    with probing(tmp_path, f"http://127.0.0.1:{free_port()}/") as probe:
        wait_until(lambda: probe.observations() >= 3)

    assert {one.outcome for one in samples_of(tmp_path).asked} == {"refused"}


def test_questions_keep_their_schedule_while_answers_hang(tmp_path: Path) -> None:
    """A prober that waits for its last answer is blind for as long as it waits."""
    with (
        serving() as server,
        probing(tmp_path, server.url("/silent"), every="20ms", timeout="400ms") as probe,
    ):
        wait_until(lambda: probe.observations() >= 40)
    samples = samples_of(tmp_path)
    dues = [one.due_ns for one in samples.asked]

    assert [b - a for a, b in pairwise(dues)] == [20 * 10**6] * (len(dues) - 1)
    assert not samples.unsent
    assert all(one.done_ns - one.due_ns >= 400 * 10**6 for one in samples.asked[:-20])


def test_a_prober_that_was_suspended_says_which_slots_it_missed(tmp_path: Path) -> None:
    """Silence of the observer must not look like silence of the system, or like health."""
    with serving() as server, probing(tmp_path, server.url(), timeout="200ms") as probe:
        wait_until(lambda: probe.observations() >= 5)
        os.kill(probe.pid, signal.SIGSTOP)
        time.sleep(0.6)
        os.kill(probe.pid, signal.SIGCONT)
        seen = probe.observations()
        wait_until(lambda: probe.observations() > seen + 60)
        errors = probe.errors()
    samples = samples_of(tmp_path)

    assert 35 <= len(samples.unsent) <= 50
    assert errors >= len(samples.unsent)


def test_a_killed_prober_is_not_clean(tmp_path: Path) -> None:
    """Its last rows died with it."""
    with serving() as server, probing(tmp_path, server.url()) as probe:
        wait_until(lambda: probe.observations() >= 5)
        os.kill(probe.pid, signal.SIGKILL)
        wait_until(lambda: not probe.alive())
        clean, _ = probe.stop()

    assert not clean


def test_stopping_twice_gives_the_same_answer(tmp_path: Path) -> None:
    """The runner stops probes at the end of a run and again when it cleans up."""
    with serving() as server, probing(tmp_path, server.url()) as probe:
        wait_until(lambda: probe.observations() >= 3)

        assert probe.stop() == probe.stop()
        assert not probe.alive()


def test_a_prober_dies_with_its_runner(tmp_path: Path) -> None:
    """A runner that is killed leaves nobody behind who keeps asking."""
    program = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from fireproof.model.drill import HttpProbe\n"
        "from fireproof.probes import start_probe\n"
        "p = start_probe('api', HttpProbe(http='x'), url='http://127.0.0.1:9/', run='r',"
        " bag=Path(sys.argv[1]), file='a.csv')\n"
        "print(p.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    argv = [sys.executable, "-c", program, str(tmp_path)]
    runner = subprocess.Popen(argv, stdout=subprocess.PIPE)
    assert runner.stdout is not None
    who = identify(int(runner.stdout.readline()))
    assert who is not None
    runner.kill()
    runner.wait()
    runner.stdout.close()

    wait_until(lambda: not is_alive(who))


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ftp://127.0.0.1/", "expected http"),
        ("http://me:secret@127.0.0.1/", "secret in the open"),
        ("http://127.0.0.1/a b", "printable ASCII"),
        ("http://127.0.0.1:99999/", "ort"),
    ],
)
def test_a_url_that_cannot_be_probed_is_refused_at_the_start(
    url: str, why: str, tmp_path: Path
) -> None:
    """Before the fault, in one line, and without repeating a password."""
    with pytest.raises(StepError, match=why) as caught:
        start_probe("api", HttpProbe(http=url), url=url, run=RUN, bag=tmp_path, file=FILE)

    assert "secret@" not in str(caught.value)


def test_a_sample_file_is_never_overwritten(tmp_path: Path) -> None:
    """Evidence of an earlier attempt stays what it was."""
    (tmp_path / "data/samples").mkdir(parents=True)
    (tmp_path / FILE).write_text("mine")

    with pytest.raises(StepError, match="exists"):
        start_probe(
            "api",
            HttpProbe(http="x"),
            url="http://127.0.0.1:9/",
            run=RUN,
            bag=tmp_path,
            file=FILE,
        )
    assert (tmp_path / FILE).read_text() == "mine"
