"""Open arrival: requests are due when the profile says so, whatever became of those before.

A user of Locust runs a task, waits, and runs the next; a system that stalls is then asked less,
and its stall is hardly seen. Here users stand idle until a slot is due, and latency counts from
that instant.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

import gevent
from gevent import getcurrent
from gevent.event import AsyncResult
from locust import User, constant
from locust.event import EventHook
from locust.exception import RescheduleTask, RescheduleTaskImmediately, StopTest, StopUser

from fireproof.load.page import Page
from fireproof.load.sheet import Sheet
from fireproof.model.profile import mix

_NAP_S = 0.2  # longest sleep, so that a stop is noticed
_SAID_MOST = 5  # complaints about tasks that raise; the rest is counted


@dataclass(slots=True)
class Shot:
    """One slot while it is carried out."""

    due_ns: int
    sent_ns: int
    done_ns: int = 0
    status: int = 0
    outcome: str = ""  # of the worst request so far
    answered: int = 0


class FromDue(EventHook):
    """Locust's request event, with the wait for our own user counted in: its statistics then
    speak of the intended start too. Notes what became of the request in the slot it belongs to.
    """

    def __init__(self, shots: dict[Any, Shot]) -> None:
        super().__init__()
        self._shots = shots

    def fire(self, *, reverse: bool = False, **meta: Any) -> None:
        """Called by Locust's clients, with and without ``catch_response``."""
        shot = self._shots.get(getcurrent())
        if shot is not None:
            if not shot.answered and meta.get("response_time") is not None:
                meta["response_time"] += (shot.sent_ns - shot.due_ns) / 1e6
            shot.answered += 1
            shot.done_ns = time.monotonic_ns()
            shot.status = int(getattr(meta.get("response"), "status_code", 0) or 0)
            shot.outcome = shot.outcome or _failure(meta.get("exception"), shot.status)
        super().fire(reverse=reverse, **meta)


def _failure(error: object, status: int) -> str:
    """Outcome of one failed request; empty for a good one."""
    if error is None:
        return ""
    if isinstance(error, (TimeoutError, gevent.Timeout)) or "timed out" in str(error):
        return "timeout"
    return "bad" if status else "error"


