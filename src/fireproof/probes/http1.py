"""One HTTP/1.1 exchange on a fresh connection: the request's bytes, and a strict reader.

Strict, because "good" is evidence: an answer that a careful client would doubt is not good.
Source: RFC 9112, sections 2 to 7.
"""

from __future__ import annotations

import re

MAX_HEAD = 64 * 1024
MAX_BODY = 1024 * 1024  # a health page is not larger; a canary's answer neither

_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})(?: [^\r\n]*)?")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\x00]*?)[ \t]*")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})(?:[ \t]*;[^\r\n]*)?")


class NotHttp(Exception):
    """The bytes are not an answer that HTTP/1.1 allows."""


def request(
    method: str, target: str, authority: str, *, body: bytes = b"", headers: tuple[str, ...] = ()
) -> bytes:
    """Bytes of one request that asks for the connection to be closed."""
    lines = [
        f"{method} {target} HTTP/1.1",
        f"Host: {authority}",
        "User-Agent: fireproof-probe",
        "Accept: */*",
        "Connection: close",
        *headers,
    ]
    if method == "POST":
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body


class Response:
    """Bytes come in by ``feed``; it turns True when the answer is whole."""

    __slots__ = ("_buffer", "_chunked", "_length", "_parts", "_size", "complete", "status")

    def __init__(self) -> None:
        self.status: int | None = None
        self.complete = False
        self._buffer = b""
        self._length: int | None = None
        self._chunked = False
        self._parts: list[bytes] = []
        self._size = 0

    @property
    def body(self) -> bytes:
        return b"".join(self._parts)

    def feed(self, data: bytes) -> bool:
        """Take bytes; True when the last byte of the answer has been seen.

        Raises:
            NotHttp: when these bytes cannot be an answer.
        """
        self._buffer += data
        while self.status is None:
            if not self._head():
                return False
        if self._chunked:
            self._chunks()
        elif self._buffer:
            self._keep(self._buffer)
            self._buffer = b""
        if self._length is not None and not self._chunked:
            if self._size > self._length:
                raise NotHttp("bytes after the body")
            self.complete = self._size == self._length
        return self.complete

    def end(self) -> bool:
        """The peer closed its side; True when the answer is whole."""
        if self.status is not None and self._length is None and not self._chunked:
            self.complete = True  # length told by closing
        return self.complete

    def _head(self) -> bool:
        """Read one head if it is all there; interim (1xx) answers are skipped."""
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > MAX_HEAD:
                raise NotHttp("head too long")
            if not b"HTTP/1."[: len(self._buffer)] == self._buffer[:7]:
                raise NotHttp("not an HTTP/1 status line")
            return False
        lines = self._buffer[:end].split(b"\r\n")
        self._buffer = self._buffer[end + 4 :]
        status = _STATUS.fullmatch(lines[0])
        if not status:
            raise NotHttp("not an HTTP/1 status line")
        code = int(status[1])
        if code == 101:
            raise NotHttp("switched protocols unasked")
        if code < 200:
            return bool(self._buffer)
        lengths: set[bytes] = set()
        for line in lines[1:]:
            field = _FIELD.fullmatch(line)
            if not field:
                raise NotHttp("malformed header field")
            name, value = field[1].lower(), field[2]
            if name == b"content-length":
                lengths.add(value)
            elif name == b"transfer-encoding":
                if value.lower() != b"chunked" or self._chunked:
                    raise NotHttp("unknown transfer encoding")
                self._chunked = True
        if len(lengths) > 1 or (lengths and self._chunked):
            raise NotHttp("contradictory lengths")
        for text in lengths:
            if not re.fullmatch(rb"[0-9]{1,15}", text):
                raise NotHttp("malformed content-length")
            self._length = int(text)
        if code in (204, 304):
            self._length, self._chunked = 0, False
        if (self._length or 0) > MAX_BODY:
            raise NotHttp("body too long")
        self.status = code
        return True

    def _chunks(self) -> None:
        while not self.complete:
            end = self._buffer.find(b"\r\n")
            if end < 0:
                if len(self._buffer) > MAX_HEAD:
                    raise NotHttp("chunk size too long")
                return
            size_text = _CHUNK.fullmatch(self._buffer[:end])
            if not size_text:
                raise NotHttp("malformed chunk size")
            size = int(size_text[1], 16)
            if size > MAX_BODY:
                raise NotHttp("body too long")
            if size == 0:
                self._trailer(end)
                return
            stop = end + 2 + size
            if len(self._buffer) < stop + 2:
                return
            if self._buffer[stop : stop + 2] != b"\r\n":
                raise NotHttp("chunk without its end")
            self._keep(self._buffer[end + 2 : stop])
            self._buffer = self._buffer[stop + 2 :]

    def _trailer(self, end: int) -> None:
        """After the last chunk: trailer fields, ended by an empty line."""
        rest = self._buffer[end:]  # starts with the CRLF of the size line
        stop = rest.find(b"\r\n\r\n")
        if stop < 0:
            if len(rest) > MAX_HEAD:
                raise NotHttp("trailer too long")
            return
        if len(rest) > stop + 4:
            raise NotHttp("bytes after the body")
        self.complete = True

    def _keep(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > MAX_BODY:
            raise NotHttp("body too long")
        self._parts.append(data)
