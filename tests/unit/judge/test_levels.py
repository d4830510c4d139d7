"""Levels of a load: percentiles, errors, floors, and when nothing can be told."""

from __future__ import annotations

from array import array
from pathlib import Path
from typing import Any

import pytest

from fireproof.load.sheet import table, write
from fireproof.model.judgement import ObjectiveResult
from fireproof.model.load import Load, fewest
from fireproof.model.profile import offsets_ns
from support.records import Tale, make_plan, ns

Odd = dict[int, tuple[float, int, int]]
START_NS = ns(90)
LOAD = {"locustfile": "l.py", "target": "http://x", "stages": [{"for": "20s", "rate": "50/s"}]}


def rows(count: int, latency_ms: float = 10.0, odd: Odd | None = None) -> list[tuple[int, ...]]:
    """Rows of the schedule; ``odd`` maps some of them to (latency ms, outcome number, status)."""
    due = list(offsets_ns(Load.model_validate(LOAD).shape()))[:count]
    found: list[tuple[int, ...]] = []
    for number, offset in enumerate(due):
        latency, outcome, status = (odd or {}).get(number, (latency_ms, 0, 200))
        times = (-1, -1) if outcome == 4 else (500, round(latency * 1000))
        found.append((START_NS + offset, *times, status, outcome, number % 2))
    return found


def told(
    tmp_path: Path,
    found: list[tuple[int, ...]],
    objective: dict[str, Any],
    *,
    parts: int = 1,
    clean: bool = True,
    slots: int | None = None,
    **load: Any,
) -> ObjectiveResult:
    """The result of one objective on a load with these rows."""
    plan = make_plan(
        probes={},
        load={"traffic": LOAD | load},
        objectives={"level": objective | {"from": "traffic"}},
    )
    tale, files = Tale(), []
    start = {"profile": "stages", "asked": "stages", "file": "l.py", "workers": 0, "users": 50}
    tale.tell("load-start", 90, load="traffic", start_ns=START_NS, **start)
    for part in range(parts):
        mine = found[part::parts]
        columns = [
            array(code, values)
            for code, values in zip("qqqhbb", zip(*mine, strict=True), strict=True)
        ]
        path = tmp_path / f"traffic-{part}.parquet"
        write(path, [table(columns, ["encode", "verify"])])
        files.append(f"data/samples/{path.name}")
        tale.samples[files[-1]] = path.read_bytes()
    tale.fault(100.0, 100.05)
    tale.tell("recovered", 105.0, ok=True, detail="")
    count = {"slots": len(found) if slots is None else slots, "rows": len(found)}
    tale.tell("load-stop", 110, load="traffic", clean=clean, files=files, **count)
    return tale.judged(plan).objectives[0]


def measure(result: ObjectiveResult, name: str) -> float:
    found = next(one for one in result.measured if one.name == name)
    assert found.interval is not None
    return found.interval.lo


def test_a_level_that_is_kept_is_met_with_its_numbers(tmp_path: Path) -> None:
    """The auditor reads the percentile, not only the word."""
    limits = {"p50": "20ms", "p99": "20ms", "errors": "1%", "rate": "49/s"}

    result = told(tmp_path, rows(1000), {"slo": limits})

    assert result.verdict.value == "met", result.reason
    assert measure(result, "p99") == 0.01
    assert measure(result, "rate") == pytest.approx(50)
    assert result.measured[0].name == "p50", "what was promised comes first"


def test_one_slow_request_too_many_is_missed(tmp_path: Path) -> None:
    """Nearest rank: 99 of 100 at most, so 11 slow ones of 1,000 break a p99."""
    slow: Odd = {n: (500, 0, 200) for n in range(10)}

    assert told(tmp_path, rows(1000, odd=slow), {"slo": {"p99": "20ms"}}).verdict.value == "met"
    slow[10] = (500, 0, 200)
    assert told(tmp_path, rows(1000, odd=slow), {"slo": {"p99": "20ms"}}).verdict.value == "missed"


def test_a_fast_error_improves_no_percentile(tmp_path: Path) -> None:
    """A service that answers 500 in a millisecond would look fast while it is down."""
    broken: Odd = {n: (1, 1, 500) for n in range(500)}

    result = told(tmp_path, rows(1000, odd=broken), {"slo": {"p95": "20ms"}})

    assert result.verdict.value == "missed"
    assert "among the failed" in result.reason


