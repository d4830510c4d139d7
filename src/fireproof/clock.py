"""The two clocks: monotonic nanoseconds measure, UTC labels."""

from __future__ import annotations

import time
from datetime import UTC, datetime

monotonic_ns = time.monotonic_ns  # CLOCK_MONOTONIC: comparable between processes of one host


def utc_label(real_ns: int | None = None) -> str:
    """RFC 3339 UTC with microseconds; a label, never an operand."""
    seconds, rest = divmod(time.time_ns() if real_ns is None else real_ns, 1_000_000_000)
    stamp = datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // 1000)
    return stamp.isoformat(timespec="microseconds").replace("+00:00", "Z")


def clock_pair() -> dict[str, int]:
    """Monotonic and real time read side by side, so that a stepped clock shows later."""
    return {"monotonic_ns": time.monotonic_ns(), "real_ns": time.time_ns()}
