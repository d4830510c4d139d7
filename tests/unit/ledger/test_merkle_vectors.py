"""The proofs that other people made: accepted and refused as they say."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest

from proving_ground.merkle.proof import verify_consistency, verify_inclusion
from proving_ground.merkle.refusal import Refused

pytestmark = pytest.mark.vectors

# How many there are, so that a folder half copied is not a green test.
EXPECTED = {"inclusion": (98, 6), "consistency": (98, 6)}


def vectors(kind: str) -> list[dict[str, Any]]:
    place = os.environ.get("FIREPROOF_VECTORS")
    if not place:
        pytest.skip("FIREPROOF_VECTORS does not name the folder of official vectors")
    paths = sorted((Path(place) / "merkle" / kind).rglob("*.json"))
    return [json.loads(path.read_text("utf-8")) | {"file": path.name} for path in paths]


def raw(value: str | None) -> bytes:
    return base64.b64decode(value or "")


def accepts(kind: str, case: dict[str, Any]) -> bool:
    proof = [raw(node) for node in case["proof"] or ()]
    try:
        if kind == "inclusion":
            leaf, root = raw(case["leafHash"]), raw(case["root"])
            verify_inclusion(leaf, case["leafIdx"], case["treeSize"], proof, root)
        else:
            roots = raw(case["root1"]), raw(case["root2"])
            verify_consistency(case["size1"], case["size2"], proof, *roots)
    except Refused:
        return False
    return True


@pytest.mark.parametrize("kind", ["inclusion", "consistency"])
def test_official_proofs_are_taken_and_refused_as_their_makers_say(kind: str) -> None:
    """A verifier of our own making would agree with an engine of our own making."""
    cases = vectors(kind)
    wrong = [
        f"{case['file']}: {case['desc']}"
        for case in cases
        if accepts(kind, case) == case["wantErr"]
    ]

    assert wrong == []
    assert (len(cases), sum(not case["wantErr"] for case in cases)) == EXPECTED[kind]
