from __future__ import annotations

import json
import shlex
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from fireproof.errors import UsageError
from fireproof.evidence import EvidenceRoot
from fireproof.evidence.keys import ensure_runner_key
from fireproof.fleet import Entry
from fireproof.fleet.render import (
    render_cron,
    render_github,
    render_kubernetes,
    render_systemd,
)
from fireproof.fleet.render.systemd import calendar
from fireproof.model.schedule import Schedule
from support.debian import need

TOOL, EVIDENCE = Path("/srv/our drills/.venv/bin/fireproof"), Path("/srv/what we kept")


@pytest.fixture
def systemd() -> None:
    need("/usr/bin/systemd-analyze", "systemd")


def entry(
    cron: str = "0 3 * * 1",
    zone: str = "UTC",
    name: str = "quarterly",
    title: str = "100 % of what we promise",
) -> Entry:
    schedule = Schedule(cron=cron, timezone=zone, grace="2h")
    file = Path(f"drills/gamedays/{name}.yaml")
    return Entry("gameday", name, title, file, schedule, (), extras=("run", "lab", "load"))


@pytest.mark.debian
@pytest.mark.usefixtures("systemd")
@pytest.mark.parametrize(
    ("cron", "zone"),
    [
        ("0 3 * * 1", "UTC"),
        ("*/15 * * * *", "UTC"),
        ("7,37 1-5 1,15 */3 *", "UTC"),
        ("0 0 13 * 5", "UTC"),
        ("0 22 * * mon-fri", "Europe/Berlin"),
        ("0 0 29 2 *", "UTC"),
        ("30 4 * * 0,7", "America/New_York"),
    ],
)
def test_systemd_fires_when_cron_would(cron: str, zone: str) -> None:
    """Two calendars that differ by one night are two promises."""
    schedule = Schedule(cron=cron, timezone=zone)
    base = datetime(2026, 11, 20, tzinfo=UTC)
    wanted = [due for due, _ in zip(schedule.after(base), range(12), strict=False)]

    found: set[datetime] = set()
    for line in calendar(schedule):
        told = subprocess.run(
            ["systemd-analyze", "calendar", "--iterations=12", "--base-time=2026-11-20 UTC", line],
            capture_output=True,
            text=True,
            check=True,
            env={"TZ": "UTC", "PATH": "/usr/bin:/bin", "LC_ALL": "C"},
        ).stdout
        for row in told.splitlines():
            words = row.split()
            if row.strip().startswith(("Next elapse:", "Iter", "(in UTC)")) and words[-1] == "UTC":
                stamp = f"{words[-3]}T{words[-2]}+00:00"
                found.add(datetime.fromisoformat(stamp))

    assert sorted(found)[:12] == wanted


@pytest.mark.debian
@pytest.mark.usefixtures("systemd")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    """A unit that is refused at boot runs no drill."""
    tool = tmp_path / "our tools" / "fireproof"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    units = render_systemd([entry()], tmp_path, tool, tmp_path / "it's kept")
    for name, text in units.items():
        (tmp_path / name).write_text(text)

    files = [str(tmp_path / name) for name in units]
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *files], capture_output=True, text=True
    )

    assert sorted(units) == [
        "fireproof-gameday-quarterly.service",
        "fireproof-gameday-quarterly.timer",
    ]
    ours = [line for line in done.stderr.splitlines() if "fireproof-gameday" in line]
    assert ours == [], done.stderr
    assert done.returncode == 0, done.stderr


def test_a_crontab_line_means_what_the_file_says() -> None:
    """A bare percent sign would end the command; a space would split it."""
    wordy = entry(zone="Europe/Berlin", title="One\n* * * * * two")
    text = render_cron([wordy], Path("/srv/100% ours"), TOOL, EVIDENCE)

    zone, line = [row for row in text.splitlines() if row and not row.startswith("#")]
    fields, command = line.split(None, 5)[:5], line.split(None, 5)[5]
    assert zone == "CRON_TZ=Europe/Berlin"
    assert " ".join(fields) == "0 3 * * 1"
    assert "%" not in command.replace("\\%", "")
    assert shlex.split(command.replace("\\%", "%")) == [
        *("cd", "/srv/100% ours", "&&", str(TOOL)),
        *("schedule", "run", "--once", "drills/gamedays/quarterly.yaml"),
        *("--evidence", str(EVIDENCE)),
    ]


def test_a_unit_runs_in_the_project_and_keeps_its_evidence_where_it_was_told() -> None:
    """A timer that starts elsewhere finds no drill, or seals where nobody looks."""
    project = Path("/srv/100% ours")
    units = render_systemd([entry(title="One\nExecStart=/bin/false")], project, TOOL, EVIDENCE)

    lines = units["fireproof-gameday-quarterly.service"].splitlines()
    assert "WorkingDirectory=/srv/100%% ours" in lines
    assert [line for line in lines if line.startswith("ExecStart=")] == [
        'ExecStart="/srv/our drills/.venv/bin/fireproof" schedule run --once '
        'drills/gamedays/quarterly.yaml --evidence "/srv/what we kept"'
    ]


