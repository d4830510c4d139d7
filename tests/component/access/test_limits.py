"""The rate limit over HTTP: its number, its headers, its neighbours, its store."""

from __future__ import annotations

import subprocess
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from support.guarded import Guarded

pytestmark = pytest.mark.component
At = Callable[..., Guarded]


def burst(guarded: Guarded, token: str, tenant: str, count: int) -> list[int]:
    return [guarded.ask("GET", f"/v1/{tenant}/events", token).status_code for _ in range(count)]


def test_a_burst_over_two_instances_stops_at_the_limit_of_one(at: At) -> None:
    """And says when to come again, truly; a neighbour notices nothing."""
    one, two = at(), at("ledger-secure-2")
    name = f"t{uuid.uuid4().hex[:8]}"
    token = one.token(tenant=name, roles=["reader"], tier="free")
    began = time.monotonic()
    seen = [
        status
        for _ in range(35)
        for status in (*burst(one, token, name, 1), *burst(two, token, name, 1))
    ]
    refilled = int((time.monotonic() - began) * 5) + 1
    refused = one.ask("GET", f"/v1/{name}/events", token)
    other = one.token(tenant="neighbour", roles=["reader"], tier="free")
    neighbour = burst(one, other, "neighbour", 5)
    time.sleep(float(refused.headers.get("retry-after", "0")))
    again = one.ask("GET", f"/v1/{name}/events", token)

    assert 50 <= seen.count(200) <= 50 + refilled
    assert seen.count(200) + seen.count(429) == 70
    assert refused.status_code == 429
    assert refused.headers["x-ratelimit-limit"] == "50"
    assert refused.headers["x-ratelimit-remaining"] == "0"
    assert again.status_code == 200
    assert neighbour == [200] * 5


def test_each_refusal_is_one_line_in_the_log(at: At) -> None:
    """Joined by count and by request id."""
    guarded = at()
    name = f"t{uuid.uuid4().hex[:8]}"
    token = guarded.token(tenant=name, roles=["reader"], tier="free")
    seen = burst(guarded, token, name, 70)
    lines = [line for line in guarded.log_lines() if line.get("event") == "rate-limited"]

    assert [line["tenant"] for line in lines].count(name) == seen.count(429) > 0


def test_while_the_store_is_away_each_instance_limits_alone(
    components: dict[str, Any], at: At
) -> None:
    """Declared, logged once, seen in the metrics, and over when the store is back."""
    guarded, store = at(), components["limiter-store"]
    name = f"t{uuid.uuid4().hex[:8]}"
    token = guarded.token(tenant=name, roles=["reader"], tier="free")
    subprocess.run(store["control"]["stop"], check=True, capture_output=True)
    try:
        seen = burst(guarded, token, name, 80)
        lost = guarded.metric("ledger_limiter_store_lost")
    finally:
        subprocess.run(store["control"]["start"], check=True, capture_output=True)
    time.sleep(0.6)
    back = guarded.append(guarded.token(tenant="acme"))
    events = [line.get("event") for line in guarded.log_lines()]

    assert 50 <= seen.count(200) < 75
    assert seen.count(200) + seen.count(429) == 80
    assert lost == 1.0
    assert back.headers["x-ratelimit-source"] == "shared"
    assert events.count("limiter-store-lost") == events.count("limiter-store-back") == 1
