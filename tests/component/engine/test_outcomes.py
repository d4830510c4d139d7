"""Whole runs against a real service: green only what was seen, and everything is sealed."""

from __future__ import annotations

import http.server
import os
import signal
import threading
from pathlib import Path

import pytest

from support.scenario import Scenario

pytestmark = pytest.mark.component


class Fine(http.server.BaseHTTPRequestHandler):
    """Always well."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None: ...


def test_a_good_drill_passes_is_sealed_and_verifies(scenario: Scenario) -> None:
    """The main job in small."""
    ran = scenario.run()

    assert (ran.code, ran.outcome) == (0, "passed"), ran.stderr
    assert scenario.verify(ran.bundle) == 0
    assert Path(ran.stdout.strip()).name == ran.bundle.name


def test_a_missed_limit_is_failed(scenario: Scenario) -> None:
    """The service came back, but later than promised."""
    drill = scenario.drill()
    drill["objectives"]["recovery-time"]["rto"] = "600ms"
    drill["recover"].insert(0, {"process": ["sleep", "0.7"], "timeout": "5s"})

    ran = scenario.run(drill)

    assert (ran.code, ran.outcome) == (1, "failed"), ran.stderr
    assert scenario.verify(ran.bundle) == 0


def test_a_recovery_step_that_fails_is_failed_and_undone(scenario: Scenario) -> None:
    """Exit 1 of the restore script may not end in green."""
    drill = scenario.drill()
    drill["recover"] = [{"process": ["false"], "timeout": "5s"}]

    ran = scenario.run(drill)

    assert (ran.code, ran.outcome) == (1, "failed"), ran.stderr
    assert scenario.answers()


def test_a_recovery_step_that_hangs_is_failed_and_undone(scenario: Scenario) -> None:
    """A restore that never ends has an endless recovery time."""
    drill = scenario.drill()
    drill["recover"] = [{"process": ["sleep", "600"], "timeout": "1s"}]

    ran = scenario.run(drill)

    assert (ran.code, ran.outcome) == (1, "failed"), ran.stderr
    assert scenario.answers()
    assert "sleep" in ran.stderr


def test_content_that_is_wrong_after_recovery_is_failed(scenario: Scenario) -> None:
    """Up is not back."""
    drill = scenario.drill()
    drill["verify"] = [{"http": "{tiny.url}/", "contains": "excellent", "timeout": "5s"}]

    ran = scenario.run(drill)

    assert (ran.code, ran.outcome) == (1, "failed"), ran.stderr


def test_a_service_that_was_down_all_along_is_failed(scenario: Scenario) -> None:
    """A service that was down all along has no recovery time."""
    (scenario.service / "answer").write_text("bad")
    drill = scenario.drill()
    drill["objectives"]["recovery-time"]["rto"] = "2s"  # it is waited for in vain

    ran = scenario.run(drill)

    assert (ran.code, ran.outcome) == (1, "failed"), ran.stderr


def test_a_fault_that_does_not_bite_is_never_green(scenario: Scenario) -> None:
    """A harm that no client noticed shows no recovery: the probe asks somebody else here."""
    drill = scenario.drill()
    elsewhere = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Fine)
    thread = threading.Thread(target=elsewhere.serve_forever)
    thread.start()
    drill["probes"]["api"]["http"] = f"http://127.0.0.1:{elsewhere.server_address[1]}/"
    try:
        ran = scenario.run(drill)
    finally:
        elsewhere.shutdown()
        thread.join()
        elsewhere.server_close()

    assert (ran.code, ran.outcome) == (6, "inconclusive"), ran.stderr
    assert "did not bite" in ran.stderr


def test_a_stop_during_recovery_undoes_seals_and_says_so(scenario: Scenario) -> None:
    """Ctrl-C at the worst moment leaves a running service and a signed record."""
    drill = scenario.drill()
    drill["recover"] = [{"process": ["sleep", "30"], "timeout": "60s"}]
    child = scenario.start(drill)
    scenario.wait_for_record("injected")

    child.send_signal(signal.SIGINT)
    ran = scenario.wait(child)

    assert (ran.code, ran.outcome) == (130, "aborted"), ran.stderr
    assert scenario.answers()
    assert scenario.verify(ran.bundle) == 0


def test_a_killed_runner_is_undone_and_sealed_by_its_guardian(scenario: Scenario) -> None:
    """Kill -9 of the runner leaves nothing broken and one outcome."""
    drill = scenario.drill()
    (scenario.project / "slow.yml").write_text(
        "- hosts: localhost\n  gather_facts: false\n  tasks:\n    - ansible.builtin.pause:\n"
        "        seconds: 30\n"
    )
    drill["recover"] = [{"playbook": "slow.yml", "timeout": "60s"}]
    child = scenario.start(drill)
    opened = scenario.wait_for_record("open")["data"]
    runner, run = opened["pid"], opened["run"]
    scenario.wait_for_record("injected")
    scenario.wait_until(lambda: list(Path("/dev/shm").glob(f"fireproof-{run}-*")), 10)

    os.kill(runner, signal.SIGKILL)
    ran = scenario.wait(child)

    assert (ran.code, ran.outcome) == (7, "aborted"), ran.stderr
    assert scenario.answers()
    assert scenario.verify(ran.bundle) == 0
    assert not list(Path("/dev/shm").glob(f"fireproof-{run}-*"))


def test_both_killed_is_recovered_by_the_next_call(scenario: Scenario) -> None:
    """After a power cut, one `fireproof recover` undoes and seals."""
    drill = scenario.drill()
    drill["recover"] = [{"process": ["sleep", "30"], "timeout": "60s"}]
    child = scenario.start(drill)
    runner = scenario.wait_for_record("open")["data"]["pid"]
    scenario.wait_for_record("injected")
    os.kill(child.pid, signal.SIGSTOP)
    os.kill(runner, signal.SIGKILL)
    child.kill()
    child.communicate()

    ran = scenario.wait(scenario.call(["recover"]))

    assert (ran.code, ran.outcome) == (7, "aborted"), ran.stderr
    assert scenario.answers()
    assert scenario.verify(ran.bundle) == 0


def test_evidence_that_cannot_be_written_stops_before_the_fault(scenario: Scenario) -> None:
    """Breaking a system without a record is harm, not a drill."""
    scenario.evidence.write_text("a file, not a folder")

    ran = scenario.run()

    assert ran.code == 3, ran.stderr
    assert scenario.answers()
    assert "evidence" in ran.stderr


def test_a_fault_that_the_environment_does_not_allow_is_refused(scenario: Scenario) -> None:
    """Nothing outside what the environment file says is broken."""
    words = scenario.write()
    text = (scenario.project / "desk.yaml").read_text()
    (scenario.project / "desk.yaml").write_text(text.replace("- kill\n", ""))

    ran = scenario.wait(scenario.call(words))

    assert ran.code == 3, ran.stderr
    assert scenario.answers()


def test_a_component_under_drill_is_refused(scenario: Scenario) -> None:
    """Two drills on one service measure each other."""
    drill = scenario.drill()
    drill["recover"].insert(0, {"process": ["sleep", "3"], "timeout": "10s"})
    first = scenario.start(drill)
    scenario.wait_for_record("injected")

    second = scenario.wait(scenario.call(scenario.write(scenario.drill())))

    assert second.code == 3, second.stderr
    assert "under drill" in second.stderr
    assert scenario.wait(first).code == 0


def test_a_missing_playbook_is_found_before_the_fault(scenario: Scenario) -> None:
    """Found out in the middle of a restore, it would be an outage."""
    drill = scenario.drill()
    drill["recover"] = [{"playbook": "playbooks/gone.yml", "timeout": "5s"}]

    ran = scenario.run(drill)

    assert ran.code == 3, ran.stderr
    assert "playbooks/gone.yml" in ran.stderr
    assert scenario.answers()
    assert not list(scenario.evidence.glob("runs/*"))


def test_an_abort_condition_stops_before_the_fault(scenario: Scenario) -> None:
    """A service that is sick already is not to be broken on top."""
    drill = scenario.drill()
    drill["abort"] = [{"when": "api.errors > 3 before fault"}]
    drill["baseline"] = {"for": "20s"}
    child = scenario.start(drill)
    scenario.wait_for_record("probe-start")
    (scenario.service / "answer").write_text("bad")

    ran = scenario.wait(child)

    assert (ran.code, ran.outcome) == (3, "aborted"), ran.stderr
    assert "api.errors > 3" in ran.stderr
    assert scenario.verify(ran.bundle) == 0
