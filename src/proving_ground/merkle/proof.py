"""What a client checks: the two proofs of RFC 6962, by the algorithms of RFC 9162."""

from __future__ import annotations

from collections.abc import Sequence

from proving_ground.merkle.leaf import hash_children
from proving_ground.merkle.refusal import Refused
from proving_ground.merkle.tree import HASH_BYTES


def verify_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> None:
    """Return when the proof leads from the leaf to the root. Source: RFC 9162, 2.1.3.2.

    Raises:
        Refused: ``proof``, with what is wrong.
    """
    if not 0 <= index < size:
        raise Refused("proof", f"index {index} is not below the size {size}")
    _sound([leaf, root, *proof])
    place, last, found = index, size - 1, leaf
    for node in proof:
        if last == 0:
            raise Refused("proof", "the inclusion proof is too long")
        if place & 1 or place == last:
            found = hash_children(node, found)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            found = hash_children(found, node)
        place, last = place >> 1, last >> 1
    if last:
        raise Refused("proof", "the inclusion proof is too short")
    if found != root:
        raise Refused("proof", "the inclusion proof leads to another root")


def verify_consistency(
    old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes
) -> None:
    """Return when the older tree begins the newer one. Source: RFC 9162, 2.1.4.2.

    Raises:
        Refused: ``proof``, with what is wrong. A tree of size 0 begins every tree, so a proof
            about one shows nothing and is refused.
    """
    if not 0 <= old <= new:
        raise Refused("proof", f"sizes: expected 0 <= {old} <= {new}")
    if old == 0:
        raise Refused("proof", "an empty tree begins every tree")
    if old == new:
        if proof:
            raise Refused("proof", "trees of one size need no proof")
        if old_root != new_root:
            raise Refused("proof", "two roots for one size")
        return
    if not proof:
        raise Refused("proof", "the consistency proof is empty")
    _sound([old_root, new_root, *proof])
    # A complete older tree is itself the first node, and is left out of the proof.
    nodes = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    place, last = old - 1, new - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    found_old = found_new = nodes[0]
    for node in nodes[1:]:
        if last == 0:
            raise Refused("proof", "the consistency proof is too long")
        if place & 1 or place == last:
            found_old = hash_children(node, found_old)
            found_new = hash_children(node, found_new)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            found_new = hash_children(found_new, node)
        place, last = place >> 1, last >> 1
    if last:
        raise Refused("proof", "the consistency proof is too short")
    if found_old != old_root:
        raise Refused("proof", "the consistency proof leads to another older root")
    if found_new != new_root:
        raise Refused("proof", "the consistency proof leads to another newer root")


def _sound(hashes: Sequence[bytes]) -> None:
    if any(len(node) != HASH_BYTES for node in hashes):
        raise Refused("proof", f"expected hashes of {HASH_BYTES} bytes")
