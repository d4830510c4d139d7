"""A strict reader of HTTP answers: whole, well formed, or not an answer."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fireproof.probes.http1 import MAX_HEAD, NotHttp, Response, request

HEAD = b"HTTP/1.1 200 OK\r\n"
WHOLE = [
    (HEAD + b"Content-Length: 5\r\n\r\nready", 200, b"ready"),
    (HEAD + b"content-length:0\r\n\r\n", 200, b""),
    (b"HTTP/1.0 503 \r\nContent-Length: 1\r\n\r\nx", 503, b"x"),
    (b"HTTP/1.1 204 No Content\r\nX: y\r\n\r\n", 204, b""),
    (b"HTTP/1.1 100 Continue\r\n\r\n" + HEAD + b"Content-Length: 1\r\n\r\nx", 200, b"x"),
    (HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n2;e=1\r\nbc\r\n0\r\n\r\n", 200, b"abc"),
    (HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\nTrailer: t\r\n\r\n", 200, b""),
]


@given(st.sampled_from(WHOLE), st.lists(st.integers(1, 80), max_size=6))
def test_an_answer_reads_the_same_however_it_is_cut(
    case: tuple[bytes, int, bytes], cuts: list[int]
) -> None:
    """Where the network cuts is chance; the sample may not depend on it."""
    data, status, body = case
    response = Response()
    edges = sorted({0, *(cut for cut in cuts if cut < len(data)), len(data)})
    done = [response.feed(data[a:b]) for a, b in pairwise(edges)]

    assert done == [False] * (len(done) - 1) + [True]
    assert (response.status, response.body) == (status, body)


@given(st.sampled_from(WHOLE), st.integers(1, 200))
def test_a_torn_answer_is_not_whole(case: tuple[bytes, int, bytes], missing: int) -> None:
    """A server that dies in mid-sentence was not good."""
    response = Response()
    response.feed(case[0][: max(0, len(case[0]) - missing)])

    assert not response.end()


def test_a_body_without_a_length_ends_with_the_connection() -> None:
    """HTTP/1.0 servers do this; RFC 9112, section 6.3, rule 8."""
    response = Response()

    assert not response.feed(HEAD + b"\r\nready")
    assert response.end()
    assert response.body == b"ready"


@pytest.mark.parametrize(
    "data",
    [
        b"220 ready\r\n\r\n",
        b"SSH-2.0-x",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\n\r\n",
        HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
        HEAD + b"Content-Length: -1\r\n\r\n",
        HEAD + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        HEAD + b"Transfer-Encoding: gzip\r\n\r\n",
        HEAD + b"Bad Name: x\r\n\r\n",
        HEAD + b" folded\r\n\r\n",
        HEAD + b"Content-Length: 1\r\n\r\nxy",
        HEAD + b"Content-Length: 99999999\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nmore",
        HEAD + b"X: " + b"y" * MAX_HEAD,
    ],
)
def test_what_is_not_an_answer_is_refused(data: bytes) -> None:
    """A port that answers is not a service that works."""
    with pytest.raises(NotHttp):
        Response().feed(data)


@given(st.binary(max_size=200))
def test_no_bytes_crash_the_reader(data: bytes) -> None:
    """A crash in the prober would be a hole in the evidence."""
    response = Response()
    try:
        response.feed(HEAD + data)
        response.end()
    except NotHttp:
        pass


def test_a_post_states_its_length_in_bytes() -> None:
    """Bytes and characters differ."""
    sent = request("POST", "/v1", "h:1", body="é".encode(), headers=("A: b",))

    assert b"Content-Length: 2\r\n" in sent
    assert sent.startswith(b"POST /v1 HTTP/1.1\r\nHost: h:1\r\n")
    assert sent.endswith(b"\r\n\r\n\xc3\xa9")


def test_the_worker_loads_nothing_heavy() -> None:
    """A probe's process starts for every probe of every drill."""
    code = "import fireproof.probes.worker, sys; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()

    assert not {"pydantic", "psycopg", "httpx", "yaml", "click"} & set(loaded)
