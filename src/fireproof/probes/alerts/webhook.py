"""The receiver: takes what Alertmanager posts to a webhook, on 127.0.0.1."""

from __future__ import annotations

import http.server
import json
import re
import threading
import time
from collections.abc import Callable
from typing import Any

MAX_BYTES = 1024 * 1024  # a group of alerts is some kB
_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]{0,200}")

Received = Callable[[str, bool, int, int], None]
"""Name, whether it fires, and CLOCK_MONOTONIC ns just before and after it was read."""


def alerts_of(body: bytes) -> list[tuple[str, bool]]:
    """(name, firing) of every alert in a webhook's body, version 4.

    Raises:
        ValueError: it is no such body.
    """
    try:
        alerts = json.loads(body)["alerts"]
        if not isinstance(alerts, list):
            raise TypeError("alerts is no list")
        found = [
            (one["labels"]["alertname"], {"firing": True, "resolved": False}[one["status"]])
            for one in alerts
        ]
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"expected the body of an Alertmanager webhook: {error!r}") from error
    for name, _ in found:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ValueError(f"expected an alert's name, got {str(name)[:80]!r}")
    return found


def body_of(name: str, firing: bool, labels: dict[str, str]) -> bytes:
    """The body that Alertmanager would post for one alert."""
    status = "firing" if firing else "resolved"
    alert = {"status": status, "labels": {"alertname": name, **labels}}
    return json.dumps({"version": "4", "status": status, "alerts": [alert]}).encode()


class Webhook:
    """Listens from ``start`` on; each whole, well-formed post is told to ``received``."""

    def __init__(self, port: int, received: Received) -> None:
        webhook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            timeout = 5.0

            def do_POST(self) -> None:
                before_ns = time.monotonic_ns()
                length = self.headers.get("Content-Length", "")
                if not length.isascii() or not length.isdigit() or int(length) > MAX_BYTES:
                    self.send_error(413)
                    return
                body = self.rfile.read(int(length))
                try:
                    alerts = alerts_of(body)
                except ValueError as error:
                    webhook.refused += 1
                    self.send_error(400, explain=str(error))
                    return
                after_ns = time.monotonic_ns()
                for name, firing in alerts:
                    received(name, firing, before_ns, after_ns)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None: ...

        self.refused = 0
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])

    def start(self) -> None:
        """Listen in a thread of its own."""
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        ).start()

    def stop(self) -> None:
        """Take nothing more."""
        self._server.shutdown()
        self._server.server_close()
