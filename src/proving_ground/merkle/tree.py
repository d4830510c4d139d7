"""An append-only Merkle tree that answers for every size it ever had (RFC 6962)."""

from __future__ import annotations

import hashlib

from proving_ground.merkle.leaf import hash_children

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()


class Tree:
    """Hashes of every complete subtree, level by level: about 64 bytes a leaf."""

    def __init__(self) -> None:
        self._levels: list[bytearray] = [bytearray()]

    @property
    def size(self) -> int:
        return len(self._levels[0]) // HASH_BYTES

    def append(self, leaf_hash: bytes) -> None:
        """Add a leaf, and each inner node that it completes."""
        node, level = leaf_hash, 0
        while True:
            if level == len(self._levels):
                self._levels.append(bytearray())
            row = self._levels[level]
            row += node
            if len(row) // HASH_BYTES % 2:
                return
            node = hash_children(bytes(row[-2 * HASH_BYTES : -HASH_BYTES]), node)
            level += 1

    def leaf(self, index: int) -> bytes:
        """Hash of the leaf with that index, which counts from 0."""
        return self._node(0, index)

    def root(self, size: int | None = None) -> bytes:
        """Root when the tree had ``size`` leaves; now, without one."""
        size = self._known(self.size if size is None else size)
        return self._range(0, size) if size else EMPTY_ROOT

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """Proof that the leaf is in the tree of that size. Source: RFC 6962, 2.1.1."""
        if not 0 <= index < self._known(size):
            raise ValueError(f"index: expected less than the size {size}, got {index}")
        path: list[bytes] = []
        low, high = 0, size
        while high - low > 1:
            middle = low + _split(high - low)
            if index < middle:
                path.append(self._range(middle, high))
                high = middle
            else:
                path.append(self._range(low, middle))
                low = middle
        return path[::-1]

    def consistency(self, old: int, new: int) -> list[bytes]:
        """Proof that the tree of ``old`` leaves begins that of ``new``. Source: RFC 6962, 2.1.2."""
        if not 0 < old <= self._known(new):
            raise ValueError(f"old size: expected 1 to {new}, got {old}")
        path: list[bytes] = []
        low, high, whole = 0, new, True  # whole: the verifier knows this subtree's old root
        while old != high:
            middle = low + _split(high - low)
            if old <= middle:
                path.append(self._range(middle, high))
                high = middle
            else:
                path.append(self._range(low, middle))
                low, whole = middle, False
        if not whole:
            path.append(self._range(low, high))
        return path[::-1]

    def _known(self, size: int) -> int:
        if not 0 <= size <= self.size:
            raise ValueError(f"size: expected 0 to {self.size}, got {size}")
        return size

    def _range(self, low: int, high: int) -> bytes:
        """Hash over the leaves ``low`` up to ``high``, of which a complete subtree is known."""
        count = high - low
        if count & (count - 1) == 0 and low % count == 0:
            return self._node(count.bit_length() - 1, low // count)
        middle = low + _split(count)
        return hash_children(self._range(low, middle), self._range(middle, high))

    def _node(self, level: int, index: int) -> bytes:
        return bytes(self._levels[level][index * HASH_BYTES : (index + 1) * HASH_BYTES])


def _split(count: int) -> int:
    """Largest power of two below ``count``, which is 2 or more."""
    return 1 << (count - 1).bit_length() - 1
