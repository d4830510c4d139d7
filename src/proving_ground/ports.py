"""Free ports on 127.0.0.1."""

from __future__ import annotations

import random
import socket
from collections.abc import Collection
from pathlib import Path

from fireproof.errors import EnvironmentRefusal

_TRIES = 200


def free_ports(count: int, *, without: Collection[int] = ()) -> list[int]:
    """Distinct ports nobody listens on, and none of those whose server may just be down.

    Below the range that the kernel hands to outgoing connections: while a server is down during a
    drill, one of the many probe connections could otherwise sit on its port when it comes back.
    """
    try:
        low = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text("ascii").split()[0])
    except (OSError, ValueError):
        low = 32768
    candidates = range(10240, low) if low > 11000 else range(20000, 32000)
    found: list[int] = []
    for port in random.sample(candidates, min(_TRIES, len(candidates))):
        with socket.socket() as line:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                line.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in without:
            found.append(port)
        if len(found) == count:
            return found
    raise EnvironmentRefusal(
        f"no {count} free ports on 127.0.0.1 among {_TRIES} tried between "
        f"{candidates.start} and {candidates.stop}; stop something that listens there"
    )
