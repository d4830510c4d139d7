"""A server's process for the length of a block."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from fireproof.processes import scrubbed
from proving_ground.probing import listens

_WAIT_S = 20


@contextlib.contextmanager
def started(
    argv: Sequence[str], environ: Mapping[str, str], log: Path, *ports: int
) -> Iterator[subprocess.Popen[bytes]]:
    """Listening on each of its ports; ended by pid, and killed when it does not end."""
    with log.open("wb") as sink:
        process = subprocess.Popen(argv, env=scrubbed(environ), stdout=sink, stderr=sink)
    try:
        give_up_at = time.monotonic() + _WAIT_S
        while not all(map(listens, ports)):
            assert process.poll() is None, log.read_text("utf-8")
            assert time.monotonic() < give_up_at
            time.sleep(0.02)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
