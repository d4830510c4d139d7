"""Free ports on 127.0.0.1."""

from __future__ import annotations

import random
import socket
from collections.abc import Collection
from pathlib import Path

from fireproof.errors import EnvironmentRefusal

_TRIES = 200


def take_ports(count: int, *, without: Collection[int] = ()) -> dict[int, socket.socket]:
    """Distinct ports nobody listens on, each with its mark; ``without`` some.

    While a mark is open no other lab takes that port, though the server behind it may just be
    down. The mark is an abstract socket: the kernel removes it with whoever holds it.

    Below the range that the kernel hands to outgoing connections: while a server is down during a
    drill, one of the many probe connections could otherwise sit on its port when it comes back.
    """
    try:
        low = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text("ascii").split()[0])
    except (OSError, ValueError):
        low = 32768
    candidates = range(10240, low) if low > 11000 else range(20000, 32000)
    found: dict[int, socket.socket] = {}
    for port in random.sample(candidates, min(_TRIES, len(candidates))):
        if len(found) == count:
            break
        mark = None if port in without or not _is_free(port) else _mark(port)
        if mark is not None:
            found[port] = mark
    if len(found) == count:
        return found
    for mark in found.values():
        mark.close()
    raise EnvironmentRefusal(
        f"no {count} free ports on 127.0.0.1 among {_TRIES} tried between "
        f"{candidates.start} and {candidates.stop}; stop something that listens there"
    )


def free_ports(count: int) -> list[int]:
    """As ``take_ports``, for a server that is started at once and stays up."""
    found = take_ports(count)
    for mark in found.values():
        mark.close()
    return list(found)


def _is_free(port: int) -> bool:
    with socket.socket() as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            line.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _mark(port: int) -> socket.socket | None:
    """None when another lab has it."""
    mark = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        mark.bind(f"\0fireproof-lab-port-{port}")
    except OSError:
        mark.close()
        return None
    return mark
