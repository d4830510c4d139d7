"""Whether a server is ready, asked the way its clients ask. Stdlib only."""

from __future__ import annotations

import http.client
import socket
import struct
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

ANSWER_WITHIN_S = 0.5


def is_ready(ready: Mapping[str, str]) -> bool:
    """One probe of the kind the spec names; never raises."""
    try:
        match ready["kind"]:
            case "postgres":
                return _postgres(int(ready["port"]))
            case "http":
                return _http(ready["url"], ready.get("ca"))
            case "tcp":
                return listens(int(ready["port"]))
            case _:
                return Path(ready["path"]).exists()
    except (OSError, ValueError, http.client.HTTPException):
        return False


def listens(port: int) -> bool:
    """Whether anybody accepts connections on that port of 127.0.0.1."""
    with socket.socket() as line:
        line.settimeout(ANSWER_WITHIN_S)
        return line.connect_ex(("127.0.0.1", port)) == 0


def _http(url: str, authority: str | None) -> bool:
    parts = urlsplit(url)
    line: http.client.HTTPConnection
    if parts.scheme == "https":
        import ssl  # 10 ms that only labs with TLS pay

        trust = ssl.create_default_context(cafile=authority)
        line = http.client.HTTPSConnection(parts.netloc, timeout=ANSWER_WITHIN_S, context=trust)
    else:
        line = http.client.HTTPConnection(parts.netloc, timeout=ANSWER_WITHIN_S)
    try:
        line.request("GET", parts.path or "/")
        return line.getresponse().status == 200
    finally:
        line.close()


def _postgres(port: int) -> bool:
    """What pg_isready does: ask to log in and look at the kind of answer.

    A server that starts, recovers or shuts down answers with an error (57P03); one that takes
    work asks for the password (``R``).
    """
    words = b"user\0probe\0database\0postgres\0application_name\0ready-probe\0\0"
    with socket.create_connection(("127.0.0.1", port), timeout=ANSWER_WITHIN_S) as line:
        line.sendall(struct.pack("!ii", 8 + len(words), 196608) + words)
        return line.recv(4096)[:1] == b"R"
