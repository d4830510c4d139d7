"""Load in processes of its own: Locust's users, our schedule, raw samples as Parquet.

Names load on first use: only the child imports Locust, which patches sockets, threads and sleep.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fireproof.load.checking import check_locustfile
    from fireproof.load.running import start_load

__all__ = ["check_locustfile", "start_load"]


def __getattr__(name: str) -> Any:
    if name == "start_load":
        from fireproof.load.running import start_load

        return start_load
    if name == "check_locustfile":
        from fireproof.load.checking import check_locustfile

        return check_locustfile
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
