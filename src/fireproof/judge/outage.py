"""One outage as a prober saw it: between which instants it began, and ended for good."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fireproof.judge.samples import Asked
from fireproof.judge.story import CannotTell, Span


@dataclass(frozen=True, slots=True)
class Outage:
    """Down is in [down.before, down.after]; up in [up_lo_ns, up_hi_ns], None: never seen."""

    down: Span
    up_lo_ns: int
    up_hi_ns: int | None
    strays: int  # bad answers after the recovery that was confirmed
    note: str


@dataclass(frozen=True, slots=True)
class _Episode:
    """Bad answers with no held run of good ones between them, and the good that ended them."""

    bads: Sequence[Asked]  # in the order of asking
    end: Asked | None


def find_outage(
    asked: Sequence[Asked],
    *,
    injection: Span,
    hold_ns: int,
    recovered_ns: int | None,
    undo_ns: int | None,
) -> Outage:
    """The outage that followed an injection.

    A good answer says: up at some instant between sent and done; any other answer: down at some
    instant between them. Nothing here assumes that answers come in the order of the questions.

    Args:
        asked: in the order of asking.
        injection: of the first fault.
        hold_ns: how long good must stay good; confirms, is not added.
        recovered_ns: when recovery was declared; what goes wrong earlier is the same outage.
        undo_ns: when faults were taken back; coming back later is not recovery.

    Raises:
        CannotTell: when there is no outage to be seen, or nothing good before it.
    """
    goods = [one for one in asked if one.good]
    bads = [one for one in asked if not one.good and one.done_ns >= injection.before_ns]
    before = [one for one in goods if one.done_ns <= injection.before_ns]
    if not before:
        raise CannotTell("no good answer before the fault: the baseline was never good")
    if injection.before_ns - max(one.done_ns for one in before) > max(hold_ns, 10**9):
        raise CannotTell("the service was not good when the fault struck")
    if not bads:
        raise CannotTell("the fault did not bite: every answer after the injection was good")

    episodes = _episodes(bads, goods, hold_ns)
    counted = 0
    for index, episode in enumerate(episodes):
        first_sent = episode.bads[0].sent_ns
        early = recovered_ns is None or first_sent <= recovered_ns
        if early or episode.end is None or episode.end.done_ns - first_sent >= hold_ns:
            counted = index  # a long relapse takes the recovery back; a short one is a stray
    outage = [one for episode in episodes[: counted + 1] for one in episode.bads]
    strays = sum(len(episode.bads) for episode in episodes[counted + 1 :])

    down = _down(outage, goods)
    end, note = episodes[counted].end, ""
    if end is None:
        note = "never good again while it was watched"
    elif undo_ns is not None and end.done_ns > undo_ns:
        end, note = None, "good again only after the fault was taken back, which is no recovery"
    elif counted == len(episodes) - 1 and goods[-1].sent_ns - end.done_ns < hold_ns:
        end, note = None, "good again, but not watched for as long as it must hold"
    up_hi = end.done_ns if end is not None else None
    return Outage(down, outage[-1].sent_ns, up_hi, strays, note)


def _episodes(bads: Sequence[Asked], goods: Sequence[Asked], hold_ns: int) -> Sequence[_Episode]:
    """Split the bad answers wherever good ones held long enough between two of them."""
    episodes: list[_Episode] = []
    begin = 0
    for index, last in enumerate(bads):
        following = bads[index + 1].sent_ns if index + 1 < len(bads) else None
        if following is not None and following - last.sent_ns <= hold_ns:
            continue  # no room for a held run: the cheap test first
        end = _first_good(bads[begin : index + 1], goods, following)
        if following is None or (end is not None and following - end.done_ns >= hold_ns):
            episodes.append(_Episode(bads[begin : index + 1], end))
            begin = index + 1
    return episodes


def _flaps(bads: Sequence[Asked], goods: Sequence[Asked]) -> tuple[int, int] | None:
    """First asking and last answer of the good ones between bad questions; None without any."""
    first, last = bads[0].sent_ns, bads[-1].sent_ns
    between = [one for one in goods if one.sent_ns > first and one.done_ns <= last]
    if not between:
        return None
    return between[0].sent_ns, max(one.done_ns for one in between)


def _down(bads: Sequence[Asked], goods: Sequence[Asked]) -> Span:
    """When it went down first: after a good answer was asked for, before a bad one had come.

    That good answer was complete before some bad question of the first stretch was even asked,
    so it was given before the service went down.
    """
    flaps = _flaps(bads, goods)
    still_down = max(one.sent_ns for one in bads if flaps is None or one.sent_ns <= flaps[0])
    last_good = max((one.sent_ns for one in goods if one.done_ns <= still_down), default=None)
    if last_good is None:
        raise CannotTell("no good answer was complete before the first bad question was asked")
    return Span(last_good, min(one.done_ns for one in bads))


def _first_good(
    bads: Sequence[Asked], goods: Sequence[Asked], before_ns: int | None
) -> Asked | None:
    """The good answer that was the first to prove that the service was up again.

    It was asked after the last bad question, and after the service was known to be down: after
    some answer of the last stretch of bad ones had come. An answer asked earlier may have been
    given before the service went down, however late it arrived.
    """
    flaps = _flaps(bads, goods)
    down_by = min(one.done_ns for one in bads if flaps is None or one.sent_ns >= flaps[1])
    earliest = max(down_by, bads[-1].sent_ns + 1)
    proofs = [
        one
        for one in goods
        if one.sent_ns >= earliest and (before_ns is None or one.sent_ns < before_ns)
    ]
    return min(proofs, key=lambda one: one.done_ns, default=None)