class Arrivals:
    """Hands each slot to an idle user at its due time; a slot that finds none goes unsent."""

    def __init__(
        self,
        shares: Mapping[str, int],
        sheet: Sheet,
        page: Page,
        *,
        timeout_ns: int,
        observe: Callable[[int, bool], None],
    ) -> None:
        self._shares, self._sheet, self._page = dict(shares), sheet, page
        self._timeout_ns, self._observe = timeout_ns, observe
        self._idle: dict[str, list[AsyncResult[int]]] = {name: [] for name in shares}
        self.shots: dict[Any, Shot] = {}
        self._stopping = False
        self._complaints: dict[str, int] = {}

    def idle(self) -> int:
        return sum(map(len, self._idle.values()))

    def stop(self) -> None:
        """No further slot comes due."""
        self._stopping = True

    def run(self, offsets: Iterator[int], start_ns: int, *, index: int, workers: int) -> None:
        """Every slot of this process: one of each ``workers``, so that all keep one schedule."""
        for number, (offset, scenario) in enumerate(zip(offsets, mix(self._shares), strict=False)):
            if number % workers != index:
                continue
            due_ns = start_ns + offset
            # Once around the loop even when we are late, or a busy minute would starve the users.
            left_s = (due_ns - time.monotonic_ns()) / 1e9
            gevent.sleep(min(max(left_s, 0), _NAP_S))
            while (left_s := (due_ns - time.monotonic_ns()) / 1e9) > 0 and not self._stopping:
                gevent.sleep(min(left_s, _NAP_S))
            if self._stopping:
                return
            self._page.slots += 1
            idle = self._idle[scenario]
            if idle and time.monotonic_ns() < due_ns + self._timeout_ns:
                idle.pop().set(due_ns)  # the last to come: its connection is the freshest
            else:
                self._sheet.add(due_ns, -1, -1, 0, "not-sent", scenario)
                self._page.observed(False, due_ns)

    def drain(self) -> None:
        """Give what is in flight its time."""
        give_up_ns = time.monotonic_ns() + self._timeout_ns + 10**9
        while self._sheet.rows < self._page.slots and time.monotonic_ns() < give_up_ns:
            gevent.sleep(0.01)

    def serve(self, user: User, scenario: str, task: Callable[[Any], Any]) -> None:
        """Wait for a slot, carry it out, write its row."""
        ready: AsyncResult[int] = AsyncResult()
        self._idle[scenario].append(ready)
        due_ns = ready.get()
        here = getcurrent()
        shot = self.shots[here] = Shot(due_ns, time.monotonic_ns())
        left_s = (due_ns + self._timeout_ns - shot.sent_ns) / 1e9
        limit = gevent.Timeout.start_new(max(left_s, 0.001))
        try:
            task(user)
        except gevent.Timeout as late:
            shot.outcome = "timeout" if late is limit else "error"
            shot.done_ns = time.monotonic_ns()
        except (RescheduleTask, RescheduleTaskImmediately):
            pass  # the task's way to say that it is done
        except (StopUser, StopTest, gevent.GreenletExit):
            shot.outcome = shot.outcome or "error"
            raise
        except Exception as error:
            shot.outcome, shot.done_ns = "error", time.monotonic_ns()
            self._complain(scenario, error)
        finally:
            limit.close()
            del self.shots[here]
            self._ended(shot, scenario)

    def _ended(self, shot: Shot, scenario: str) -> None:
        if not shot.answered and not shot.outcome:
            shot.outcome = "error"
            self._complain(scenario, "the task made no request")
        done_ns = shot.done_ns or time.monotonic_ns()
        outcome, latency_ns = shot.outcome or "good", done_ns - shot.due_ns
        late_ns = shot.sent_ns - shot.due_ns
        self._sheet.add(shot.due_ns, late_ns, latency_ns, shot.status, outcome, scenario)
        self._page.observed(outcome == "good", done_ns)
        self._observe(latency_ns, outcome == "good")

    def _complain(self, scenario: str, error: object) -> None:
        """On stderr, which the runner keeps a little of: a task that raises is a bug of its own."""
        text = f"{scenario}: {type(error).__name__}: {error}" if error else scenario
        if text in self._complaints or len(self._complaints) < _SAID_MOST:
            count = self._complaints[text] = self._complaints.get(text, 0) + 1
            if count == 1:
                logging.getLogger("fireproof.load").warning("%s", text)


def opened(
    plain: type[User],
    scenario: str,
    arrivals: Arrivals,
    headers: Mapping[str, str],
    attributes: Mapping[str, Any],
) -> type[User]:
    """The user's own class under our arrival: its tasks, clients and hooks, our waiting."""
    tasks: Sequence[Any] = list(plain.tasks)

    def arrive(user: User) -> None:
        arrivals.serve(user, scenario, random.choice(tasks))  # noqa: S311 - as Locust chooses

    def begin(user: User, environment: Any) -> None:
        plain.__init__(user, environment)
        session = getattr(getattr(user, "client", None), "headers", None)
        if isinstance(session, MutableMapping):  # HttpUser's; FastHttpUser has its default_headers
            session.update(headers)

    metaclass: Any = type(plain)
    own: Any = getattr(plain, "default_headers", None) or {}
    body = {"__module__": plain.__module__, "__init__": begin}
    body |= {"default_headers": {**own, **headers}}
    made: type[User] = metaclass(plain.__name__, (plain,), body)
    made.abstract, made.fixed_count = False, 0
    made.wait_time = constant(0)
    made.tasks = [arrive]
    for name, value in attributes.items():
        setattr(made, name, value)
    return made
