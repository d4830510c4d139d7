"""The judgement of a game day: from what its journal says of each drill."""

from __future__ import annotations

from collections.abc import Sequence

from fireproof.judge.promises import judge_promises
from fireproof.judge.words import many
from fireproof.model.gameday import GameDayPlan, Member
from fireproof.model.gameday_judgement import GameDayJudgement, MemberResult
from fireproof.model.record import Record
from fireproof.model.verdict import ExitCode, Outcome, Verdict, heaviest_exit

_OUTCOMES = {
    ExitCode.OK: Outcome.PASSED,
    ExitCode.MISSED: Outcome.FAILED,
    ExitCode.DIRTY: Outcome.ABORTED_DIRTY,
    ExitCode.ABORTED: Outcome.ABORTED,
}
_CODES = {
    Verdict.MET: int(ExitCode.OK),
    Verdict.MISSED: int(ExitCode.MISSED),
    Verdict.INCONCLUSIVE: int(ExitCode.INCONCLUSIVE),
}
_VERDICTS = {Outcome.PASSED.value: Verdict.MET, Outcome.FAILED.value: Verdict.MISSED}


def judge_gameday(plan: GameDayPlan, records: Sequence[Record]) -> GameDayJudgement:
    """Outcome of the day: as its heaviest drill; one that was not run is never a pass.

    Pure: the same plan and records give the same judgement.
    """
    zero_ns = records[0].mono_ns if records else 0
    drills = tuple(_member(member, records, zero_ns) for member in plan.members)
    objectives = judge_promises(plan, records, drills)
    codes = [_code(drill) for drill in drills]
    codes += [_CODES[objective.verdict] for objective in objectives]
    aborts = [record.data for record in records if record.kind == "abort"]
    residue = [record.data for record in records if record.kind == "residue"]
    if aborts:
        signal = next((data["signal"] for data in aborts if data["signal"]), None)
        begun = any(drill.started_s is not None for drill in drills)
        stopped = ExitCode.ABORTED if begun else ExitCode.STOPPED_BEFORE_FAULT
        codes.append(128 + int(signal) if signal else int(stopped))
    if not residue or residue[-1]["clean"] is not True:
        codes.append(int(ExitCode.DIRTY))
    code = heaviest_exit(codes)
    outcome = _OUTCOMES.get(ExitCode(code)) if code in set(ExitCode) else None
    if code > 128:
        outcome = Outcome.ABORTED
    if aborts and outcome is not Outcome.ABORTED_DIRTY:
        outcome = Outcome.ABORTED  # never anything better, whatever the drills were
    reason = _reason(drills, [str(data["why"]) for data in aborts])
    unmet = [one for one in objectives if one.verdict is not Verdict.MET]
    reason = "; ".join([reason, *(f"{o.name} {o.verdict.value}: {o.reason}" for o in unmet)])
    return GameDayJudgement(outcome or Outcome.INCONCLUSIVE, code, reason, drills, objectives)


def _code(drill: MemberResult) -> int:
    """A drill's weight in the day: an exit code of 0 that no sealed bundle shows is unknown."""
    unproved = drill.exit_code == ExitCode.OK and drill.verdict is not Verdict.MET
    return int(ExitCode.INCONCLUSIVE) if drill.exit_code is None or unproved else drill.exit_code


def _member(member: Member, records: Sequence[Record], zero_ns: int) -> MemberResult:
    def data_of(kind: str) -> Record | None:
        found = (r for r in records if r.kind == kind and r.data["member"] == member.name)
        return next(found, None)

    def since(at_ns: object) -> str | None:
        return f"{(at_ns - zero_ns) / 1e9:.3f}" if isinstance(at_ns, int) else None

    started, ended, left_out = map(data_of, ("drill-start", "drill-end", "drill-not-run"))
    code = outcome = identity = None
    why = ""
    if ended is not None:
        code, outcome = ended.data["code"], ended.data["outcome"]
        identity, why = ended.data["identity"], ended.data["why"]
    elif started is not None:
        why = "it was begun, and nothing says how it ended"
    else:
        why = str(left_out.data["why"]) if left_out else "it was never begun"
    return MemberResult(
        member.name,
        member.drill,
        member.run,
        member.group,
        # An outcome without a bundle is somebody's word.
        _VERDICTS.get(str(outcome), Verdict.INCONCLUSIVE) if identity else Verdict.INCONCLUSIVE,
        outcome,
        code,
        identity,
        since(started.mono_ns) if started else None,
        since(ended.data["after_ns"]) if ended else None,
        why,
    )


def _reason(drills: Sequence[MemberResult], aborted: Sequence[str]) -> str:
    passed = sum(drill.verdict is Verdict.MET for drill in drills)
    text = f"{passed} of {many(len(drills), 'drill')} passed"
    said = [f"{drill.name} {_ended(drill)}" for drill in drills if drill.verdict != Verdict.MET]
    return "; ".join([*(f"aborted: {why}" for why in aborted[:1]), text, *said])


def _ended(drill: MemberResult) -> str:
    if drill.started_s is None:
        return f"was not run: {drill.why}"
    if drill.exit_code is None:
        return f"has no known end: {drill.why}"
    return f"{drill.outcome or drill.why} (code {drill.exit_code})"
