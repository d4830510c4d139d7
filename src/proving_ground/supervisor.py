"""The daemon that starts the lab's servers, owns them and answers on a private socket.

It restarts nothing by itself: drills kill its servers on purpose.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from fireproof.clock import utc_label
from fireproof.errors import EnvironmentRefusal
from fireproof.processes import become_subreaper, children, identify
from proving_ground.ports import take_ports
from proving_ground.server import Reply, Server

_REQUEST_BYTES_MAX = 65536
_LINE_WITHIN_S = 5.0


class Supervisor:
    """Serves ``start``, ``stop``, ``status``, ``ports`` and ``down``; one thread a request."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._servers: dict[str, Server] = {}
        self._lock = threading.Lock()
        self._forking = threading.Lock()  # held from a server's fork until its pid is known
        self._ports: dict[int, socket.socket] = {}
        self._over = threading.Event()

    def serve(self) -> None:
        """Answer until told to go ``down`` or sent SIGTERM; then end every server."""
        become_subreaper()
        with self._socket() as door:
            me = identify(os.getpid())
            facts = {"pid": os.getpid(), "start_ticks": me.start_ticks if me else 0}
            (self.root / "run" / "supervisor.json").write_text(
                json.dumps(facts | {"since": utc_label()}), "utf-8"
            )
            for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(signum, lambda *_: self._over.set())
            threading.Thread(target=self._reap, daemon=True).start()
            threading.Thread(target=self._accept, args=(door,), daemon=True).start()
            while not self._over.wait(0.5):
                pass
        self._end_all()

    def _socket(self) -> socket.socket:
        """Bound through the open folder: a socket's path may not exceed 107 bytes, a root may."""
        door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        folder = os.open(self.root / "run", os.O_RDONLY | os.O_DIRECTORY)
        try:
            (self.root / "run" / "ctl.sock").unlink(missing_ok=True)
            door.bind(f"/proc/self/fd/{folder}/ctl.sock")  # umask 077: nobody else may connect
        finally:
            os.close(folder)
        door.listen(16)
        return door

    def _accept(self, door: socket.socket) -> None:
        while True:
            try:
                line, _ = door.accept()
            except OSError:
                return
            threading.Thread(target=self._converse, args=(line,), daemon=True).start()

    def _converse(self, line: socket.socket) -> None:
        with line, suppress(OSError):  # a caller that hung up changes nothing about the work
            line.settimeout(_LINE_WITHIN_S)
            request = b""
            while not request.endswith(b"\n") and len(request) < _REQUEST_BYTES_MAX:
                part = line.recv(65536)
                if not part:
                    return
                request += part
            try:
                answer = self._answer(json.loads(request))
            except Exception as err:  # the supervisor outlives any one request
                print(f"{utc_label()} request failed: {err!r}", file=sys.stderr, flush=True)
                answer = {"ok": False, "text": f"the supervisor failed at this: {err!r}"}
            line.sendall(json.dumps(answer).encode() + b"\n")
            if answer.get("over"):
                self._over.set()

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        act, name = str(request.get("act")), str(request.get("name", ""))
        if act == "down":
            self._end_all()
            return {"ok": True, "text": "everything is stopped", "over": True}
        if act == "status":
            names = sorted(path.stem for path in (self.root / "servers").glob("*.json"))
            found = {each: self._server(each).status() for each in names}
            return {"ok": True, "text": "", "servers": found}
        if act == "ports":
            return self._take_ports(int(request["count"]), request["without"])
        if not (self.root / "servers" / f"{name}.json").is_file() or "/" in name:
            known = ", ".join(sorted(path.stem for path in (self.root / "servers").glob("*.json")))
            return {"ok": False, "text": f"the lab has no server {name!r}; it has {known}"}
        server = self._server(name)
        params = {str(key): str(value) for key, value in request.get("params", {}).items()}
        reply: Reply = server.start(params) if act == "start" else server.stop(params)
        return {"ok": reply.ok, "text": reply.text, "log": reply.log}

    def _take_ports(self, count: int, without: list[int]) -> dict[str, Any]:
        """Ours until this process ends, whether or not something listens there."""
        try:
            found = take_ports(count, without=without)
        except EnvironmentRefusal as err:
            return {"ok": False, "text": str(err)}
        with self._lock:
            self._ports |= found
        return {"ok": True, "text": "", "ports": list(found)}

    def _server(self, name: str) -> Server:
        with self._lock:
            if name not in self._servers:
                self._servers[name] = Server(self.root, name, self._orphans, self._forking)
            return self._servers[name]

    def _orphans(self) -> list[int]:
        """Children that are no server of ours: what a killed server left.

        A server's own children are below it, so a look at the first row alone cannot take the
        newest backend of a healthy Postgres for an orphan, however busy the machine is.
        """
        with self._forking:
            ours = {server.pid for server in list(self._servers.values())}
            return [pid for pid in children(os.getpid()) if pid not in ours]

    def _reap(self) -> None:
        """The only place that reaps, so that no exit status is ever lost or waited for twice."""
        unclaimed: dict[int, int] = {}
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG if unclaimed else 0)
            except ChildProcessError:
                pid, status = 0, 0
            if pid:
                unclaimed[pid] = os.waitstatus_to_exitcode(status)
            for server in list(self._servers.values()):
                # A server may end before its start has written down its pid: look again soon.
                if server.pid in unclaimed and server.pid is not None:
                    server.exited(unclaimed.pop(server.pid))
            if not self._is_starting():
                unclaimed.clear()
            if not pid:
                time.sleep(0.02)

    def _is_starting(self) -> bool:
        return any(server.is_starting for server in list(self._servers.values()))

    def _end_all(self) -> None:
        for server in reversed(list(self._servers.values())):
            server.stop({"mode": "immediate"})


def _daemonize(log: Path) -> None:
    """Leave the caller: second fork, own session, no inherited descriptor, output to the log."""
    if os.fork():
        os._exit(0)
    os.setsid()
    if os.fork():
        os._exit(0)
    os.chdir("/")
    os.umask(0o077)
    sink = os.open(os.devnull, os.O_RDWR)
    words = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    for target, source in ((0, sink), (1, words), (2, words)):
        os.dup2(source, target)
    os.closerange(3, 1024)


def main(argv: list[str]) -> int:
    """``supervise ROOT``: returns to the caller at once, stays as a daemon."""
    root = Path(argv[0])
    _daemonize(root / "log" / "supervisor.log")
    Supervisor(root).serve()
    return 0
