from __future__ import annotations

import json
import shlex
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from fireproof.errors import UsageError
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

PROJECT, TOOL = Path("/srv/our drills"), Path("/srv/our drills/.venv/bin/fireproof")


@pytest.fixture
def systemd() -> None:
    need("/usr/bin/systemd-analyze", "systemd")


def entry(cron: str = "0 3 * * 1", zone: str = "UTC", name: str = "quarterly") -> Entry:
    schedule = Schedule(cron=cron, timezone=zone, grace="2h")
    file = Path(f"drills/gamedays/{name}.yaml")
    return Entry("gameday", name, "100 % of what we promise", file, schedule, ())


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
    units = render_systemd([entry()], tmp_path, tool)
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
    text = render_cron([entry(zone="Europe/Berlin")], Path("/srv/100% ours"), TOOL)

    zone, line = [row for row in text.splitlines() if row and not row.startswith("#")]
    fields, command = line.split(None, 5)[:5], line.split(None, 5)[5]
    assert zone == "CRON_TZ=Europe/Berlin"
    assert " ".join(fields) == "0 3 * * 1"
    assert "%" not in command.replace("\\%", "")
    assert shlex.split(command.replace("\\%", "%")) == [
        *("cd", "/srv/100% ours", "&&", str(TOOL)),
        *("schedule", "run", "--once", "drills/gamedays/quarterly.yaml"),
    ]


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


def test_a_workflow_parses_and_a_zone_that_github_does_not_know_is_refused() -> None:
    """GitHub would silently read the hours as UTC."""
    workflow = json.loads(render_github([entry(), entry(cron="0 4 * * *", name="nightly")]))

    assert workflow["on"]["schedule"] == [{"cron": "0 3 * * 1"}, {"cron": "0 4 * * *"}]
    assert sorted(workflow["jobs"]) == ["gameday-nightly", "gameday-quarterly"]
    with pytest.raises(UsageError, match="GitHub knows only UTC"):
        render_github([entry(zone="Europe/Berlin")])