def test_a_name_that_kubernetes_would_cut_stays_the_only_one() -> None:
    """Two CronJobs of one name are one: the other drill would never run."""
    long = "the-one-that-restores-the-orders-of-a-whole-year-"
    text = render_kubernetes([entry(name=f"{long}{n}") for n in "ab"], "img:1")
    names = [job["metadata"]["name"] for job in yaml.safe_load_all(text)]

    assert len({*names}) == 2
    assert all(len(name) <= 52 for name in names)


def test_kubernetes_output_parses_and_never_runs_a_drill_twice() -> None:
    """A cluster that retries a drill would break the system a second time."""
    jobs = list(yaml.safe_load_all(render_kubernetes([entry(), entry(name="nightly")], "img:1")))

    assert [job["metadata"]["name"] for job in jobs] == [
        "fireproof-gameday-quarterly",
        "fireproof-gameday-nightly",
    ]
    spec = jobs[0]["spec"]
    assert (spec["schedule"], spec["timeZone"]) == ("0 3 * * 1", "UTC")
    assert spec["concurrencyPolicy"] == "Forbid"
    assert spec["startingDeadlineSeconds"] == 7200
    assert spec["jobTemplate"]["spec"]["backoffLimit"] == 0
    pod = spec["jobTemplate"]["spec"]["template"]["spec"]
    assert pod["restartPolicy"] == "Never"
    assert pod["containers"][0]["image"] == "img:1"


def steps() -> list[dict[str, Any]]:
    """Of the one job."""
    found: list[dict[str, Any]]
    found = json.loads(render_github([entry()]))["jobs"]["gameday-quarterly"]["steps"]
    return found


def using(action: str) -> dict[str, Any]:
    (found,) = [step for step in steps() if step.get("uses", "").startswith(f"{action}@")]
    return found


def test_a_workflow_parses_and_a_zone_that_github_does_not_know_is_refused() -> None:
    """GitHub would silently read the hours as UTC."""
    workflow = json.loads(render_github([entry(), entry(cron="0 4 * * *", name="nightly")]))

    assert workflow["on"]["schedule"] == [{"cron": "0 3 * * 1"}, {"cron": "0 4 * * *"}]
    assert sorted(workflow["jobs"]) == ["gameday-nightly", "gameday-quarterly"]
    with pytest.raises(UsageError, match="GitHub knows only UTC"):
        render_github([entry(zone="Europe/Berlin")])


def test_a_job_that_ends_red_keeps_its_agenda() -> None:
    """A missed objective would make the next night seal a run that there was."""
    restore, save = using("actions/cache/restore"), using("actions/cache/save")

    order = [step.get("uses", step.get("run", "")) for step in steps()]
    assert order.index(restore["uses"]) < order.index(save["uses"])
    assert "schedule run --once" in order[order.index(save["uses"]) - 1]
    assert save["if"] == "always()"
    assert {name: restore["with"][name] for name in save["with"]} == save["with"]


def test_a_job_never_finds_the_agenda_of_another() -> None:
    """GitHub looks for keys by their beginning: cache must not find cache-loss."""
    jobs = json.loads(render_github([entry(name="cache"), entry(name="cache-loss")]))["jobs"]
    restores = [job["steps"][1]["with"] for job in jobs.values()]

    for one in restores:
        assert [
            other["key"].startswith(one["restore-keys"]) for other in restores if other is not one
        ] == [False]
        assert one["key"].startswith(one["restore-keys"])


def test_a_workflow_installs_what_its_drills_need() -> None:
    """A drill with a load would be refused for want of a library, each night anew."""
    assert "pip install 'fireproof[run,lab,load]'" in [step.get("run") for step in steps()]


def test_bundles_leave_with_the_key_that_verifies_them_and_no_other() -> None:
    """The job's machine is gone afterwards, and the public half with it."""
    kept = using("actions/upload-artifact")

    assert kept["if"] == "always()"
    assert kept["with"]["path"].splitlines() == ["evidence/bundles", "evidence/trust"]


@pytest.mark.parametrize("is_kept", [True, False])
def test_a_key_that_the_repository_keeps_is_the_one_that_signs(
    tmp_path: Path, is_kept: bool
) -> None:
    """The step's own text, run by a shell as GitHub runs it."""
    lasting = EvidenceRoot(tmp_path / "desk")
    key_id = ensure_runner_key(lasting).key_id
    secret = lasting.private_key.read_text().rstrip() if is_kept else ""
    (step,) = [step for step in steps() if "RUNNER_KEY" in step.get("env", {})]

    told = subprocess.run(
        ["bash", "-e", "-c", step["run"]],
        cwd=tmp_path,
        env={"RUNNER_KEY": secret, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )

    found = ensure_runner_key(EvidenceRoot(tmp_path / "evidence"))
    assert (told.stdout, told.stderr) == ("", "")
    assert step["env"] == {"RUNNER_KEY": "${{ secrets.FIREPROOF_RUNNER_KEY }}"}
    assert found.created is not is_kept
    assert (found.key_id == key_id) is is_kept
