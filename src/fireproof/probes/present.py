"""What a store holds of the canary's writes: one read, one file."""

from __future__ import annotations

import csv
import io
from hashlib import sha256
from pathlib import Path

from fireproof.clock import monotonic_ns
from fireproof.errors import StepError
from fireproof.model.sample import PRESENT_HEADER


def _bytes(value: object) -> bytes:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    return ("" if value is None else str(value)).encode()


def _digest(bodies: set[bytes]) -> str:
    """Digest of the body; of all of them when one key has several, which matches none."""
    if len(bodies) == 1:
        return sha256(next(iter(bodies))).hexdigest()
    return sha256(b"\n".join(sorted(sha256(body).digest() for body in bodies))).hexdigest()


def read_present(dsn: str, query: str, path: Path, *, deadline_ns: int) -> tuple[int, int, int]:
    """Read (key, body) rows once and write them down, sorted by key.

    Returns:
        Monotonic nanoseconds just before and just after the read, and how many rows were written
        (one a distinct key).

    Raises:
        StepError: when the store cannot be read by the deadline, or answers in another shape.
    """
    import psycopg  # 60 ms, and an auditor has no use for it

    left_s = (deadline_ns - monotonic_ns()) / 1e9
    if left_s <= 0:
        raise StepError("the canary's read came after its deadline")
    try:
        with psycopg.connect(
            dsn, connect_timeout=max(2, int(left_s)), application_name="fireproof-canary-read"
        ) as connection:
            connection.read_only = True
            left_ms = max(1, (deadline_ns - monotonic_ns()) // 10**6)
            connection.execute(f"set statement_timeout = {left_ms:d}")
            before_ns = monotonic_ns()
            cursor = connection.execute(query.encode())
            if cursor.description is None or len(cursor.description) != 2:
                raise StepError("the canary's query must return two columns: key, body")
            found = cursor.fetchall()
            after_ns = monotonic_ns()
    except psycopg.Error as error:
        text = " ".join(str(error).split()) or type(error).__name__
        raise StepError(f"the canary's rows cannot be read: {text}") from error
    counts: dict[str, int] = {}
    bodies: dict[str, set[bytes]] = {}
    for key, body in found:
        text = "" if key is None else str(key)
        counts[text] = counts.get(text, 0) + 1
        bodies.setdefault(text, set()).add(_bytes(body))
    out = io.StringIO()
    out.write(PRESENT_HEADER + "\n")
    rows = csv.writer(out, lineterminator="\n")
    for key in sorted(counts):
        rows.writerow((key, _digest(bodies[key]), counts[key]))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(out.getvalue().encode())
    except OSError as error:
        raise StepError(f"the canary's rows cannot be written down: {error}") from error
    return before_ns, after_ns, len(counts)
