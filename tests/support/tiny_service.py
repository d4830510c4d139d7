"""A real HTTP service under a real supervisor: what a drill breaks when no database is needed.

Run as ``tiny_service.py supervise FOLDER``, ``... ctl FOLDER start|stop``, ``... serve FOLDER``.
The supervisor is no child of the runner, as a host's service manager is none.
"""

from __future__ import annotations

import http.server
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path


def serve(folder: Path) -> None:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = (folder / "answer").read_bytes()
            self.send_response(200 if body != b"bad" else 503)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None: ...

    port = int((folder / "port").read_text())
    http.server.ThreadingHTTPServer.request_queue_size = 128
    http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


def supervise(folder: Path) -> None:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(folder / "control"))
    listener.listen(16)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    child: subprocess.Popen[bytes] | None = None
    try:
        while True:
            connection, _ = listener.accept()
            with connection:
                verb = connection.recv(100).decode()
                if verb == "stop" and child is not None:
                    child.kill()
                    child.wait()
                    child = None
                if verb == "start" and (child is None or child.poll() is not None):
                    child = subprocess.Popen([sys.executable, __file__, "serve", str(folder)])
                    (folder / "pid").write_text(str(child.pid))
                    await_port(folder)
                connection.sendall(b"ok")
    finally:
        if child is not None:
            child.kill()
            child.wait()


def await_port(folder: Path) -> None:
    port = int((folder / "port").read_text())
    for _ in range(500):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.01)
    raise TimeoutError("the tiny service did not come up")


def ctl(folder: Path, verb: str) -> None:
    if (folder / f"refuse-{verb}").exists():
        sys.exit(f"{verb} is refused")
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(folder / "control"))
        client.sendall(verb.encode())
        if client.recv(10) != b"ok":
            sys.exit("no answer")


if __name__ == "__main__":
    command, where, *rest = sys.argv[1:]
    os.chdir("/")
    if command == "ctl":
        ctl(Path(where), rest[0])
    else:
        {"serve": serve, "supervise": supervise}[command](Path(where))