def test_too_few_samples_are_inconclusive_and_say_how_many_it_takes(tmp_path: Path) -> None:
    """298 requests cannot bound a p99 with 95 % confidence, however fast they were."""
    few = told(tmp_path, rows(298), {"slo": {"p99": "1s"}})
    enough = told(tmp_path, rows(299), {"slo": {"p99": "1s"}})

    assert (few.verdict.value, enough.verdict.value) == ("inconclusive", "met")
    assert "298 requests; 299 are needed" in few.reason
    assert [fewest(share) for share in (0.5, 0.95, 0.99, 0.999)] == [5, 59, 299, 2995]


def test_few_samples_can_still_be_too_many_failures(tmp_path: Path) -> None:
    """Twenty failures of twenty are no matter of sample size."""
    broken: Odd = {n: (1, 1, 500) for n in range(20)}

    result = told(tmp_path, rows(20, odd=broken), {"slo": {"errors": "1%"}})

    assert result.verdict.value == "missed"


@pytest.mark.parametrize(
    "objective", [{"slo": {"p50": "1s"}}, {"requests": {"failed": 0, "at-least": 9}}]
)
def test_an_unsent_request_makes_the_measurement_invalid(
    tmp_path: Path, objective: dict[str, Any]
) -> None:
    """What was never asked was never slow: the generator is at fault, and nothing is passed."""
    result = told(tmp_path, rows(1000, odd={7: (0, 4, 0)}), objective)

    assert result.verdict.value == "inconclusive"
    assert "measurement invalid: 1 request was never sent" in result.reason


def test_a_late_generator_makes_the_measurement_invalid(tmp_path: Path) -> None:
    """More than a hundredth of all requests sent more than 10 ms late measure our own machine."""
    late: list[tuple[int, ...]] = [
        (d, 10_001 if n < 11 else 5, 20_000, s, o, c)
        for n, (d, _, _, s, o, c) in enumerate(rows(1000))
    ]

    result = told(tmp_path, late, {"slo": {"p50": "1s"}})

    assert result.verdict.value == "inconclusive"
    assert "the generator was late, p99 10.0 ms" in result.reason


def test_a_request_without_a_row_or_off_the_schedule_is_noticed(tmp_path: Path) -> None:
    """Samples thinned out, or made up, would otherwise pass for a load that was kept up."""
    thinned = [row for number, row in enumerate(rows(1000)) if number != 500]
    moved = [(d + 50_000 if n == 3 else d, *rest) for n, (d, *rest) in enumerate(rows(1000))]

    for found, text in ((thinned, "have no row"), (moved, "at other times")):
        result = told(tmp_path, found, {"slo": {"p50": "1s"}})
        assert result.verdict.value == "inconclusive"
        assert text in result.reason
    told_less = told(tmp_path, rows(999), {"slo": {"p50": "1s"}}, slots=1000)
    assert "1000 requests came due and 999 have a row" in told_less.reason


def test_a_load_that_died_proves_nothing(tmp_path: Path) -> None:
    """Its last and slowest requests are the ones that are missing."""
    result = told(tmp_path, rows(1000), {"slo": {"p50": "1s"}}, clean=False)

    assert result.verdict.value == "inconclusive"
    assert "died" in result.reason


def test_parts_of_workers_are_one_result(tmp_path: Path) -> None:
    """Percentiles are taken over all requests; an average of percentiles would hide a slow one."""
    slow: Odd = {n: (500, 0, 200) for n in range(0, 40, 2)}  # all in one worker's part

    one = told(tmp_path, rows(1000, odd=slow), {"slo": {"p99": "20ms"}})
    two = told(tmp_path, rows(1000, odd=slow), {"slo": {"p99": "20ms"}}, parts=2, workers=2)

    assert one.to_json() == two.to_json()


def test_a_window_and_a_scenario_choose_their_requests(tmp_path: Path) -> None:
    """A level of the healthy system may not be judged on the outage."""
    slow: Odd = {n: (500, 0, 200) for n in range(500, 750)}  # due from 100 s: after the fault
    odd: Odd = {n: (500, 0, 200) for n in range(1, 1000, 2)}  # scenario verify

    def level(found: list[tuple[int, ...]], **more: Any) -> str:
        return told(tmp_path, found, {"slo": {"p95": "20ms"}, **more}).verdict.value

    assert level(rows(1000, odd=slow), during="baseline") == "met"
    assert level(rows(1000, odd=slow), during="fault") == "missed"
    assert level(rows(1000, odd=slow), during="recovered") == "met"
    assert level(rows(1000, odd=odd), scenario="encode") == "met"
    assert level(rows(1000, odd=odd), scenario="verify") == "missed"


