"""How each HTTP server of the lab listens: on loopback, without log lines of uvicorn's own."""

from __future__ import annotations

from typing import Any

import uvicorn

_HOW: dict[str, Any] = {
    "host": "127.0.0.1",
    "loop": "asyncio",
    "http": "h11",
    "log_config": None,
    "access_log": False,
}


def serve(app: Any, port: int, *, grace_s: int, **more: Any) -> None:
    """Until SIGTERM, and that much longer for what was begun. ``more``: settings of uvicorn."""
    uvicorn.run(app, port=port, timeout_graceful_shutdown=grace_s, **_HOW, **more)


def config(app: Any, port: int, *, grace_s: int, **more: Any) -> uvicorn.Config:
    """The same for a server that is more than uvicorn's own."""
    return uvicorn.Config(app, port=port, timeout_graceful_shutdown=grace_s, **_HOW, **more)
