"""Whole game days: order, groups, stops, and one bundle that refers to the drills'."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fireproof.processes import marked
from support.gamedays import GameDays

pytestmark = pytest.mark.component


def verified(days: GameDays, *words: str) -> tuple[int, str]:
    ran = days.scenario.wait(days.scenario.call(["verify", str(days.bundle()), *words]))
    return ran.code, ran.stdout + ran.stderr


def test_a_day_in_order_and_side_by_side_is_one_bundle(days: GameDays) -> None:
    """An auditor asks for one thing, and finds every drill from there."""
    ran = days.call("looks", {"parallel": ["watches", {"drill": "kills"}]})

    assert ran.code == 0, ran.stderr
    assert days.ends() == dict.fromkeys(("looks", "watches", "kills"), ("passed", 0))
    assert ran.stdout.splitlines()[-1] == str(days.bundle().relative_to(days.scenario.project))
    assert "\nwatches  PASSED  " in ran.stderr
    assert "\nkills  PASSED  " in ran.stderr
    assert "\nPASSED  " in ran.stderr  # the first one ran alone
    first, *others = days.judgement()["drills"]
    assert [drill["group"] for drill in (first, *others)] == [0, 1, 1]
    assert all(float(drill["started_s"]) >= float(first["ended_s"]) for drill in others)
    assert verified(days)[0] == 0
    key = days.scenario.evidence / "trust" / "runner.pub.pem"
    by_shell = subprocess.run(
        ["sh", str(days.bundle() / "verify.sh"), str(key)], capture_output=True, text=True
    )
    assert by_shell.returncode == 0, by_shell.stdout


@pytest.mark.full
def test_a_drill_that_is_missing_or_another_is_noticed(days: GameDays) -> None:
    """A red drill could otherwise be left out of the folder that is handed over."""
    assert days.call("looks", "watches").code == 0
    looks, watches = (drill["run"] for drill in days.judgement()["drills"])
    home = days.bundle().parent
    shutil.move(home / looks, days.scenario.project / looks)

    code, said = verified(days)
    assert (code, "BAD  drills" in said) == (5, True)
    assert f"looks: its bundle {looks} is not beside this one" in said
    assert verified(days, "--alone")[0] == 0

    shutil.copytree(home / watches, home / looks)
    code, said = verified(days)
    assert code == 5
    assert "looks: its bundle does not hold" in said

    shutil.rmtree(home / looks)
    shutil.move(days.scenario.project / looks, home / looks)
    assert verified(days)[0] == 0
    with (home / looks / "data" / "journal.jsonl").open("ab") as journal:
        journal.write(b"x")
    assert verified(days)[0] == 5


def test_the_line_stops_where_the_file_says_so(days: GameDays) -> None:
    """What comes after a failed restore would be measured on the wreck of it."""
    red = {"drill": "looks", "params": {"status": 404}}

    ran = days.call(red, "watches", rules={"stop-the-line": ["failed"]})

    assert ran.code == 1, ran.stderr
    assert days.ends() == {"looks": ("failed", 1), "watches": (None, None)}
    drill = days.judgement()["drills"][1]
    assert drill["why"] == "looks failed, which stops the line"
    assert verified(days)[0] == 0


@pytest.mark.full
def test_without_a_rule_the_rest_is_run_and_the_day_is_as_its_worst(days: GameDays) -> None:
    """One red drill hides no other, and no green one hides it."""
    ran = days.call({"drill": "looks", "params": {"status": 404}}, "watches")

    assert ran.code == 1, ran.stderr
    assert days.ends() == {"looks": ("failed", 1), "watches": ("passed", 0)}
    assert days.judgement()["outcome"] == "failed"


def test_a_param_of_one_drill_wins_over_the_file(days: GameDays) -> None:
    """What was asked for at the prompt is what runs, and the plans say so."""
    words = ("--param", "looks.status=404", "--profile", "smoke")
    ran = days.call("looks", "watches", words=words, rules={"profile": "full"})

    assert ran.code == 1, ran.stderr
    run = days.judgement()["drills"][0]["run"]
    plan = json.loads((days.bundle().parent / run / "plan.json").read_text())
    assert plan["params"]["status"] == {"value": "404", "from": "--param"}
    assert (plan["profile"], plan["params"]["wait"]["value"]) == ("smoke", "10ms")


def test_outside_its_window_nothing_begins(days: GameDays) -> None:
    """A game day at noon of a working day is an incident."""
    now = datetime.now(UTC)
    window = {
        "from": f"{now + timedelta(hours=2):%H:%M}",
        "until": f"{now + timedelta(hours=3):%H:%M}",
    }

    ran = days.call("looks", rules={"window": window})

    assert ran.code == 3
    assert "may begin on" in ran.stderr
    assert days.bundles() == []


def test_a_component_under_drill_stops_the_day_before_its_first_drill(days: GameDays) -> None:
    """Known only at the third drill, two have broken things for nothing."""
    days.write("holds", ["tiny"])
    words = ["run", "drills/holds.yaml", "-e", "desk.yaml", "--param", "wait=20s"]
    other = days.scenario.call(words)
    try:
        days.scenario.wait_for_record("open")
        ran = days.call("watches", "looks")
    finally:
        other.send_signal(signal.SIGTERM)
        other.communicate()

    assert ran.code == 3, ran.stderr
    assert "component 'tiny' is under drill by run" in ran.stderr
    assert not [path for path in days.bundles() if days.is_day(path)]


@pytest.mark.parametrize(
    "signum", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.full)]
)
def test_a_stop_ends_all_that_run_side_by_side(days: GameDays, signum: signal.Signals) -> None:
    """Two drills are under way; a third must not begin, and nothing half done may remain."""
    slow = [{"drill": name, "params": {"wait": "20s"}} for name in ("looks", "watches")]
    file = days.file({"parallel": slow}, "kills")
    child = days.scenario.call(["gameday", file, "-e", "desk.yaml"])
    journals = "runs/*/bag/data/journal.jsonl"
    days.scenario.wait_until(
        lambda: (
            sum("baseline" in path.read_text() for path in days.scenario.evidence.glob(journals))
            == 2
        ),
        30,
    )
    child.send_signal(signum)
    ran = days.scenario.wait(child, 30)

    assert ran.code == 128 + signum, ran.stderr
    ended = ("aborted", 128 + signum)
    assert days.ends() == {"looks": ended, "watches": ended, "kills": (None, None)}
    assert days.judgement()["outcome"] == "aborted"
    assert verified(days)[0] == 0
    runs = [drill["run"] for drill in days.judgement()["drills"]]
    assert [pid for run in runs for pid in marked(run)] == []


def test_a_killed_day_takes_its_drills_down_and_is_sealed_by_recover(days: GameDays) -> None:
    """Nobody would otherwise know what the day had come to when the machine's owner killed it."""
    file = days.file({"drill": "looks", "params": {"wait": "20s"}}, "watches")
    child = days.scenario.call(["gameday", file, "-e", "desk.yaml"])
    days.scenario.wait_until(
        lambda: list(days.scenario.evidence.glob("runs/*/bag/data/samples")) or _baseline(days), 20
    )
    child.kill()
    child.communicate()

    ran = days.scenario.wait(days.scenario.call(["recover"]))

    assert ran.code in (7, 143), ran.stderr
    assert days.ends() == {"looks": ("aborted", 143), "watches": (None, None)}
    assert days.judgement()["outcome"] == "aborted"
    assert verified(days)[0] == 0
    assert days.scenario.wait(days.scenario.call(["recover"])).stderr == "nothing to recover\n"


