"""The recovery interval holds the truth, for outages, delays and disorder nobody thought of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from fireproof.judge.outage import Outage, find_outage
from fireproof.judge.samples import Asked
from fireproof.judge.story import CannotTell, Span
from fireproof.model.interval import Interval, judge_at_most
from fireproof.model.verdict import Verdict

MS = 10**6
START, END = 0, 9_000 * MS
HOLD = 1_000 * MS


@dataclass(frozen=True)
class World:
    """A service that is away in some spans, and a prober with its habits; all in ns."""

    outages: tuple[tuple[int, int], ...]
    mode: str  # refuse | hang | silent: what a question meets while the service is away
    period: int
    timeout: int
    within: int | None
    late: tuple[int, ...]  # by slot, repeated
    travel: tuple[int, ...]
    work: tuple[int, ...]

    def away(self, at: int) -> tuple[int, int] | None:
        return next((span for span in self.outages if span[0] <= at < span[1]), None)

    def ask(self, slot: int) -> Asked:
        """One question, truthfully answered."""
        due = START + slot * self.period
        sent = due + self.late[slot % len(self.late)]
        arrived = sent + self.travel[slot % len(self.travel)]
        work = self.work[slot % len(self.work)]
        deadline = due + self.timeout
        outcome, at = "good", arrived
        away = self.away(at)
        if away and self.mode == "refuse":
            outcome = "refused"
        elif away and self.mode == "silent":
            outcome, at = "timeout", deadline
        else:
            at = away[1] if away else at
            while outcome == "good" and work:  # the work is done while the service is there
                following = min((o[0] for o in self.outages if o[0] >= at), default=None)
                if following is None or at + work <= following:
                    at, work = at + work, 0
                elif self.mode == "hang":
                    work -= following - at
                    at = next(o[1] for o in self.outages if o[0] == following)
                else:
                    outcome, at = "reset", following
        if at > deadline:
            outcome, at = "timeout", max(deadline, sent)
        if outcome == "good" and self.within is not None and at - sent > self.within:
            outcome = "slow"
        return Asked(due, sent, at, 200 if outcome in ("good", "slow") else None, outcome)

    def samples(self, every: int = 1) -> list[Asked]:
        slots = range(0, (END - START) // self.period, every)
        return sorted((self.ask(slot) for slot in slots), key=lambda one: one.sent_ns)


def instants(low_ms: int, high_ms: int) -> st.SearchStrategy[int]:
    return st.integers(low_ms * MS, high_ms * MS)


@st.composite
def worlds(draw: Any, *, flapping: bool = False, steady: bool = False) -> World:
    period = draw(instants(5, 100))
    down = draw(instants(2_000, 2_200))
    outages = [(down, down + draw(instants(1, 2_500)))]
    delays = st.lists(instants(0, 6), min_size=1, max_size=1 if steady else 7)
    if flapping:  # a flap shorter than a period and its answer cannot be seen by anybody
        seen = 3 * period // MS + 40
        for _ in range(draw(st.integers(1, 2))):
            up = outages[-1][1] + draw(instants(seen, seen + 200))
            outages.append((up, up + draw(instants(seen, seen + 300))))
        outages[0] = (down, max(outages[0][1], down + seen * MS))
        if outages[0][1] >= outages[1][0] - seen * MS:
            shift = outages[0][1] + seen * MS - outages[1][0]
            outages = [outages[0], *((a + shift, b + shift) for a, b in outages[1:])]
    return World(
        outages=tuple(outages),
        mode=draw(st.sampled_from(["refuse", "hang", "silent"])),
        period=period,
        timeout=draw(instants(200, 1_000)),
        within=draw(st.none() | instants(25, 250)),
        late=tuple(draw(delays)),
        travel=tuple(draw(delays)),
        work=tuple(draw(delays)),
    )


def look(world: World, asked: list[Asked], injection: Span) -> Outage:
    try:
        return find_outage(
            asked, injection=injection, hold_ns=HOLD, recovered_ns=None, undo_ns=None
        )
    except CannotTell as error:
        reason = str(error)
    assert all(one.good for one in asked), reason
    assume(False)
    raise AssertionError


def struck(world: World, before: int, after: int) -> tuple[Span, int]:
    """An injection that took a while, and the instant at which it really happened."""
    down = world.outages[0][0]
    return Span(down - before, down + after), down


@settings(max_examples=300, deadline=None)
@given(worlds() | worlds(flapping=True), instants(0, 50), instants(0, 50))
def test_the_interval_holds_the_truth(world: World, before: int, after: int) -> None:
    """An auditor who had stood beside the server with a stop-watch must agree."""
    injection, truth = struck(world, before, after)
    asked = world.samples()
    for begin, end in world.outages:  # a hang that every answer outlived was no outage to clients
        assume(any(not one.good and begin <= one.sent_ns < end for one in asked))
    outage = look(world, asked, injection)
    down, up = world.outages[0][0], world.outages[-1][1]

    assert outage.up_hi_ns is not None, outage.note
    assert outage.up_lo_ns <= up <= outage.up_hi_ns
    assert outage.down.before_ns <= down <= outage.down.after_ns
    assert outage.up_lo_ns - injection.after_ns <= up - truth
    assert up - truth <= outage.up_hi_ns - injection.before_ns


@settings(max_examples=150, deadline=None)
@given(worlds(steady=True), st.integers(2, 5))
def test_finer_probes_never_widen_it(world: World, thinned: int) -> None:
    """Asking more often must not cost anybody certainty."""
    injection, _ = struck(world, MS, MS)
    coarse = look(world, world.samples(thinned), injection)
    fine = look(world, world.samples(), injection)

    assert coarse.up_hi_ns is not None
    assert fine.up_hi_ns is not None
    assert coarse.up_lo_ns <= fine.up_lo_ns
    assert fine.up_hi_ns <= coarse.up_hi_ns
    assert coarse.down.before_ns <= fine.down.before_ns
    assert fine.down.after_ns <= coarse.down.after_ns


@settings(max_examples=150, deadline=None)
@given(worlds() | worlds(flapping=True))
def test_a_service_that_never_came_back_has_no_upper_bound(world: World) -> None:
    """What was not seen is not claimed."""
    last = world.outages[-1]
    injection, _ = struck(world, 0, MS)
    asked = [one for one in world.samples() if one.sent_ns < last[1]]
    if world.mode == "hang":  # answers that waited for the end of the outage did not come
        asked = [
            one if one.done_ns < last[1] else Asked(one.due_ns, one.sent_ns, END, None, "timeout")
            for one in asked
        ]
    assume(any(not one.good for one in asked if one.sent_ns >= last[0]))
    outage = look(world, asked, injection)

    assert outage.up_hi_ns is None
    assert outage.up_lo_ns <= last[1]


LIMITS = st.integers(0, 10**12)


@given(LIMITS, LIMITS, st.tuples(LIMITS, LIMITS))
@example(5, 0, (5, 5))
def test_a_wider_limit_is_never_worse(limit: int, more: int, bounds: tuple[int, int]) -> None:
    """Order of weight: met, inconclusive, missed."""
    measured = Interval(min(bounds), max(bounds))
    weight = list(Verdict).index

    assert weight(judge_at_most(measured, limit + more)) <= weight(judge_at_most(measured, limit))
