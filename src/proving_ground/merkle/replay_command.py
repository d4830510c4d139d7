"""``replay check|refusals|export|spoil``: one JSON line out; 0 agrees, 1 refused, 2 wrong call."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from proving_ground.ledger import defects
from proving_ground.merkle.log import LoggedNote, StoredLog, read_database, read_file, write_file
from proving_ground.merkle.note import ORIGIN, load_public_key
from proving_ground.merkle.refusal import Refused
from proving_ground.merkle.replay import Replayed, replay
from proving_ground.merkle.spoil import SPOILS, spoil


def main(argv: list[str]) -> int:
    """What the arguments ask for; see ``_parser``."""
    args = _parser().parse_args(defects.take(argv, "replay"))
    try:
        log = read_file(args.log) if args.log else _read_database(args.dsn)
        match args.act:
            case "check":
                return _check(log, args)
            case "refusals":
                return _refusals(log, args)
            case "spoil":
                log = spoil(log, args.kind)
        write_file(log, args.to)
    except Refused as err:
        print(json.dumps({"refused": err.reason, "detail": err.detail}))
        return 0 if defects.on("refusal-ends-with-0") else 1
    except (OSError, ValueError) as err:
        print(f"replay: {err}", file=sys.stderr)
        return 2
    print(json.dumps({"events": len(log.events), "checkpoints": len(log.notes)}))
    return 0


def _check(log: StoredLog, args: argparse.Namespace) -> int:
    """Replay as often as asked; every time must come to the same."""
    known = [note for path in args.known for note in read_file(path).notes]
    runs = [_replay(log, args, known) for _ in range(args.times)]
    if any(run != runs[0] for run in runs):
        raise Refused("root", "two replays of one log differ")
    if args.expect and runs[0].state != args.expect:
        raise Refused("root", f"state {runs[0].state}, expected {args.expect}")
    if args.remember:
        write_file(StoredLog((), log.notes), args.remember)
    print(json.dumps({**asdict(runs[0]), "times": args.times, "known": len(known)}))
    return 0


def _refusals(log: StoredLog, args: argparse.Namespace) -> int:
    """Show the replay every known-bad copy; 0 when each is refused for its own reason."""
    _replay(log, args, log.notes)  # else a log that is bad itself would be "refused" each time
    reasons: Counter[str] = Counter()
    accepted: list[str] = []
    for kind, (_, reason) in SPOILS.items():
        try:
            _replay(spoil(log, kind), args, log.notes[-1:])
        except Refused as err:
            reasons[err.reason] += 1
            if err.reason == reason:
                continue
            accepted.append(f"{kind}: refused as {err.reason!r}, expected {reason!r}")
        else:
            accepted.append(f"{kind}: believed")
    answer = {"shown": len(SPOILS), "refused": sum(reasons.values()), "reasons": dict(reasons)}
    print(json.dumps({**answer, "wrong": accepted}))
    return 1 if accepted else 0


def _replay(log: StoredLog, args: argparse.Namespace, known: Sequence[LoggedNote]) -> Replayed:
    return replay(log, load_public_key(args.key), args.origin, [each.note for each in known])


def _read_database(dsn: str) -> StoredLog:
    import psycopg

    try:
        return read_database(dsn)
    except psycopg.Error as err:
        raise ValueError(f"the database cannot be read: {str(err).strip()}") from err


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m proving_ground replay")
    acts = parser.add_subparsers(dest="act", required=True)
    check = acts.add_parser("check", help="rebuild the tree; compare it with every checkpoint")
    refusals = acts.add_parser("refusals", help="show the replay known-bad copies of the log")
    export = acts.add_parser("export", help="write the log to a file")
    spoiled = acts.add_parser("spoil", help="write a known-bad copy of the log to a file")
    for act in (check, refusals, export, spoiled):
        source = act.add_mutually_exclusive_group(required="REPLAY_DSN" not in os.environ)
        source.add_argument("--log", type=Path, help="a file that export wrote")
        source.add_argument(
            "--dsn", default=os.environ.get("REPLAY_DSN"), help="a ledger's database"
        )
    for act in (check, refusals):
        act.add_argument("--key", type=Path, required=True, help="public key of the engine, PEM")
        act.add_argument("--origin", default=ORIGIN, help="name of the log")
    check.add_argument("--times", type=int, choices=range(1, 11), default=1, metavar="1..10")
    check.add_argument("--expect", help="state that an earlier check printed")
    check.add_argument(
        "--known", type=Path, action="append", default=[], help="checkpoints that must be there"
    )
    check.add_argument("--remember", type=Path, help="write the checkpoints, for a later --known")
    for act in (export, spoiled):
        act.add_argument("--to", type=Path, required=True)
    spoiled.add_argument("--kind", choices=sorted(SPOILS), required=True)
    return parser
