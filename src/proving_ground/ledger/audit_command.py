"""``audit --dsn DSN [--seen SEQ:DIGEST]``: whether the audit log's chain is whole."""

from __future__ import annotations

import argparse
import json
import sys

import psycopg

from proving_ground.ledger import defects
from proving_ground.ledger.audit import AuditTampered, Entry, verify_chain


def main(argv: list[str]) -> int:
    """0 and the head when whole; 1 with the first entry that does not fit."""
    parser = argparse.ArgumentParser(prog="python -m proving_ground audit")
    parser.add_argument("--dsn", required=True)
    parser.add_argument("--seen", default="", help="SEQ:DIGEST of an entry seen in the log")
    given = parser.parse_args(defects.take(argv, "audit"))
    seq, _, digest = given.seen.partition(":")
    try:
        with psycopg.connect(given.dsn) as conn:
            rows = conn.execute("SELECT * FROM audit ORDER BY seq").fetchall()
        entries = [Entry(*row) for row in rows]
        head = verify_chain(entries, head=(int(seq), digest) if given.seen else None)
    except AuditTampered as err:
        print(f"audit: {err}", file=sys.stderr)
        return 1
    except (psycopg.Error, ValueError) as err:
        print(f"audit: {str(err).strip()}", file=sys.stderr)
        return 2
    print(json.dumps({"entries": len(entries), "head": head}))
    return 0
