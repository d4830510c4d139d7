"""The engine away under open-loop ingest: every event is taken, the backlog grows as they come,
and all of it is proved after.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from support.ledger import control, metric, until

pytestmark = [pytest.mark.component, pytest.mark.full]

RATE = 100  # a second; with the generator on the same two cores, and others on them
BEFORE_S, AWAY_S, AFTER_S = 2.0, 8.0, 3.0


@dataclass
class Story:
    """What clients and a scraper saw; instants are seconds since the start."""

    sent: int = 0
    bad: list[str] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    took_s: list[float] = field(default_factory=list)
    late_s: list[float] = field(default_factory=list)
    events: list[tuple[float, float]] = field(default_factory=list)
    backlog: list[tuple[float, float]] = field(default_factory=list)
    lag: list[tuple[float, float]] = field(default_factory=list)
    breaker: list[tuple[float, float]] = field(default_factory=list)
    proofs: list[tuple[float, int]] = field(default_factory=list)


async def play(url: str, harm: Callable[[], None], mend: Callable[[], None], run: str) -> Story:
    """Events on a fixed schedule whatever is answered, a scrape and a proof every 0.1 s."""
    story, started = Story(), time.monotonic()
    limits = httpx.Limits(max_connections=200)
    async with httpx.AsyncClient(base_url=url, timeout=5, limits=limits) as client:

        async def send(number: int) -> None:
            sent_at = time.monotonic()
            story.late_s.append(sent_at - started - number / RATE)
            try:
                event = {"key": f"{run}-{number}", "body": f"body {number}"}
                got = await client.post("/v1/t/events", json=event)
                if got.status_code == 201:
                    story.numbers.append(got.json()["seq"])
                else:
                    story.bad.append(f"{got.status_code} {got.text}")
            except httpx.HTTPError as err:
                story.bad.append(repr(err))
            story.took_s.append(time.monotonic() - sent_at)

        async def watch() -> None:
            while True:
                at_s = time.monotonic() - started
                lines = (await client.get("/metrics")).text.splitlines()
                values = {line.split()[0]: line.split()[-1] for line in lines if line[0] != "#"}
                story.events.append((at_s, float(values["ledger_events"])))
                story.backlog.append((at_s, float(values["ledger_backlog_events"])))
                story.lag.append((at_s, float(values["ledger_checkpoint_lag_seconds"])))
                state = values['ledger_breaker_state{dependency="merkle-engine"}']
                story.breaker.append((at_s, float(state)))
                if story.numbers:
                    seq = story.numbers[0]
                    story.proofs.append(
                        (at_s, (await client.get(f"/v1/t/proofs/{seq}")).status_code)
                    )
                await asyncio.sleep(0.1)

        async def fault() -> None:
            await asyncio.sleep(BEFORE_S)
            harm()
            await asyncio.sleep(AWAY_S)
            await asyncio.to_thread(mend)

        others = [asyncio.create_task(watch()), asyncio.create_task(fault())]
        calls = []
        for number in range(int(RATE * (BEFORE_S + AWAY_S + AFTER_S))):
            await asyncio.sleep(max(0.0, started + number / RATE - time.monotonic()))
            calls.append(asyncio.create_task(send(number)))
            story.sent += 1
        await asyncio.gather(*calls)
        await others[1]
        others[0].cancel()
    return story


def slope(seen: list[tuple[float, float]]) -> float:
    """Growth a second while the engine was away."""
    away = [(at, n) for at, n in seen if BEFORE_S + 1 < at < BEFORE_S + AWAY_S - 0.5]
    return float(np.polyfit([at for at, _ in away], [n for _, n in away], 1)[0])


@pytest.mark.parametrize("way", ["kill", "pause"])
def test_an_engine_that_is_away_costs_no_event_and_no_proof(
    components: dict[str, Any], way: str, record_property: Callable[[str, object], None]
) -> None:
    """The numbers that the drill engine-outage rests on."""
    engine, ledger = components["merkle-engine"], components["ledger-proofs"]
    pid = int(Path(engine["control"]["pid-file"]).read_text().split()[0])
    harm = signal.SIGKILL if way == "kill" else signal.SIGSTOP

    def mend() -> None:
        if way == "pause":
            os.kill(pid, signal.SIGCONT)
        control(engine, "start")

    story = asyncio.run(play(ledger["url"], lambda: os.kill(pid, harm), mend, f"outage-{way}"))
    until(lambda: metric(ledger, "ledger_backlog_events") == 0)
    until(lambda: httpx.get(f"{ledger['url']}/v1/t/proofs/1").status_code in (200, 404))
    with httpx.Client(base_url=ledger["url"]) as client:
        sample = story.numbers[::10] + story.numbers[-1:]
        unproved = [n for n in sample if client.get(f"/v1/t/proofs/{n}").status_code != 200]

    growth, ingest = slope(story.backlog), slope(story.events)
    peak_at, peak = max(story.backlog, key=lambda each: each[1])
    drained = [at for at, n in story.backlog if at > peak_at and n <= RATE * 0.2]
    opened = [at for at, state in story.breaker if state == 2]
    facts = {
        "way": way,
        "sent": story.sent,
        "bad": len(story.bad),
        "ingest_p99_ms": round(float(np.percentile(story.took_s, 99)) * 1000, 1),
        "sent_late_p99_ms": round(float(np.percentile(story.late_s, 99)) * 1000, 1),
        "backlog_slope_per_s": round(growth, 1),
        "ingest_slope_per_s": round(ingest, 1),
        "backlog_peak": peak,
        "lag_peak_s": round(max(lag for _, lag in story.lag), 2),
        "breaker_open_after_s": round(opened[0] - BEFORE_S, 2),
        "drained_after_s": round(drained[0] - BEFORE_S - AWAY_S, 2),
        "proofs_during": sorted({n for at, n in story.proofs if BEFORE_S + 1 < at < 9}),
        "proofs_checked": len(sample),
    }
    print(json.dumps(facts))
    record_property("outage", facts)

    assert story.bad == []
    assert len(set(story.numbers)) == story.sent
    assert growth == pytest.approx(ingest, rel=0.02)
    assert max(lag for _, lag in story.lag) > AWAY_S - 1
    assert facts["proofs_during"] == [503]
    assert opened
    assert unproved == []
