"""A stop takes effect between two records, never inside one."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from fireproof.guard.interrupt import SIGNALS, Interrupted, Interrupts


@pytest.fixture
def interrupts() -> Iterator[Interrupts]:
    numbers = (*SIGNALS, signal.SIGUSR2)
    before = {number: signal.getsignal(number) for number in numbers}
    found = Interrupts()
    found.install()
    yield found
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_signal_waits_until_somebody_listens(interrupts: Interrupts) -> None:
    """Raised inside a write it would leave half a record."""
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(0.01)

    with pytest.raises(Interrupted, match="SIGTERM") as stop, interrupts.armed():
        pytest.fail("a pending stop must be raised on entry")

    assert stop.value.signum == signal.SIGTERM


def test_a_request_from_a_thread_wakes_a_waiting_step(interrupts: Interrupts) -> None:
    """An abort condition that waits for a ten-minute step to end is no abort condition."""
    timer = threading.Timer(0.05, interrupts.request, ("too many errors", "abort-condition"))
    timer.start()
    started = time.monotonic()

    with pytest.raises(Interrupted, match="too many errors"), interrupts.armed():
        time.sleep(10)

    assert time.monotonic() - started < 5
    timer.join()


def test_after_close_nothing_interrupts_the_undo(interrupts: Interrupts) -> None:
    """An impatient second Ctrl-C may not leave the database down."""
    interrupts.close()
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.01)

    with interrupts.armed():
        done = True

    assert done


def test_the_first_reason_wins(interrupts: Interrupts) -> None:
    """The record must name what really ended the run."""
    os.kill(os.getpid(), signal.SIGHUP)
    time.sleep(0.01)
    interrupts.request("later", "abort-condition")

    with pytest.raises(Interrupted, match="SIGHUP"), interrupts.armed():
        pass
