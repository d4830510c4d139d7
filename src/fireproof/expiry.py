"""Ring 2 on this host: a keeper outside the runner's tree that continues what was stopped.

Armed before the harm. It outlives the runner and the guardian, whoever killed them, and leaves when
nothing is armed any more. It sends SIGCONT and nothing else, to the very processes it was told
(pid and start time) and what is below them: harmless when it comes at the wrong time, which a
restart or a rename would not be. Anybody of the same user may cancel, by a socket in the abstract
namespace that is named by the token: nothing on disk, nothing left.

Standard library only: the guardian forks it before it becomes a subreaper, so that nobody's
descendants include it.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass

from fireproof.processes import ProcessId, descendants, identify, is_alive

_WITHIN_S = 5.0
_ARMED, _CANCELLED = b"armed\n", b"cancelled\n"
_line: socket.socket | None = None  # to the keeper; inherited by the forked runner


@dataclass(slots=True)
class _Entry:
    token: str
    at_s: float  # CLOCK_BOOTTIME: time asleep counts
    pids: list[ProcessId]
    listener: socket.socket


def _name(token: str) -> str:
    return f"\0fireproof-expiry-{token}"


def start_keeper() -> None:
    """Fork the keeper; call with one thread, before ``become_subreaper``."""
    global _line
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    first = os.fork()
    if first == 0:
        try:
            if os.fork() == 0:
                ours.close()
                _keep(its)
        finally:
            os._exit(0)
    its.close()
    os.waitpid(first, 0)
    _line = ours


def arm(token: str, pids: Iterable[ProcessId], after_s: float) -> None:
    """Continue these processes after that time, whatever becomes of this process.

    Raises:
        OSError: when that cannot be promised; nothing may be stopped then.
    """
    told = [[who.pid, who.start_ticks] for who in pids]
    request = json.dumps({"token": token, "after_s": after_s, "pids": told}).encode() + b"\n"
    if _line is None:
        _arm_alone(request)
        return
    _line.settimeout(_WITHIN_S)
    _line.sendall(request)
    if _line.recv(64) != _ARMED:
        raise OSError("the keeper did not take the expiry")


def _arm_alone(request: bytes) -> None:
    """Without a guardian there is no keeper yet: one is started for this expiry."""
    argv = [sys.executable, "-I", "-m", "fireproof.expiry"]
    pipe = subprocess.PIPE
    child = subprocess.Popen(argv, stdin=pipe, stdout=pipe, cwd="/", start_new_session=True)
    said, _ = child.communicate(request, timeout=_WITHIN_S)
    if said != _ARMED:
        raise OSError("no keeper could be started")


def cancel(token: str) -> bool:
    """Call an expiry off; False when there was none (any more)."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.settimeout(_WITHIN_S)
        try:
            line.connect(_name(token))
            said = line.recv(64)
            line.recv(1)  # its end: until the keeper has hung up, the name is still in use
            return said == _CANCELLED
        except (ConnectionError, TimeoutError):
            return False


def _continue(pids: Iterable[ProcessId]) -> None:
    """SIGCONT, children first, each only if it is who it was."""
    found: list[ProcessId] = []
    for root in pids:
        if is_alive(root):
            below = (identify(pid) for pid in descendants(root.pid))
            found += [who for who in (root, *below) if who is not None and who not in found]
    for who in reversed(found):
        with contextlib.suppress(OSError):
            pidfd = os.pidfd_open(who.pid)
            try:
                if is_alive(who):
                    signal.pidfd_send_signal(pidfd, signal.SIGCONT)
            finally:
                os.close(pidfd)


def _now_s() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _keep(line: socket.socket) -> None:
    """Serve until nobody can arm anything and nothing is armed."""
    os.setsid()
    os.chdir("/")
    for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(signum, signal.SIG_IGN)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(nowhere, fd)
    os.closerange(3, line.fileno())
    os.closerange(line.fileno() + 1, 1024)  # locks and pipes of the guardian are not ours to hold
    entries: list[_Entry] = []
    open_, buffer = True, b""
    while open_ or entries:
        watched: list[socket.socket] = [entry.listener for entry in entries]
        if open_:
            watched.append(line)
        left_s = min((entry.at_s - _now_s() for entry in entries), default=None)
        # Looked at once a second all the same: timers stand still while a host sleeps.
        wait_s = None if left_s is None else min(1.0, max(0.0, left_s))
        found = select.select(watched, [], [], wait_s)[0]
        for ready in found:
            if ready is line:
                data = line.recv(65536)
                open_, buffer = bool(data), buffer + data
                *requests, buffer = buffer.split(b"\n")
                for request in requests:
                    if (entry := _entry(request)) is not None:
                        entries.append(entry)
                        line.sendall(_ARMED)
                    else:
                        line.sendall(b"refused\n")
            else:
                _answer(next(e for e in entries if e.listener is ready), entries)
        for entry in [entry for entry in entries if entry.at_s <= _now_s()]:
            entries.remove(entry)
            entry.listener.close()
            _continue(entry.pids)
        if not found:  # nobody is left to continue: the server was replaced, or its host cleared
            for entry in [entry for entry in entries if not any(map(is_alive, entry.pids))]:
                entries.remove(entry)
                entry.listener.close()


def _entry(request: bytes) -> _Entry | None:
    try:
        raw = json.loads(request)
        pids = [ProcessId(int(pid), int(ticks)) for pid, ticks in raw["pids"]]
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(_name(raw["token"]))
        listener.listen(8)
        return _Entry(raw["token"], _now_s() + float(raw["after_s"]), pids, listener)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _answer(entry: _Entry, entries: list[_Entry]) -> None:
    """Somebody calls it off; only root and our own user may."""
    with contextlib.suppress(OSError):
        peer, _ = entry.listener.accept()
        with peer:
            peer.settimeout(1.0)
            size = struct.calcsize("3i")
            credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
            if struct.unpack("3i", credentials)[1] in (0, os.geteuid()):
                entries.remove(entry)
                entry.listener.close()
                peer.sendall(_CANCELLED)


def _main() -> None:
    """One request on stdin, an answer on stdout, then a keeper of its own in the background."""
    request = sys.stdin.buffer.readline()
    start_keeper()
    if _line is not None:
        _line.settimeout(_WITHIN_S)
        _line.sendall(request)
        sys.stdout.buffer.write(_line.recv(64))


if __name__ == "__main__":
    _main()
