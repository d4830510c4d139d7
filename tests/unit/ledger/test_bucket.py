"""Token buckets and the limiter above them, with a clock of our own and a real shared store."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from proving_ground.ledger.bucket import LocalBucket, Rate, SharedBucket, whole_seconds
from proving_ground.ledger.limiter import STORE_AGAIN_AFTER_S, Decision, Limiter
from proving_ground.providers.redis import redis_binary

RATE = Rate(200, 10.0)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Redis:
    """A real server on a socket of its own."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "r.sock"
        self.url = f"unix://{self.socket}"
        self._argv = [str(redis_binary()), "--port", "0", "--save", ""]
        self._argv += ["--unixsocket", str(self.socket), "--dir", str(folder)]
        self.start()

    def start(self) -> None:
        self._popen = subprocess.Popen(self._argv, stdout=subprocess.DEVNULL)
        give_up_at = time.monotonic() + 5
        while time.monotonic() < give_up_at:
            with socket.socket(socket.AF_UNIX) as line:
                if line.connect_ex(str(self.socket)) == 0:
                    return
            time.sleep(0.01)
        raise AssertionError("redis-server did not start")

    def kill(self) -> None:
        self._popen.kill()
        self._popen.wait()


@pytest.fixture
def store() -> Iterator[Redis]:
    folder = Path(tempfile.mkdtemp(prefix="fp-redis-"))
    redis = Redis(folder)
    yield redis
    redis.kill()
    shutil.rmtree(folder)


def take(limiter: Limiter, count: int, tenant: str = "a", tier: str = "standard") -> list[Decision]:
    async def run() -> list[Decision]:
        return [await limiter.take(tenant, tier) for _ in range(count)]

    return asyncio.run(run())


def limiter(clock: Clock) -> Limiter:
    return Limiter({"free": 20, "standard": 200}, 10.0, clock=clock)


def test_a_burst_is_taken_up_to_exactly_the_limit() -> None:
    """One more or one less and the number in the contract is not the number in force."""
    found = take(limiter(Clock()), 201)

    assert [each.allowed for each in found] == [True] * 200 + [False]
    assert found[199].remaining == 0


def test_waiting_as_long_as_retry_after_says_is_long_enough() -> None:
    """A client that obeys must not be refused a second time."""
    clock = Clock()
    some = limiter(clock)
    refused = take(some, 21, tier="free")[-1]

    clock.now += float(refused.headers()["retry-after"])
    assert not refused.allowed
    assert take(some, 1, tier="free")[0].allowed


def test_no_more_than_the_bucket_and_its_refill_ever_pass() -> None:
    """30 s at five times the rate: 200 at once, then 20 a second."""
    clock = Clock()
    some = limiter(clock)
    passed = 0
    for _ in range(3000):
        clock.now += 0.01
        passed += take(some, 1)[0].allowed

    assert passed == pytest.approx(200 + 30 * 20, abs=1)


def test_one_tenant_cannot_empty_the_bucket_of_another() -> None:
    """A noisy neighbour would be an outage for all."""
    some = limiter(Clock())
    take(some, 300, tenant="loud")

    assert all(each.allowed for each in take(some, 200, tenant="quiet"))


def test_each_tier_has_its_own_limit_and_an_unknown_one_the_smallest() -> None:
    """A made-up tier must not buy more than the cheapest."""
    some = limiter(Clock())

    assert [each.allowed for each in take(some, 21, "b", "free")].count(True) == 20
    assert [each.allowed for each in take(some, 21, "c", "platinum")].count(True) == 20


def test_tiers_of_one_tenant_do_not_disturb_each_other() -> None:
    """A trial key of a paying tenant must not make the paying one wait."""
    some = limiter(Clock())
    take(some, 10, "d", "standard")
    take(some, 30, "d", "free")

    assert take(some, 1, "d", "standard")[0].remaining == 189


def test_two_instances_share_one_bucket(store: Redis) -> None:
    """Otherwise each replica added would raise everybody's limit."""

    async def run() -> int:
        both = [Limiter({"standard": 200}, 1000.0, shared=SharedBucket(store.url)) for _ in "12"]
        tasks = [both[i % 2].take("a", "standard") for i in range(300)]
        found = await asyncio.gather(*tasks)
        for each in both:
            await each.close()
        return sum(each.allowed for each in found)

    assert asyncio.run(run()) == 200


def test_a_lost_store_is_a_declared_fallback_and_its_return_is_seen(store: Redis) -> None:
    """A limiter that opens wide, or fails every request, when Redis dies is an outage amplifier."""

    async def run() -> list[str]:
        clock = Clock()
        shared = SharedBucket(store.url)
        some = Limiter({"standard": 5}, 1000.0, shared=shared, clock=clock)
        seen = [(await some.take("a", "standard")).source]
        store.kill()
        away = [await some.take("a", "standard") for _ in range(7)]
        seen += [each.source for each in away]
        assert [each.allowed for each in away] == [True] * 5 + [False] * 2
        store.start()
        clock.now += STORE_AGAIN_AFTER_S
        seen.append((await some.take("a", "standard")).source)
        await some.close()
        return seen

    assert asyncio.run(run()) == ["shared"] + ["local"] * 7 + ["shared"]


def test_a_closed_fallback_refuses_while_the_store_is_away() -> None:
    """Who declares it closed must get it closed."""
    some = Limiter(
        {"standard": 5}, 10.0, shared=SharedBucket("unix:///nowhere.sock"), fallback="closed"
    )

    assert [each.allowed for each in take(some, 2)] == [False, False]


def test_buckets_of_strangers_do_not_pile_up() -> None:
    """Full buckets say nothing; a million names must not cost the memory of a million buckets."""
    clock = Clock()
    bucket = LocalBucket(clock)

    async def run() -> None:
        for number in range(25_000):
            clock.now += 0.01
            await bucket.take(str(number), RATE)

    asyncio.run(run())

    assert len(bucket._tokens) <= 10_001


def test_header_seconds_round_up() -> None:
    """Rounded down, each obedient client would be refused once more."""
    assert [whole_seconds(x) for x in (0.01, 1.0, 1.01)] == [1, 1, 2]
