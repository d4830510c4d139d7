"""A plan is approved by people, exactly, before it runs; the auditor sees by whom."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from support.approver import make_approver, make_key
from support.scenario import Ran, Scenario

pytestmark = pytest.mark.component


class Approved(Scenario):
    """An environment that asks for approvals."""

    place: dict[str, Any]

    def environment(self) -> dict[str, Any]:
        return super().environment() | getattr(self, "place", {"approvals": 1})

    def drill(self) -> dict[str, Any]:
        (self.project / "steps").mkdir(exist_ok=True)
        program = self.project / "steps" / "start.sh"
        if not program.exists():
            program.write_text('exec "$@"\n')
        start = ["sh", "steps/start.sh", *self.ctl("start")]
        return super().drill() | {"recover": [{"process": start, "timeout": "10s"}]}

    def approve(self, key: Path, *words: str) -> Ran:
        _, drill, _, environment = self.write()
        argv = ["approve", drill, "-e", environment, "--key", str(key), *words]
        return self.wait(self.call(argv))


@pytest.fixture
def scenario(tmp_path: Path) -> Approved:
    return Approved(tmp_path)


@pytest.fixture(autouse=True)
def _ended(scenario: Approved) -> Any:
    yield
    scenario.close()


def refused(scenario: Approved, drill: dict[str, Any] | None = None) -> str:
    before = scenario.pid
    runs = len(list(scenario.evidence.glob("runs/*")))

    ran = scenario.run(drill)

    assert ran.code == 3, ran.stderr
    assert "nothing was run" in ran.stderr
    assert scenario.pid == before, "the system was touched"
    assert len(list(scenario.evidence.glob("runs/*"))) == runs
    return ran.stderr


def test_an_approved_plan_runs_and_the_bundle_says_by_whom(scenario: Approved) -> None:
    """The main road: refused, approved, run, verified; and verified no more without the key."""
    assert "asks for 1 approval of exactly this plan, and there are 0" in refused(scenario)
    key = make_approver(scenario.evidence, "ada")

    approved = scenario.approve(key)
    ran = scenario.run()

    assert approved.code == 0, approved.stderr
    assert (ran.code, ran.outcome) == (0, "passed"), ran.stderr
    assert len(list((ran.bundle / "data" / "approvals").iterdir())) == 1
    verified = scenario.wait(scenario.call(["verify", str(ran.bundle)]))
    assert (verified.code, "1 of 1 needed" in verified.stdout) == (0, True), verified.stderr
    other = make_key(scenario.project / "o.pem", scenario.project / "o.pub.pem")
    words = ["verify", str(ran.bundle), "--approver", str(other.with_suffix(".pub.pem"))]
    doubted = scenario.wait(scenario.call(words))
    assert (doubted.code, "which is not trusted" in doubted.stderr) == (5, True)
    assert "DO NOT RELY" in doubted.stderr


@pytest.mark.full
def test_whatever_changes_the_approval_is_void(scenario: Approved) -> None:
    """A nod to one plan is no nod to another; what changed is named."""
    scenario.approve(make_approver(scenario.evidence, "ada"))
    limit = scenario.drill()
    limit["objectives"]["recovery-time"]["rto"] = "11s"
    words = scenario.drill() | {"title": "Another title"}

    said = refused(scenario, limit)
    assert "void: drill.objectives.recovery-time.rto: '10s' was approved, '11s' is planned" in said
    assert "void: drill.title:" in refused(scenario, words)
    program = scenario.project / "steps" / "start.sh"
    program.write_text('exec "$@" # harmless, says its author\n')
    assert "void: procedures.steps/start.sh:" in refused(scenario)
    program.write_text('exec "$@"\n')
    scenario.extra = {"faults": ["kill", "pause", "lose-data-directory"]}
    assert "void: environment.components.tiny.faults" in refused(scenario)
    scenario.extra = {}
    ran = scenario.run()
    assert ran.code == 0, ran.stderr  # as it was approved, it runs; and runs again
    assert scenario.run().code == 0


@pytest.mark.full
def test_only_others_who_may_are_counted_once_each(scenario: Approved) -> None:
    """Two approvals are two people, neither of them the runner or a stranger."""
    scenario.place = {"approvals": 2}
    ada, bob = (make_approver(scenario.evidence, name) for name in ("ada", "bob"))
    stranger = make_key(scenario.project / "s.pem", scenario.project / "s.pub.pem")

    scenario.approve(ada)
    scenario.approve(ada)
    told = scenario.approve(stranger)
    said = refused(scenario)

    assert "asks for 2 approvals of exactly this plan, and there are 1" in said
    assert "which is not trusted" in said
    assert "is not trusted to approve here yet" in told.stdout
    runner = scenario.evidence / "keys" / "runner.pem"
    own = scenario.approve(runner)
    assert (own.code, "nobody approves himself" in own.stderr) == (2, True)
    trust = scenario.evidence / "trust"
    shutil.copy(trust / "runner.pub.pem", trust / "approvers" / "runner.pub.pem")
    (trust / "runner.pub.pem").rename(trust / "aside.pem")
    scenario.approve(runner)
    (trust / "aside.pem").rename(trust / "runner.pub.pem")
    assert "signed by the runner's own key" in refused(scenario)
    scenario.approve(bob)
    ran = scenario.run()
    assert ran.code == 0, ran.stderr


@pytest.mark.full
def test_the_environment_may_name_its_approvers(scenario: Approved) -> None:
    """Production's owners are not staging's."""
    make_key(scenario.project / "owner.pem", scenario.project / "owner.pub.pem")
    ada = make_approver(scenario.evidence, "ada")
    scenario.place = {"approvals": 1, "approvers": ["owner.pub.pem"]}

    scenario.approve(ada)
    assert "which is not trusted" in refused(scenario)
    scenario.approve(scenario.project / "owner.pem")

    ran = scenario.run()
    assert ran.code == 0, ran.stderr
