"""Facts about the machine and its clock while a run goes on."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from pathlib import Path
from typing import Any

from fireproof.clock import clock_pair

_TIMEX_BYTES = 208  # struct timex on 64-bit Linux; the first fields are modes, offset, freq, ...
_STATES = (
    "ok",
    "insert-leap",
    "delete-leap",
    "leap-in-progress",
    "leap-occurred",
    "unsynchronised",
)


def load1() -> str:
    """One-minute load average as the kernel prints it."""
    return f"{os.getloadavg()[0]:.2f}"


def clock_state() -> dict[str, Any]:
    """Kernel clock state by adjtimex(2), read-only; "unknown" where it cannot be asked."""
    buffer = ctypes.create_string_buffer(_TIMEX_BYTES)
    state = ctypes.CDLL(None, use_errno=True).adjtimex(buffer)
    if state < 0:
        return {"state": "unknown"}
    estimated_error_us = int.from_bytes(buffer.raw[32:40], sys.byteorder, signed=True)
    name = _STATES[state] if state < len(_STATES) else str(state)
    return {"state": name, "estimated_error_us": str(estimated_error_us)}


def machine() -> dict[str, Any]:
    """What the run ran on."""
    boot_id = Path("/proc/sys/kernel/random/boot_id")
    return {
        "kernel": platform.release(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "cpus": str(os.cpu_count()),
        "memory_bytes": str(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")),
        "boot_id": boot_id.read_text().strip() if boot_id.exists() else "unknown",
        "user": "root" if os.getuid() == 0 else "ordinary",
    }


def environment_record(stated: dict[str, str]) -> dict[str, Any]:
    """The environment record of a bundle: machine, clock, and what the place states of itself."""
    return {
        "machine": machine(),
        "clock": clock_state(),
        # As text: canonical JSON (RFC 8785) holds no integer above 2**53.
        "clocks": {name: str(value) for name, value in clock_pair().items()},
        "load1": load1(),
        "stated": stated,
    }
