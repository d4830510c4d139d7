"""Growth: a slope with its interval, against a limit an hour."""

from __future__ import annotations

import builtins
import importlib.util
import random
from typing import Any

import pytest

from fireproof.cli import recompute
from fireproof.judge.growth import slope_per_hour
from fireproof.model.judgement import ObjectiveResult
from fireproof.model.sample import RESOURCES_HEADER
from support.records import Tale, make_plan, ns

GROWTH = {"growth": "rss", "limit": "10MiB/h", "from": "held"}


def looks(count: int, mib_an_hour: float, noise_mib: float = 0.2, seed: int = 7) -> bytes:
    """A look a second at 100 MiB, growing."""
    chance = random.Random(seed)  # noqa: S311 - a picture of noise
    lines = [RESOURCES_HEADER]
    for second in range(count):
        due = ns(90 + second)
        mib = 100 + mib_an_hour * second / 3600 + chance.gauss(0, noise_mib)
        lines.append(f"{due},{due + 10},{due + 900},3,{round(mib * 2**20)},40,12,{second // 600}")
    return ("\n".join(lines) + "\n").encode()


def told(data: bytes, **objective: Any) -> ObjectiveResult:
    probe = {"resources": "ledger-db"}
    plan = make_plan(probes={"held": probe}, objectives={"flat": GROWTH | objective})
    tale = Tale().probe(data, name="held", kind="resources", period=1.0)
    return tale.judged(plan).objectives[0]


def test_a_leak_is_missed_and_a_flat_line_is_met() -> None:
    """Memory that creeps is what a soak is for."""
    assert told(looks(3600, 40)).verdict.value == "missed"
    assert told(looks(3600, 0)).verdict.value == "met"


def test_an_interval_that_straddles_the_limit_is_not_met() -> None:
    """A minute of noise cannot promise an hour: met needs all of the interval within."""
    result = told(looks(60, 0, noise_mib=1.0))

    assert result.verdict.value == "inconclusive"
    assert "the limit lies inside" in result.reason


def test_the_interval_holds_the_true_slope() -> None:
    """A bound that misses the truth more often than it says proves nothing; 95 % of 200."""
    held = 0
    for seed in range(200):
        rows = looks(600, 25, seed=seed).decode().splitlines()[1:]
        points = [(int(row.split(",")[2]) / 3.6e12, int(row.split(",")[4]) / 2**20) for row in rows]
        held += 25 in slope_per_hour(points)[1]

    assert held >= 180


def test_few_looks_and_no_looks_are_inconclusive() -> None:
    """Two points make a line through anything."""
    assert told(looks(29, 0)).verdict.value == "inconclusive"
    assert "29 looks at held; at least 30 are needed" in told(looks(29, 0)).reason


def test_what_is_warmed_up_may_be_left_out() -> None:
    """Caches fill in the first minute; that is no leak, and the drill says so beforehand."""
    lines = looks(3600, 0, 0.01).decode().splitlines()
    for number in range(1, 601):
        fields = lines[number].split(",")
        fields[4] = str(round(2**20 * (50 + number / 12)))
        lines[number] = ",".join(fields)
    data = ("\n".join(lines) + "\n").encode()

    assert told(data, after="10m").verdict.value == "met"


def test_a_short_watch_cannot_satisfy_a_long_promise() -> None:
    """An hour without growth is not four."""
    result = told(looks(3600, 0), **{"at-least": "4h"})

    assert result.verdict.value == "inconclusive"
    assert "watched for 3599 s of at least 4h" in result.reason


def test_counts_have_limits_of_their_own() -> None:
    """Connections leak one by one."""
    result = told(looks(3600, 0), growth="connections", limit="1/h")

    assert result.verdict.value == "missed"


def test_without_scipy_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """An auditor with the base install must learn that nothing was computed, not that it passed."""
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.startswith("scipy"):
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)

    result = told(looks(3600, 0))

    assert result.verdict.value == "inconclusive"
    assert "pip install 'fireproof[samples]'" in result.reason


@pytest.mark.parametrize(
    "row",
    [
        "1,2,3,1,2,3,4",
        "1,2,3,0,5,,,",
        "3,2,1,1,2,3,4,5",
        "1,2,3,x,2,3,4,5",
        "1,2,3,1,2,3,4,",
    ],
)
def test_a_row_of_another_shape_proves_nothing(row: str) -> None:
    """A file that was cut or edited is not evidence."""
    result = told((RESOURCES_HEADER + "\n" + row + "\n").encode())

    assert result.verdict.value == "inconclusive"
    assert "resources, line 2" in result.reason


def test_verify_without_the_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """A verdict that differs would accuse the evidence of what only the installation lacks."""
    plan = make_plan(probes={"held": {"resources": "ledger-db"}}, objectives={"flat": GROWTH})
    real = importlib.util.find_spec

    def without(name: str) -> Any:
        return None if name == "scipy" else real(name)

    monkeypatch.setattr(importlib.util, "find_spec", without)

    assert recompute.missing_packages(plan.drill) == "scipy: pip install 'fireproof[samples]'"
    assert recompute.missing_packages(make_plan().drill) == ""
