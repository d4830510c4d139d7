"""Our TCP proxy as a process, and an echo server behind it."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from support.postgres import free_port


class Proxied:
    """A proxy ``link`` in front of a port."""

    def __init__(self, upstream: int) -> None:
        self.port = free_port()
        argv = [sys.executable, "-m", "fireproof.faults.tcp_proxy", "--api", "127.0.0.1:0"]
        argv += [f"link=127.0.0.1:{self.port}=127.0.0.1:{upstream}"]
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.api = "http://" + self.process.stdout.readline().split()[-1]

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310
            self.api + path, data, {"Content-Type": "application/json", **headers}, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
                raw = answer.read()
                return answer.status, json.loads(raw) if raw else None
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read())

    def add(self, type_: str, **more: Any) -> None:
        status, said = self.ask("POST", "/proxies/link/toxics", {"type": type_, **more})
        assert status == 200, said

    def toxics(self) -> list[str]:
        return [toxic["name"] for toxic in self.ask("GET", "/proxies/link/toxics")[1]]

    def connect(self, timeout_s: float = 5.0) -> socket.socket:
        line = socket.create_connection(("127.0.0.1", self.port), timeout=timeout_s)
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return line

    def end(self) -> int:
        if self.process.poll() is None:
            self.process.terminate()
        code = self.process.wait(10)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code


@contextmanager
def echoing() -> Iterator[int]:
    """Port of a server that says everything back, until the client has said all."""
    listener = socket.create_server(("127.0.0.1", 0))

    def answer(line: socket.socket) -> None:
        with closing(line):
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                while data := line.recv(65536):
                    line.sendall(data)
            except OSError:
                return

    def accept() -> None:
        while True:
            try:
                line, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(line,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


@contextmanager
def proxied(upstream: int) -> Iterator[Proxied]:
    found = Proxied(upstream)
    try:
        yield found
    finally:
        found.end()