def _baseline(days: GameDays) -> bool:
    time.sleep(0.05)
    paths: list[Path] = list(days.scenario.evidence.glob("runs/*/bag/data/journal.jsonl"))
    return any('"phase":"baseline"' in path.read_text() for path in paths)


@pytest.mark.full
def test_the_checklist_is_written_from_bundles_that_hold(days: GameDays) -> None:
    """A page that an unverified bundle could turn green would be a claim like any other."""
    days.write("green", ["tiny"])
    days.write("red", ["tiny"], objectives={"answers": {"checks": ["it answers"], "covers": [42]}})
    days.call("green", {"drill": "red", "params": {"status": 404}})
    page = days.scenario.project / "checklist.md"
    words = ["coverage", str(days.bundle()), "--write", str(page)]

    assert days.scenario.wait(days.scenario.call(words)).code == 0
    text = page.read_text()
    assert "**2 of 161 rows are shown and met.** 1 are shown and not met" in text
    assert "an observed value | met | green, answers (smoke) | 1 check of 1 held |" in text
    assert "names no key is refused | MISSED | red, answers (smoke) | it answers: expected" in text

    page.unlink()
    run = days.judgement()["drills"][0]["run"]
    (days.bundle().parent / run / "run.json").write_text("{}")
    refused = days.scenario.wait(days.scenario.call(words))
    assert refused.code == 5
    assert "does not hold; nothing was written" in refused.stderr
    assert not page.exists()


