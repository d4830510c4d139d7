"""The audit log from outside: what the service noted of it, and the command that verifies it."""

from __future__ import annotations

import hashlib
import re
import subprocess
from typing import Any

from clients import Ledger, fact, unique

GENESIS = "0" * 64
_NOTED = re.compile(r"audit (\d+) ([0-9a-f]{64})")
Row = tuple[Any, ...]  # seq, seven texts, digest


def refuse_somebody(ledger: Ledger, times: int) -> None:
    """One entry each."""
    for _ in range(times):
        assert ledger.append("", unique("nobody")).status_code == 401


def head() -> str:
    """SEQ:DIGEST of the newest entry that the service wrote into its own log."""
    noted = [
        _NOTED.fullmatch(str(line.get("detail"))) for line in Ledger("ledger-secure").log_lines()
    ]
    seq, digest = max((int(each[1]), each[2]) for each in noted if each)
    return f"{seq}:{digest}"


def verify(*, seen: str, schema: str = "public") -> tuple[int, str]:
    """Exit code and words of the service's ``audit`` command on the table of that schema."""
    dsn = f"{fact('ledger-db', 'dsn')} options='-c search_path={schema}'"
    argv = [fact("ledger-secure", "audit"), "--dsn", dsn, "--seen", seen]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
    return done.returncode, (done.stderr or done.stdout).strip()


def digest(previous: str, row: Row) -> str:
    """By the ledger's README, not by its code: a forger can read, too."""
    packed = "".join(f"{len(text.encode())}:{text}" for text in row[1:-1])
    return hashlib.sha256(f"{previous} {row[0]} {packed}".encode()).hexdigest()
