"""Which errors of the engine count, which are tried again, and which proofs are believed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from proving_ground.ledger.breaker import BreakerMeters, BreakerOpen
from proving_ground.ledger.meters import Meters
from proving_ground.ledger.proofs import Answer, EngineFailed, MerkleEngine
from proving_ground.ledger.settings import Settings
from proving_ground.ledger.store import Event
from proving_ground.merkle.leaf import leaf_hash
from proving_ground.merkle.note import FIRST, ORIGIN, Checkpoint, parse_note, sign_note
from proving_ground.merkle.tree import Tree
from support.defective import defective
from support.fickle_engine import FickleEngine
from support.logs import KEY

pytestmark = pytest.mark.component

EVENT = Event(2, "t", "k2", "b", "", "")


def proof_of(event: Event) -> dict[str, Any]:
    """A good one, in a tree of three."""
    tree = Tree()
    for seq in (1, 2, 3):
        tree.append(leaf_hash(seq, "t", f"k{seq}", "b"))
    point = Checkpoint(ORIGIN, 3, tree.root(), 1, FIRST, "2026-01-01T00:00:00Z")
    return {
        "seq": event.seq,
        "index": event.seq - 1,
        "size": 3,
        "leaf_hash": tree.leaf(event.seq - 1).hex(),
        "proof": [node.hex() for node in tree.inclusion(event.seq - 1, 3)],
        "checkpoint": sign_note(point, KEY),
    }


@dataclass
class Seen:
    """What came of some calls."""

    outcomes: list[str]
    asked: int
    failed: float | None
    state: str


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "engine.pub.pem"
    pem = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    path.write_bytes(pem)
    return path


def ask(key_file: Path, ways: list[str], proof: dict[str, Any], attempts: int = 1) -> Seen:
    """One call a way, with a breaker that opens at three failures and stays open."""

    async def scene() -> Seen:
        meters = Meters()
        async with FickleEngine().serving() as fickle:
            fickle.proof = proof
            settings = Settings(
                dsn="unused",
                engine_url=f"http://127.0.0.1:{fickle.port}",
                engine_key_file=str(key_file),
                engine_timeout_ms=400,
                breaker_failures=3,
                breaker_reset_ms=60_000,
                retry_attempts=attempts,
            )
            engine = MerkleEngine(settings, meters, BreakerMeters(meters.registry))
            outcomes = []
            for way in ways:
                fickle.way = way
                try:
                    answer: Answer = await engine.proof(EVENT)
                    outcomes.append(str(answer.status))
                except (EngineFailed, BreakerOpen) as err:
                    outcomes.append(type(err).__name__)
            await engine.close()
            name = "ledger_breaker_calls_total"
            labels = {"dependency": "merkle-engine", "outcome": "failed"}
            failed = meters.registry.get_sample_value(name, labels)
            return Seen(outcomes, fickle.asked, failed, engine._breaker.state)

    return asyncio.run(scene())


@pytest.mark.parametrize(
    "way", ["500", "502", "503", "silent", "reset", "close", "garbage", "list"]
)
def test_an_engine_that_fails_counts(key_file: Path, way: str) -> None:
    """Timeouts, resets, its own errors, and answers that are none."""
    seen = ask(key_file, [way] * 4, {})

    assert seen.outcomes == ["EngineFailed"] * 3 + ["BreakerOpen"]
    assert (seen.asked, seen.failed, seen.state) == (3, 3, "opened")


@pytest.mark.parametrize("way", ["400", "404", "409", "422", "429"])
def test_a_refusal_is_a_healthy_answer(key_file: Path, way: str) -> None:
    """Or one client with a wrong number could shut the engine out for all."""
    seen = ask(key_file, [way] * 8, {})

    assert seen.outcomes == [way] * 8
    assert (seen.asked, seen.failed, seen.state) == (8, 0, "closed")


def test_with_the_defect_on_refusals_count(key_file: Path) -> None:
    """The row above is a check that can fail."""
    with defective("breaker-counts-4xx"):
        assert ask(key_file, ["404"] * 4, {}).state == "opened"


@pytest.mark.parametrize(("attempts", "asked"), [(1, 1), (2, 2), (3, 3)])
def test_one_request_asks_a_bounded_number_of_times(
    key_file: Path, attempts: int, asked: int
) -> None:
    """Amplification during an outage is at most the number of attempts."""
    assert ask(key_file, ["500"], {}, attempts).asked == asked


def test_a_retry_storm_is_a_storm(key_file: Path) -> None:
    """Cut short by the breaker alone; with both gone it would be forty."""
    with defective("retry-storm", "breaker-never-opens"):
        assert ask(key_file, ["500"], {}, 3).failed == 40


def test_a_refusal_is_not_tried_again(key_file: Path) -> None:
    """It would be refused again."""
    assert ask(key_file, ["404"], {}, 3).asked == 1


FORGERIES: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "of-another-event": lambda _: proof_of(replace(EVENT, seq=3)),
    "a-node-changed": lambda good: {**good, "proof": [good["proof"][0], "00" * 32]},
    "a-node-missing": lambda good: {**good, "proof": good["proof"][:1]},
    "another-index": lambda good: {**good, "index": 0},
    "another-size": lambda good: {**good, "size": 4},
    "another-leaf": lambda good: {**good, "leaf_hash": "00" * 32},
    "no-hex": lambda good: {**good, "proof": ["x"]},
    "no-proof": lambda good: {"seq": good["seq"]},
    "no-list": lambda good: {**good, "proof": 1},
    "another-key": lambda good: {
        **good,
        "checkpoint": sign_note(parse_note(good["checkpoint"]), Ed25519PrivateKey.generate()),
    },
}


@pytest.mark.parametrize("kind", FORGERIES)
def test_a_proof_that_does_not_prove_is_a_failure(key_file: Path, kind: str) -> None:
    """It never reaches a client, and an engine that lies is as good as away."""
    good = proof_of(EVENT)

    assert ask(key_file, ["proof"], good).outcomes == ["200"]
    assert ask(key_file, ["proof"], FORGERIES[kind](good)).outcomes == ["EngineFailed"]


def test_with_the_defect_on_a_forgery_is_handed_out(key_file: Path) -> None:
    """The row above is a check that can fail."""
    forged = FORGERIES["a-node-changed"](proof_of(EVENT))
    with defective("proofs-unchecked"):
        assert ask(key_file, ["proof"], forged).outcomes == ["200"]