@pytest.mark.full
def test_stop_all_stops_the_line(days: GameDays) -> None:
    """Whoever stops everything must not find the next drill beginning."""
    file = days.file({"drill": "looks", "params": {"wait": "20s"}}, "watches")
    child = days.scenario.call(["gameday", file, "-e", "desk.yaml"])
    days.scenario.wait_until(lambda: _baseline(days), 30)

    stopped = days.scenario.wait(days.scenario.call(["stop", "--all", "--why", "real incident"]))
    ran = days.scenario.wait(child)
    days.scenario.wait(days.scenario.call(["unblock"]))

    assert stopped.code == 0, stopped.stderr
    assert days.judgement()["outcome"] == "aborted", ran.stderr
    looks, watches = days.judgement()["drills"]
    assert (looks["outcome"], watches["outcome"]) == ("aborted", None)
    assert "drills are blocked" in watches["why"]
    assert "real incident" in watches["why"]
    assert verified(days)[0] == 0


def test_a_day_that_stays_short_and_apart_covers_its_rows(days: GameDays) -> None:
    """From the day's own verified bundle; nobody ticks them."""
    long = {
        "gameday": "long",
        "title": "All",
        "drills": ["kills"],
        "schedule": {"cron": "0 3 1 * *"},
    }
    days.file("looks")
    (days.scenario.project / "drills/gamedays/long.yaml").write_text(json.dumps(long))
    rules = {
        "schedule": {"cron": "0 2 * * *"},
        "budget": {"within": "5m", "covers": [94]},
        "apart": {"from": "long", "covers": [93]},
    }

    ran = days.call("looks", rules=rules)

    assert ran.code == 0, ran.stderr
    told = {one["name"]: one["verdict"] for one in days.judgement()["objectives"]}
    assert told == {"gameday.budget": "met", "gameday.apart": "met"}
    assert verified(days)[0] == 0
    covered = days.scenario.wait(days.scenario.call(["coverage", str(days.bundle())]))
    rows = [line for line in covered.stdout.splitlines() if "| day, gameday." in line]
    assert [line.split(" | ")[0] for line in rows] == ["| 93", "| 94"]
    assert "1 of 1 drills took" in rows[1]


@pytest.mark.full
def test_a_day_over_its_budget_is_missed(days: GameDays) -> None:
    """The known-bad day: every drill passed, and it took too long all the same."""
    ran = days.call("looks", rules={"budget": {"within": "1ms"}})

    assert ran.code == 1, ran.stderr
    assert "MISSED  gameday.budget  1 of 1 drills took" in ran.stderr
    assert days.judgement()["outcome"] == "failed"
    assert verified(days)[0] == 0


def test_what_cannot_be_is_told_before_anything_runs(days: GameDays) -> None:
    """Workers where no drill has a load; a day apart from one that is not there."""
    idle = days.call("looks", words=("--workers", "2"))
    lost = days.call("looks", rules={"apart": {"from": "longer"}})

    assert (idle.code, lost.code) == (2, 2)
    assert "--workers 2: no drill of this game day has a load" in idle.stderr
    assert "apart.from: expected another game day of this folder, got 'longer'" in lost.stderr
