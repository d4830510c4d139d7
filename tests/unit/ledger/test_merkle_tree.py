"""The tree of RFC 6962 and its proofs."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proving_ground.merkle.leaf import hash_children, hash_leaf, leaf_bytes
from proving_ground.merkle.proof import verify_consistency, verify_inclusion
from proving_ground.merkle.refusal import Refused
from proving_ground.merkle.tree import EMPTY_ROOT, Tree

SIZES = st.integers(1, 130)

# Leaves and roots of the tree of eight that the transparency-dev vectors are made of.
LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "60616263" * 4]
LEAVES[7] = "606162636465666768696a6b6c6d6e6f"
ROOTS = {
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}


def tree_of(size: int) -> Tree:
    tree = Tree()
    for number in range(size):
        tree.append(hash_leaf(str(number).encode()))
    return tree


def by_definition(leaves: list[bytes]) -> bytes:
    """RFC 6962, 2.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    middle = 1
    while middle * 2 < len(leaves):
        middle *= 2
    return hash_children(by_definition(leaves[:middle]), by_definition(leaves[middle:]))


@pytest.mark.parametrize(("size", "root"), ROOTS.items())
def test_the_root_is_the_published_one(size: int, root: str) -> None:
    """Two engines with one mistake in common would agree with each other."""
    tree = Tree()
    for leaf in LEAVES[:size]:
        tree.append(hash_leaf(bytes.fromhex(leaf)))

    assert tree.root().hex() == root


@given(size=st.integers(0, 130), data=st.data())
def test_every_old_root_is_still_known(size: int, data: st.DataObject) -> None:
    """Checkpoints of long ago are compared with the tree of today."""
    tree = tree_of(size)
    old = data.draw(st.integers(0, size))
    leaves = [tree.leaf(index) for index in range(old)]

    assert tree.root(old) == by_definition(leaves)


@given(size=SIZES, data=st.data())
def test_an_inclusion_proof_proves_its_leaf_and_no_other(size: int, data: st.DataObject) -> None:
    """A proof that also fits another event proves nothing."""
    tree = tree_of(data.draw(st.integers(size, 150)))
    index, other = (data.draw(st.integers(0, size - 1)) for _ in range(2))
    proof, root = tree.inclusion(index, size), tree.root(size)

    verify_inclusion(tree.leaf(index), index, size, proof, root)
    if other != index:
        with pytest.raises(Refused):
            verify_inclusion(tree.leaf(other), index, size, proof, root)
        with pytest.raises(Refused):
            verify_inclusion(tree.leaf(index), other, size, proof, root)


@given(size=SIZES, data=st.data())
def test_a_consistency_proof_proves_its_two_sizes_alone(size: int, data: st.DataObject) -> None:
    """Somebody who rewrote history would like it to fit."""
    tree = tree_of(size)
    old = data.draw(st.integers(1, size))
    proof = tree.consistency(old, size)
    forged = bytes(32)

    verify_consistency(old, size, proof, tree.root(old), tree.root(size))
    with pytest.raises(Refused):
        verify_consistency(old, size, proof, forged, tree.root(size))
    with pytest.raises(Refused):
        verify_consistency(old, size, proof, tree.root(old), forged)
    with pytest.raises(Refused):
        verify_consistency(old, size, [*proof, forged], tree.root(old), tree.root(size))


def test_an_empty_tree_has_the_hash_of_nothing() -> None:
    """The first checkpoint of a fresh ledger is not a special case for others."""
    assert Tree().root() == EMPTY_ROOT == hashlib.sha256(b"").digest()


@pytest.mark.parametrize(("index", "size"), [(0, 0), (3, 3), (-1, 3), (0, 4)])
def test_a_proof_of_what_is_not_there_is_refused(index: int, size: int) -> None:
    """The engine must not make something up for a number that a client sent."""
    with pytest.raises(ValueError, match="expected"):
        tree_of(3).inclusion(index, size)


@pytest.mark.parametrize(("old", "new"), [(0, 3), (4, 3), (1, 4)])
def test_sizes_that_never_were_are_refused(old: int, new: int) -> None:
    """The same for consistency."""
    with pytest.raises(ValueError, match="expected"):
        tree_of(3).consistency(old, new)


def test_moving_a_letter_between_fields_changes_the_leaf() -> None:
    """Otherwise two different events could share one proof."""
    leaves = {
        leaf_bytes(1, *texts) for texts in [("a", "bc", ""), ("ab", "c", ""), ("a", "b", "c")]
    }

    assert len(leaves) == 3
    assert leaf_bytes(7, "t", "k", "ä!") == "7 1:t1:k3:ä!".encode()
