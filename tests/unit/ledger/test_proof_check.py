"""The drills' own reading of proofs and logs: it must be able to say no."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from proving_ground.merkle.leaf import leaf_hash
from proving_ground.merkle.note import FIRST, ORIGIN, Checkpoint, sign_note
from proving_ground.merkle.tree import Tree
from support.logs import KEY
from support.scripts import load_script

SIZE = 11


@dataclass(frozen=True)
class Proved:
    """A verifier, and an answer of the engine for each of eleven events."""

    verifier: Any
    said: dict[int, dict[str, Any]]


def event(seq: int) -> tuple[int, str, str, str]:
    return (seq, "t", f"k{seq}", "body")


@pytest.fixture
def proved(tmp_path: Path) -> Proved:
    tree = Tree()
    for seq in range(1, SIZE + 1):
        tree.append(leaf_hash(*event(seq)))
    point = Checkpoint(ORIGIN, SIZE, tree.root(), 1, FIRST, "2026-01-01T00:00:00Z")
    note, key = sign_note(point, KEY), tmp_path / "key.pem"
    key.write_bytes(KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    said = {
        seq: {"proof": [n.hex() for n in tree.inclusion(seq - 1, SIZE)], "checkpoint": note}
        for seq in range(1, SIZE + 1)
    }
    return Proved(load_script("proof_check").Verifier(str(key)), said)


def test_every_proof_of_the_engine_is_believed(proved: Proved) -> None:
    """Two implementations that share no code agree."""
    found = [proved.verifier.why_not(event(seq), said) for seq, said in proved.said.items()]

    assert found == [None] * SIZE


def test_what_does_not_prove_is_refused(proved: Proved) -> None:
    """Else "every proof holds" would hold of anything."""
    good = proved.said[4]
    spoiled = {
        "another event": proved.verifier.why_not(event(5), good),
        "another body": proved.verifier.why_not((*event(4)[:3], "other"), good),
        "a node too few": proved.verifier.why_not(event(4), {**good, "proof": good["proof"][:-1]}),
        "a node too many": proved.verifier.why_not(
            event(4), {**good, "proof": [*good["proof"], "00" * 32]}
        ),
        "a forged size": proved.verifier.why_not(
            event(4), {**good, "checkpoint": good["checkpoint"].replace("\n11\n", "\n12\n")}
        ),
        "no proof": proved.verifier.why_not(event(4), {"checkpoint": good["checkpoint"]}),
    }

    assert [name for name, why in spoiled.items() if why is None] == []


def test_a_line_that_the_kill_tore_is_no_checkpoint_and_ends_nothing(tmp_path: Path) -> None:
    """The last words of a killed process are often half a line."""
    log = tmp_path / "engine.log"
    whole = json.dumps({"message": "checkpoint shown", "detail": "7 abc"})
    log.write_text(f"old\n{whole}\n" + whole[:-9])

    assert load_script("durability").shown(log, 4) == {7: "abc"}
