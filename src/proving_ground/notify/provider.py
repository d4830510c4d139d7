"""A provider of notifications as a process: ``notify PORT NAME FILE [ANSWER] [--defect NAME]``."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from proving_ground.ledger import defects
from proving_ground.ledger.logs import set_up_logs
from proving_ground.serving import serve

ANSWERS = ("ok", "500", "400", "slow")
_SLOW_S = 5.0  # longer than any chain waits


class Provider:
    """Delivers by writing a line durably; what it was asked is on record, too."""

    def __init__(self, name: str, path: Path, answer: str) -> None:
        self._name, self._path, self._answer = name, path, answer
        self._delivered: set[str] = set()
        self._log: list[dict[str, Any]] = []
        if path.exists():
            for line in path.read_text("utf-8").splitlines():
                self._log.append(json.loads(line))
                if self._log[-1]["outcome"] == "delivered":
                    self._delivered.add(self._log[-1]["id"])

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/deliver", self.deliver, methods=["POST"]),
                Route("/deliveries", self.deliveries),
                Route("/healthz", self.healthz),
            ]
        )

    async def deliver(self, request: Request) -> Response:
        """201 delivered, 200 was delivered before, 410 too late: the sender has moved on."""
        asked = await request.json()
        if self._answer == "slow":
            await asyncio.sleep(_SLOW_S)
        if self._answer in ("500", "400"):
            return self._done(asked["id"], "refused", int(self._answer))
        # A stopped process finds the request in its socket when it goes on, seconds later; the
        # sender has then given the message to somebody else.
        if time.time() > asked["deadline"] and not defects.on("delivers-too-late"):
            return self._done(asked["id"], "too-late", 410)
        if asked["id"] in self._delivered and not defects.on("delivers-again"):
            return self._done(asked["id"], "again", 200)
        self._delivered.add(asked["id"])
        if defects.on("answers-error-after-delivery"):
            self._done(asked["id"], "delivered", 201)
            return JSONResponse({"error": "a defect"}, 500)
        return self._done(asked["id"], "delivered", 201)

    async def deliveries(self, _: Request) -> Response:
        """Everything it was asked, oldest first; ``at_ns`` is comparable across providers."""
        return JSONResponse({"provider": self._name, "asked": self._log})

    async def healthz(self, _: Request) -> Response:
        return JSONResponse({"status": "alive"})

    def _done(self, notice: str, outcome: str, status: int) -> Response:
        line = {"id": notice, "outcome": outcome, "at_ns": time.monotonic_ns()}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self._log.append(line)
        return JSONResponse({"provider": self._name, "outcome": outcome}, status)


def main(argv: list[str]) -> int:
    """Serve until SIGTERM."""
    rest = defects.take(argv, "notify")
    answer = rest[3] if len(rest) == 4 else "ok"
    if len(rest) not in (3, 4) or not rest[0].isdigit() or answer not in ANSWERS:
        usage = f"notify PORT NAME FILE [{'|'.join(ANSWERS)}] [--defect NAME]"
        print(f"usage: python -m proving_ground {usage}", file=sys.stderr)
        return 2
    set_up_logs(rest[1], "info", "")
    serve(Provider(rest[1], Path(rest[2]), answer).app(), int(rest[0]), grace_s=1)
    return 0
