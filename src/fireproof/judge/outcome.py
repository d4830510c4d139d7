"""From verdicts to one outcome and its exit code; dirt first, then aborts, then promises."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fireproof.judge.checks import verdict_of
from fireproof.judge.story import Story
from fireproof.judge.words import many
from fireproof.model.judgement import CheckResult, ObjectiveResult
from fireproof.model.plan import MISSED, OCCURRENCE, Plan
from fireproof.model.verdict import ExitCode, Outcome, Verdict, combine

_STEPPED = ("recover", "verify", "refuse")


@dataclass(frozen=True, slots=True)
class Conclusion:
    """How the run ended, in one word, one number and one sentence."""

    outcome: Outcome
    exit_code: int
    reason: str


def conclude(
    plan: Plan,
    story: Story,
    objectives: Sequence[ObjectiveResult],
    checks: Sequence[CheckResult],
) -> Conclusion:
    """Outcome of the run; precedence as in the table of exit codes."""
    ended = (
        find_dirt(story)
        or find_missed(plan, story)
        or find_abort(story, harmless=not plan.drill.fault)
    )
    if ended:
        return ended
    findings: list[tuple[Verdict, str]] = []
    findings += [(o.verdict, f"{o.name} {o.verdict.value}: {o.reason}") for o in objectives]
    if not objectives:
        findings.append((Verdict.INCONCLUSIVE, "no objective was judged"))
    findings += _procedure(plan, story)
    for check in checks:
        said = f"check {check.name}: expected {check.expected}, got {check.observed}"
        findings.append((check.verdict, said))
    verdict = combine(one for one, _ in findings)
    if verdict is Verdict.MET:
        held = [f"{many(len(objectives), 'objective')} met"]
        held += [f"{many(len(checks), 'check')} held"] if checks else []
        after = "every fault taken back" if plan.drill.fault else "no fault was planned"
        reason = f"{' and '.join(held)}; {after}"
        unasked = len(plan.drill.objectives) - len(objectives)
        reason += f"; {many(unasked, 'objective')} not asked in {plan.profile}" if unasked else ""
        return Conclusion(Outcome.PASSED, ExitCode.OK, reason)
    why = [text for one, text in findings if one is verdict]
    reason = _one_line(why[0]) + (f" (and {len(why) - 1} more)" if len(why) > 1 else "")
    if verdict is Verdict.MISSED:
        return Conclusion(Outcome.FAILED, ExitCode.MISSED, reason)
    return Conclusion(Outcome.INCONCLUSIVE, ExitCode.INCONCLUSIVE, reason)


def find_dirt(story: Story) -> Conclusion | None:
    """A fault that may still be there, or residue; nothing else matters then."""
    open_faults: dict[object, str] = {}
    for record in story.of("intent", "injected", "reverted", "revert-failed"):
        fault = record.data["fault"]
        if record.kind == "intent":
            open_faults[fault] = f"{record.data['label']} was never taken back"
        elif record.kind == "injected":
            open_faults.setdefault(fault, f"fault {fault} was never taken back")
        elif record.kind == "reverted":
            open_faults.pop(fault, None)
        else:
            command = record.data["command"]
            by_hand = f"; run by hand: {command}" if command else ""
            open_faults[fault] = f"undo failed: {record.data['detail']}{by_hand}"
    text = "; ".join(open_faults.values())
    residues = list(story.of("residue"))
    if not text and residues and residues[-1].data["clean"] is not True:
        found = residues[-1].data["found"]
        listed = ", ".join(map(str, found)) if isinstance(found, list) else str(found or "")
        text = f"residue: {listed or 'could not be told'}"
    if not text and not residues and any(story.of("intent", "injected")):
        text = "nobody looked for residue after the faults were taken back"
    if not text:
        return None
    reason = f"the system may still be broken: {_one_line(text)}"
    return Conclusion(Outcome.ABORTED_DIRTY, ExitCode.DIRTY, reason)


def find_missed(plan: Plan, story: Story) -> Conclusion | None:
    """A run that was due and never began; its plan says so."""
    why = plan.parameters.get(MISSED)
    if why is None or any(story.of("step-start", "intent", "injected")):
        return None
    reason = f"due at {plan.parameters.get(OCCURRENCE)} and not run: {_one_line(why)}"
    return Conclusion(Outcome.MISSED_RUN, ExitCode.STOPPED_BEFORE_FAULT, reason)


def find_abort(story: Story, *, harmless: bool = False) -> Conclusion | None:
    """An abort that was cleanly undone.

    A ``harmless`` drill has no fault, but from where one would be its steps may have changed the
    system: an abort there is no stop before anything was touched.
    """
    aborts = list(story.of("abort"))
    if not aborts:
        return None
    data = aborts[0].data
    harmed = any(record.seq < aborts[0].seq for record in story.of("intent", "injected"))
    signal = next((r.data["signal"] for r in aborts if r.data["signal"]), None)
    after = "; every fault taken back" if harmed else "; nothing was harmed"
    if harmless and story.phase_start_ns("fault") is not None:
        harmed, after = True, "; no fault was planned"
    reason = f"aborted in {data['phase']} by {data['by']}: {_one_line(str(data['why']))}{after}"
    if signal:
        code = 128 + int(signal)
    else:
        code = ExitCode.ABORTED if harmed else ExitCode.STOPPED_BEFORE_FAULT
    return Conclusion(Outcome.ABORTED, int(code), reason)


def _procedure(plan: Plan, story: Story) -> list[tuple[Verdict, str]]:
    """Whether everything that was planned was done, and succeeded."""
    found: list[tuple[Verdict, str]] = []
    injected = {str(record.data["fault"]) for record in story.of("injected")}
    intended = {str(record.data["fault"]) for record in story.of("intent")}
    if injected - intended:
        found.append((Verdict.INCONCLUSIVE, "a fault was injected without a recorded intent"))
    failed = [str(record.data["detail"]) for record in story.of("fault-failed")]
    if failed:
        found.append((Verdict.INCONCLUSIVE, f"a fault could not be applied: {failed[0]}"))
    if len(injected) < len(plan.drill.fault):
        found.append((Verdict.INCONCLUSIVE, "not every planned fault was injected"))
    declared = story.recovery()
    if declared is None:
        found.append((Verdict.INCONCLUSIVE, "recovery was never declared"))
    elif declared.data["ok"] is not True:
        verdict = verdict_of(declared.data["ok"])
        found.append((verdict, f"recovery failed: {declared.data['detail']}"))
    found += _loads(plan, story)
    for record in story.of("step-end"):
        verdict = verdict_of(record.data["ok"])
        if verdict is Verdict.MISSED and record.data["phase"] not in _STEPPED:
            verdict = Verdict.INCONCLUSIVE  # a failed preparation says nothing about the promise
        said = "failed" if record.data["ok"] is False else "could not be told"
        where = f"{record.data['phase']} step {record.data['label']!r}"
        found.append((verdict, f"{where} {said}: {record.data['detail']}"))
    planned = {
        "preflight": plan.drill.preflight,
        "baseline": plan.drill.baseline.steps,
        "recover": plan.drill.recover,
        "verify": plan.drill.verify,
        "refuse": plan.drill.refuse,
    }
    for phase, steps in planned.items():
        done = {str(record.data["index"]) for record in story.steps(phase)}
        if len(done) < len(steps):
            missing = len(steps) - len(done)
            text = f"{many(missing, f'{phase} step was', f'{phase} steps were')} never finished"
            found.append((Verdict.INCONCLUSIVE, text))
    return found


def _loads(plan: Plan, story: Story) -> list[tuple[Verdict, str]]:
    """A load that broke down leaves the rest of the drill without what it was to stand."""
    ended = {str(record.data["load"]): record.data["clean"] for record in story.of("load-stop")}
    said = {None: "was never stopped", False: "broke down"}
    return [
        (Verdict.INCONCLUSIVE, f"load {name} {said.get(ended.get(name), 'broke down')}")
        for name in plan.drill.load
        if ended.get(name) is not True
    ]


def _one_line(text: str) -> str:
    return " ".join(text.split())
