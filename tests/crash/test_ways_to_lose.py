"""Each of these once left a service broken, or said so wrongly."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fireproof.processes import identify, marked
from support.scenario import Scenario

HARNESS = {"PYTHONPATH": str(Path(__file__).parents[1] / "support" / "kill_at")}

pytestmark = [pytest.mark.component, pytest.mark.crash]


def slow(scenario: Scenario, *argv: str) -> dict[str, object]:
    drill = scenario.drill()
    drill["recover"] = [{"process": list(argv) or ["sleep", "30"], "timeout": "60s"}]
    return drill


def kill_both(scenario: Scenario, child: subprocess.Popen[str]) -> None:
    runner = scenario.wait_for_record("open")["data"]["pid"]
    scenario.wait_for_record("injected")
    os.kill(child.pid, signal.SIGSTOP)
    os.kill(runner, signal.SIGKILL)
    child.kill()
    child.communicate()


def journal_of(scenario: Scenario) -> Path:
    return next(scenario.evidence.glob("runs/*/bag/data/journal.jsonl"))


def test_a_lost_terminal_does_not_stop_the_undo(scenario: Scenario) -> None:
    """The ssh session drops: SIGHUP, and every write to the terminal fails."""
    child = scenario.start(slow(scenario))
    scenario.wait_for_record("injected")
    assert child.stderr is not None
    assert child.stdout is not None
    child.stderr.close()
    child.stdout.close()
    child.send_signal(signal.SIGHUP)
    child.wait(30)

    assert child.returncode == 128 + signal.SIGHUP
    assert scenario.answers()
    result = scenario.last_result()
    assert result is not None
    assert scenario.verify(Path(result["bundle"])) == 0


@pytest.mark.parametrize("streams", [">/dev/full 2>/dev/full", ">&- 2>&-", "<&-"])
def test_streams_that_cannot_be_written_change_nothing(scenario: Scenario, streams: str) -> None:
    """A full log disk is not the system's failure, and no traceback."""
    words = " ".join([sys.executable, "-m", "fireproof", *scenario.write()])
    done = subprocess.run(
        ["sh", "-c", f"exec {words} {streams}"],
        cwd=scenario.project,
        env=scenario.environ,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0
    assert scenario.last_result() is not None


def test_a_runner_that_lost_its_guardian_seals_by_itself(scenario: Scenario) -> None:
    """Nobody says `recover` after a run that told its own end; it would stay unsealed for days."""
    child = scenario.start(slow(scenario))
    scenario.wait_for_record("injected")
    child.kill()
    child.communicate()
    scenario.let_the_runner_end()

    result = scenario.last_result()
    assert scenario.answers()
    assert result is not None
    assert result["exit_code"] == 128 + signal.SIGTERM
    assert scenario.verify(Path(result["bundle"])) == 0


def test_a_damaged_journal_is_not_cut_down_to_harmlessness(scenario: Scenario) -> None:
    """Cutting at the damage would throw the undo away and call the system untouched."""
    child = scenario.start(slow(scenario))
    kill_both(scenario, child)
    journal = journal_of(scenario)
    damaged = bytearray(journal.read_bytes())
    damaged[40] ^= 1
    journal.write_bytes(damaged)

    ran = scenario.wait(scenario.call(["recover"]))

    assert ran.code == 4
    assert "damaged" in ran.stderr
    assert journal.read_bytes() == damaged
    again = scenario.run()
    assert again.code == 3
    assert "may still stand" in again.stderr


def test_a_recovery_that_is_killed_too_is_exit_4(scenario: Scenario) -> None:
    """247 or 130 would say: cleanly undone."""
    environ = HARNESS | {"FIREPROOF_KILL_AT": "run:9:after:KILL,recover:1:before:KILL"}
    ran = scenario.wait(scenario.start(slow(scenario, *scenario.ctl("start")), environ))

    assert ran.code == 4, ran.stderr
    assert "MAY STILL STAND" in ran.stderr
    assert scenario.wait(scenario.call(["recover"])).code == 7
    assert scenario.answers()


def test_signals_do_not_stop_a_recovery(scenario: Scenario) -> None:
    """Systemd sends SIGTERM to the whole group; the undo still comes to its end."""
    drill = slow(scenario)
    child = scenario.start(drill)
    runner = scenario.wait_for_record("open")["data"]["pid"]
    scenario.wait_for_record("injected")
    os.kill(runner, signal.SIGKILL)
    for _ in range(20):
        for pid in (child.pid, *[p for p in _recoveries()]):
            if identify(pid) is not None:
                os.kill(pid, signal.SIGTERM)
        try:
            child.wait(0.1)
            break
        except subprocess.TimeoutExpired:
            continue
    ran = scenario.wait(child)

    assert ran.code in (7, 143), ran.stderr
    assert ran.outcome == "aborted"
    assert scenario.answers()


def _recoveries() -> list[int]:
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                words = Path(f"/proc/{entry}/cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"fireproof" in words and b"recover" in words and b"guardian" in words:
                found.append(int(entry))
    return found


def test_what_a_dead_runner_started_is_ended_before_the_undo(scenario: Scenario) -> None:
    """A restore that goes on beside the undo writes into the database that was put back."""
    child = scenario.start(slow(scenario, "sleep", "47"))
    run = scenario.wait_for_record("open")["data"]["run"]
    scenario.wait_for_record("injected")
    scenario.wait_until(lambda: [p for p in marked(run) if b"47" in _words(p)], 10)
    kill_both(scenario, child)

    ran = scenario.wait(scenario.call(["recover"]))

    assert ran.code == 7, ran.stderr
    assert marked(run) == []


def _words(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return []


def test_a_dirty_component_is_in_quarantine_until_it_is_recovered(scenario: Scenario) -> None:
    """A second drill on a broken service measures the wreck and breaks it further."""
    (scenario.service / "refuse-start").touch()
    dirty = scenario.run()
    assert dirty.code == 4

    (scenario.service / "refuse-start").unlink()
    refused = scenario.run()
    assert refused.code == 3
    assert "quarantine" in refused.stderr

    recovered = scenario.wait(scenario.call(["recover"]))
    assert recovered.code == 7, recovered.stderr
    assert scenario.answers()
    assert scenario.verify(dirty.bundle) == 0
    assert scenario.run().code == 0


def test_a_sealed_bundle_is_no_run_to_recover(scenario: Scenario) -> None:
    """A lock file dropped into a bundle would make it fail its verification."""
    ran = scenario.run()

    again = scenario.wait(scenario.call(["recover", str(ran.bundle)]))

    assert again.code == 2
    assert scenario.verify(ran.bundle) == 0


def test_a_drill_named_like_an_option_is_run_not_skipped(scenario: Scenario) -> None:
    """Exit 0 for a drill that never ran is the worst of all."""
    scenario.write()
    (scenario.project / "-d.yaml").write_text((scenario.project / "drills/tiny.yaml").read_text())

    ran = scenario.wait(scenario.call(["run", "-e", "desk.yaml", "--", "-d.yaml"]))

    assert ran.code == 2  # its name does not match its file; but it was looked at
    assert "nothing was run" in ran.stderr


def test_a_stop_to_a_game_day_reaches_the_drill_and_ends_the_rest(scenario: Scenario) -> None:
    """A game day whose caller is gone may not go on breaking things."""
    scenario.write(slow(scenario))
    (scenario.project / "drills" / "gamedays").mkdir()
    (scenario.project / "drills" / "gamedays" / "one.yaml").write_text(
        "gameday: one\ntitle: One\ndrills: [tiny, tiny]\n"
    )
    child = scenario.call(["gameday", "drills/gamedays/one.yaml", "-e", "desk.yaml"])
    scenario.wait_for_record("injected")
    child.send_signal(signal.SIGTERM)
    ran = scenario.wait(child)

    assert ran.code == 128 + signal.SIGTERM, ran.stderr
    assert ran.outcome == "aborted"
    assert scenario.answers()
    assert len(list(scenario.evidence.glob("runs/*"))) == 2  # the day's, and one drill's


def test_a_recovery_inside_a_json_run_is_json_too(scenario: Scenario) -> None:
    """A program that reads stdout may not find prose there."""
    drill = slow(scenario)
    child = scenario.call([*scenario.write(drill), "--json"])
    runner = scenario.wait_for_record("open")["data"]["pid"]
    scenario.wait_for_record("injected")
    os.kill(runner, signal.SIGKILL)
    ran = scenario.wait(child)

    lines = [json.loads(line) for line in ran.stdout.splitlines()]
    assert lines[-1]["event"] == "result"
    assert lines[-1]["exit_code"] == 7


def test_a_second_run_after_a_crash_recovers_first(scenario: Scenario) -> None:
    """The sweeper is the first act of every run."""
    child = scenario.start(slow(scenario))
    kill_both(scenario, child)

    ran = scenario.run()

    assert ran.code == 0, ran.stderr
    assert len(list(scenario.evidence.glob("bundles/*/*/*"))) == 2
