"""http and wait-for against a real small HTTP server."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from fireproof.errors import StepError
from fireproof.model.ports import StepContext
from support.steps import run_step, step_context

pytestmark = pytest.mark.component


class Handler(BaseHTTPRequestHandler):
    ready_at = 0.0

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        seen = {"body": json.loads(self.rfile.read(length)), "x": self.headers["X-Run"]}
        self.answer(201, json.dumps(seen).encode())

    def do_GET(self) -> None:
        if self.path == "/ready":
            return self.answer(200 if time.monotonic() > self.ready_at else 503, b"state")
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/ready")
            return self.end_headers()
        if self.path == "/drip":
            self.send_response(200)
            self.end_headers()
            for _ in range(100):
                self.wfile.write(b".")
                self.wfile.flush()
                time.sleep(0.1)
            return None
        return self.answer(404, b"")

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...

    def handle(self) -> None:
        try:
            super().handle()
        except ConnectionError:
            self.close_connection = True


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def place(project: Path, url: str, timeout_s: float = 10) -> StepContext:
    api = {"kind": "http", "url": url}
    return step_context(project, {"api": api}, timeout_s=timeout_s, saved={"n": "7"})


def test_a_request_carries_what_the_drill_says(tmp_path: Path, url: str) -> None:
    """Texts are filled wherever they stand, deep in the body too."""
    text = {
        "http": "{api.url}/events",
        "method": "POST",
        "json": {"n": ["{saved.n}", 1]},
        "headers": {"X-Run": "{saved.n}"},
        "status": 201,
        "contains": '"x": "7"',
    }
    context = place(tmp_path, url)

    result = run_step(text, context)

    assert result.ok is True, result.detail
    assert json.loads(result.saved or "") == {"body": {"n": ["7", 1]}, "x": "7"}
    assert result.checks[0].expected == 'status 201 and \'"x": "7"\' in the body'
    assert (context.bag / result.files[0]).read_text() == result.saved


@pytest.mark.parametrize(
    ("more", "seen"),
    [
        ({"http": "{api.url}/gone"}, "status 404"),
        ({"http": "{api.url}/moved"}, "status 302"),
        ({"http": "{api.url}/ready", "contains": "ready"}, "status 200 without the text"),
    ],
)
def test_another_answer_is_a_failed_check(
    tmp_path: Path, url: str, more: dict[str, Any], seen: str
) -> None:
    """A redirect to a login page answers 200 for those who follow it."""
    result = run_step(more, place(tmp_path, url))

    assert (result.ok, result.checks[0].ok, result.checks[0].observed) == (False, False, seen)


def test_a_dripping_answer_ends_at_the_deadline(tmp_path: Path, url: str) -> None:
    """One byte at a time keeps every read alive and the drill waiting."""
    began = time.monotonic()

    result = run_step({"http": "{api.url}/drip"}, place(tmp_path, url, timeout_s=1))

    assert (result.ok, result.checks[0].ok) == (False, None)
    assert time.monotonic() - began < 3


@pytest.mark.parametrize("bad", ["ftp://127.0.0.1/", "nonsense", "http://[::1", "http://"])
def test_what_is_no_url_is_told(tmp_path: Path, bad: str) -> None:
    """Waiting a minute for a typing error helps nobody."""
    for text in ({"http": bad}, {"wait-for": {"http": bad}}):
        with pytest.raises(StepError, match="cannot ask"):
            run_step(text, step_context(tmp_path))


def test_wait_for_waits_until_the_server_is_ready(tmp_path: Path, url: str) -> None:
    """Ready is what the server says of itself, seen from outside."""
    Handler.ready_at = time.monotonic() + 0.8
    look = {"http": "{api.url}/ready", "status": 200}

    early = run_step({"wait-for": look, "every": "50ms"}, place(tmp_path, url, timeout_s=0.6))
    late = run_step({"wait-for": look, "every": "50ms"}, place(tmp_path, url))

    assert early.ok is False
    assert late.ok is True
