"""Probes in their own processes: the HTTP prober, the canary writer, and the read of what is left.

Names load on first use: the worker process imports this package and must not pay for pydantic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fireproof.probes.present import read_present
    from fireproof.probes.running import start_probe

__all__ = ["read_present", "start_probe"]


def __getattr__(name: str) -> Any:
    if name == "start_probe":
        from fireproof.probes.running import start_probe

        return start_probe
    if name == "read_present":
        from fireproof.probes.present import read_present

        return read_present
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
