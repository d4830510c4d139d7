"""What a load is called and how wide it is."""

from __future__ import annotations

from itertools import islice
from typing import Any

import pytest

from fireproof.model.load import Load
from fireproof.model.profile import PROFILES, arrivals, length_ns, mix


def load(**more: Any) -> Load:
    return Load.model_validate({"locustfile": "l.py", "target": "http://x"} | more)


@pytest.mark.parametrize(
    ("more", "label"),
    [
        ({"profile": "soak"}, "soak"),
        ({"profile": "soak", "for": "15m"}, "smoke"),
        ({"profile": "soak", "for": "5h"}, "soak"),
        ({"profile": "spike"}, "spike"),
        ({"stages": [{"for": "1s", "rate": "5/s"}]}, "stages"),
    ],
)
def test_a_shortened_soak_is_called_smoke(more: dict[str, Any], label: str) -> None:
    """The record must not say soak of fifteen minutes."""
    assert load(**more).label() == label


def test_profiles_are_as_the_reference_says() -> None:
    """Limits are chosen for these rates."""
    told = {name: (length_ns(p) // 10**9, arrivals(p)) for name, p in PROFILES.items()}

    assert told == {
        "smoke": (60, 300),
        "basic": (120, 9150),
        "stress": (240, 84000),
        "spike": (120, 19500),
        "soak": (4 * 3600, 720_000),
    }


def test_a_stall_of_three_seconds_fits_the_users_unless_told_otherwise() -> None:
    """Fewer, and the first stall would make the measurement invalid; more only cost memory."""
    assert load(profile="smoke").most_users() == 50
    assert load(profile="stress").most_users() == 1500
    assert load(profile="stress", users=100).most_users() == 100


def test_scenarios_are_mixed_evenly() -> None:
    """Workers take every Nth slot: each must know, without asking, whose slot it is."""
    chosen = list(islice(mix({"encode": 3, "verify": 1}), 400))

    assert chosen.count("encode") == 300
    assert all(chosen[n : n + 4].count("verify") == 1 for n in range(0, 400, 4))
