"""Checksums of Postgres' pages, so that a damage can be done that they do not show."""

from __future__ import annotations

import struct

PAGE_BYTES = 8192
_PRIME = 16777619
_MASK = 0xFFFFFFFF
# Source: PostgreSQL, src/include/storage/checksum_impl.h, checksumBaseOffsets.
_BASE = (
    *(0x5B1F36E9, 0xB8525960, 0x02AB50AA, 0x1DE66D2A, 0x79FF467A, 0x9BB9F8A3, 0x217E7CD2),
    *(0x83E13D2C, 0xF8D4474F, 0xE39EB970, 0x42C6AE16, 0x993216FA, 0x7B093B5D, 0x98DAFF3C),
    *(0xF718902A, 0x0B1C9CDB, 0xE58F764B, 0x187636BC, 0x5D7B3BB1, 0xE73DE7DE, 0x92BEC979),
    *(0xCCA6C0B2, 0x304A0979, 0x85AA43D4, 0x783125BB, 0x6CA8EAA2, 0xE407EAC6, 0x4B5CFC3E),
    *(0x9FBF8C76, 0x15CA20BE, 0xF2CA9FD3, 0x959BD756),
)


def page_checksum(page: bytes, number: int) -> int:
    """What ``pd_checksum`` of that page of its file must be; FNV-1a in 32 lanes."""
    words = struct.unpack("<2048I", page[:8] + b"\0\0" + page[10:])
    sums = list(_BASE)
    for row in range(64):
        for lane in range(32):
            mixed = sums[lane] ^ words[32 * row + lane]
            sums[lane] = (mixed * _PRIME & _MASK) ^ (mixed >> 17)
    folded = number
    for total in sums:
        for _ in range(2):
            total = (total * _PRIME & _MASK) ^ (total >> 17)
        folded ^= total
    return folded % 65535 + 1


def stored_checksum(page: bytes) -> int:
    """What the page says of itself."""
    return int.from_bytes(page[8:10], "little")


def with_checksum(page: bytes, number: int) -> bytes:
    """The page, saying of itself that it is whole."""
    return page[:8] + page_checksum(page, number).to_bytes(2, "little") + page[10:]