def test_a_spike_is_judged_apart_from_what_follows_it(tmp_path: Path) -> None:
    """Shedding while it lasts is allowed; not being back afterwards is not."""
    crowded = rows(1000, odd={n: (3000, 0, 200) for n in range(400, 600)})  # 8 to 12 s

    def level(**more: Any) -> str:
        return told(tmp_path, crowded, {"slo": {"p95": "20ms"}, **more}).verdict.value

    assert level() == "missed"
    assert level(until="8s") == "met"
    assert level(after="8s", until="12s") == "missed"
    assert level(after="12s") == "met"


def test_failed_requests_are_counted_and_gaps_measured(tmp_path: Path) -> None:
    """Zero-downtime means 0 of N with N stated, and how long the longest wait was."""
    wanted = {"requests": {"failed": 0, "at-least": 1000, "gap": "100ms"}}
    broken: Odd = {n: (5, 1, 502) for n in range(100, 110)}

    good = told(tmp_path, rows(1000), wanted)
    bad = told(tmp_path, rows(1000, odd=broken), wanted)
    few = told(tmp_path, rows(900), wanted)

    assert (good.verdict.value, bad.verdict.value) == ("met", "missed")
    assert measure(good, "gap") == pytest.approx(0.02)
    assert measure(bad, "gap") == pytest.approx(0.22)
    assert "10 of 1000 requests failed" in bad.reason
    assert few.verdict.value == "inconclusive"


def test_shed_requests_are_counted_apart(tmp_path: Path) -> None:
    """A spike answered with 429 is graceful; the same with 500 is not."""
    shed: Odd = {n: (1, 1, 429) for n in range(100)}
    crashed: Odd = {n: (1, 1, 500) for n in range(100)}
    wanted = {"slo": {"errors": "1%"}, "shed": [429, 503]}

    result = told(tmp_path, rows(1000, odd=shed), wanted)

    assert result.verdict.value == "met"
    assert measure(result, "shed") == 100
    assert told(tmp_path, rows(1000, odd=crashed), wanted).verdict.value == "missed"


def test_concurrency_is_what_was_reached_not_what_was_configured(tmp_path: Path) -> None:
    """50/s at one second each are 50 in flight; a thousand configured users are none."""
    result = told(tmp_path, rows(1000, 1000.0), {"slo": {"concurrency": 48}}, users=1000)
    fast = told(tmp_path, rows(1000), {"slo": {"concurrency": 48}}, users=1000)

    assert measure(result, "concurrency") == pytest.approx(50, abs=1)
    assert (result.verdict.value, fast.verdict.value) == ("met", "missed")


def test_a_soak_cut_short_cannot_satisfy_the_soak(tmp_path: Path) -> None:
    """Twenty seconds without a leak are no four hours without one."""
    soak: dict[str, Any] = {"profile": "soak", "for": "20s", "rate": "50/s", "stages": []}
    load = Load.model_validate({**LOAD, **soak})

    result = told(tmp_path, rows(1000), {"slo": {"p50": "1s"}, "at-least": "4h"}, **soak)

    assert load.label() == "smoke"
    assert result.verdict.value == "inconclusive"
    assert "20 s of at least 4h; a shortened soak is a smoke" in result.reason


def test_bytes_that_are_no_parquet_are_said_to_be_none(tmp_path: Path) -> None:
    """A traceback in a verdict would be the judge's fault, not the file's."""
    plan = make_plan(
        probes={},
        load={"traffic": LOAD},
        objectives={"l": {"slo": {"p50": "1s"}, "from": "traffic"}},
    )
    tale = Tale()
    start = {"profile": "stages", "asked": "stages", "file": "l.py", "workers": 0, "users": 50}
    tale.tell("load-start", 90, load="traffic", start_ns=START_NS, **start)
    file = "data/samples/traffic-0.parquet"
    tale.tell("load-stop", 110, load="traffic", clean=True, files=[file], slots=9, rows=9)
    tale.samples[file] = b"PAR1 and then nothing of the kind PAR1"

    result = tale.judged(plan).objectives[0]

    assert result.verdict.value == "inconclusive"
    assert "not readable as Parquet" in result.reason
