"""Alerts of a real service, through the webhook, in whole runs."""

from __future__ import annotations

import json
import socket
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.scenario import Ran, Scenario

pytestmark = pytest.mark.component


@pytest.fixture
def scenario(tmp_path: Path) -> Iterator[Scenario]:
    one = Scenario(tmp_path)
    (one.service / "answer").write_text("# TYPE tiny_age gauge\ntiny_age 1\n")
    try:
        yield one
    finally:
        one.close()


def watched(scenario: Scenario, expr: str = "up == 0", limit: str = "5s") -> dict[str, Any]:
    """The tiny drill, with an alert that must arrive before anybody recovers."""
    drill = scenario.drill()
    rule = {"alert": "TinyDown", "expr": expr, "for": "200ms"}
    page = {"alerts": ["TinyDown"], "metrics": "{tiny.url}/metrics", "every": "100ms"}
    drill["probes"]["page"] = page | {"rules": [rule]}
    drill["objectives"]["detection"] = {"mttd": limit, "from": "page"}
    return drill


def detection(ran: Ran) -> dict[str, Any]:
    assert ran.result is not None, ran.stderr
    found: list[dict[str, Any]] = ran.result["judgement"]["objectives"]
    return next(one for one in found if one["name"] == "detection")


def test_recovery_begins_when_the_alert_has_arrived(scenario: Scenario) -> None:
    """Detect, act, recover: in this order, each with its time."""
    ran = scenario.run(watched(scenario))

    assert ran.code == 0, ran.stderr
    assert detection(ran)["verdict"] == "met"
    interval = detection(ran)["measured"][0]["interval"]
    assert 0.2 <= float(interval["hi"]) < 5
    rows = (ran.bundle / "data" / "samples" / "page.csv").read_text()
    assert rows.count("received,TinyDown") >= 1
    assert scenario.verify(ran.bundle) == 0


@pytest.mark.full
def test_an_alert_that_does_not_arrive_is_missed(scenario: Scenario) -> None:
    """Even though the service itself came back in time."""
    ran = scenario.run(watched(scenario, expr="tiny_age > 100", limit="1s"))

    assert ran.code == 1, ran.stderr
    assert detection(ran)["verdict"] == "missed"
    assert "never arrived" in detection(ran)["reason"]


def test_an_alert_in_the_control_period_stops_the_drill_before_the_fault(
    scenario: Scenario,
) -> None:
    """An alert that is always on detects nothing."""
    drill = watched(scenario, expr="tiny_age > 0")
    drill["abort"] = [{"when": "page.errors > 0 before fault"}]
    drill["baseline"] = {"for": "3s"}

    ran = scenario.run(drill)

    assert ran.code == 3, ran.stderr
    assert "page.errors > 0 before fault" in ran.stderr
    assert scenario.answers()


@pytest.mark.full
def test_an_alertmanager_outside_may_be_the_one_that_posts(scenario: Scenario) -> None:
    """The webhook takes its format; the bundle says who evaluated."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    drill = watched(scenario)
    drill["probes"]["page"] = {"alerts": ["TinyDown"], "listen": port}

    def post() -> None:
        scenario.wait_for_record("injected")
        time.sleep(0.2)
        alert = {"status": "firing", "labels": {"alertname": "TinyDown"}, "startsAt": "now"}
        body = json.dumps({"version": "4", "receiver": "x", "alerts": [alert]}).encode()
        urllib.request.urlopen(f"http://127.0.0.1:{port}/hook", data=body, timeout=5)

    poster = threading.Thread(target=post)
    poster.start()
    ran = scenario.run(drill)
    poster.join(timeout=30)

    assert ran.code == 0, ran.stderr
    assert "from an Alertmanager outside" in detection(ran)["reason"]


def test_mistakes_in_an_alert_probe_are_told_with_their_places(scenario: Scenario) -> None:
    """Each would end as an alert that never fires."""
    drill = watched(scenario, expr="rate(x[5m]) > 1")
    drill["probes"]["other"] = {"alerts": ["A"], "metrics": "{tiny.url}/m"}
    drill["probes"]["nobody"] = {"alerts": ["A"]}
    drill["probes"]["two"] = watched(scenario)["probes"]["page"] | {"alerts": ["TinyDwn", "B"]}
    drill["objectives"]["which"] = {"mttd": "1s", "from": "two"}
    drill["objectives"]["wrong"] = {"mttd": "1s", "from": "api"}
    scenario.write(drill)

    done = scenario.wait(scenario.call(["check", "drills/tiny.yaml"]))

    assert done.code == 2
    for said in (
        "probes.page.rules.0.expr: expected metric",
        "probes.other.metrics: `metrics:` needs `rules:` beside it",
        "probes.nobody: nobody evaluates",
        "probes.two.alerts.0: no rule is called 'TinyDwn'; did you mean 'TinyDown'?",
        "objectives.which: probe 'two' waits for 2 alerts; say which",
        "objectives.wrong.from: mttd needs a probe that waits for alerts",
    ):
        assert said in done.stderr, done.stderr
