"""``cross-sign [--count N] [--seed S]``: both ways to sign, compared on a pack of events.

One JSON line: how many were signed, how many agreed, and how many changed ones were refused. 0 when
all of them did.
"""

from __future__ import annotations

import argparse
import json
import random
import struct
from collections.abc import Iterator
from typing import Any

from proving_ground.ledger import defects
from proving_ground.ledger.signing import sign, sign_again, signed_by

# What canonical forms are known to differ on.
_HARD: tuple[Any, ...] = (
    "",
    "plain",
    'ä 1:x 你好 \U0001f525 \ufb33 \u2028 </script> \x00\x1f\x7f\\"/',
    {"\U0001f600": 1, "\ufb33": 2, "": 3, "a": {"b": [None, True, False, {}]}},
    [0.0, -0.0, 1e21, 1e-7, 123456789012345680000.0, 5e-324, 1.7976931348623157e308, 0.1, 4.35],
    [2**53 - 1, -(2**53) + 1, 0, 333333333.3333333, 1e20, 9.999999999999997e22, 1e-6],
    [[[[]]], {"": {"": {}}}, "\r\n\t\b\f"],
)


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m proving_ground cross-sign")
    parser.add_argument(
        "--count", type=int, default=1000, help="made-up events beside the hard ones"
    )
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args(defects.take(argv, "cross-sign"))
    dice = random.Random(args.seed)  # noqa: S311 - a pack that can be made again, no secret
    found = {"events": 0, "equal": 0, "accepted": 0, "tampered": 0, "refused": 0}
    for body in (*_HARD, *_made_up(dice, args.count)):
        secret, tenant, key = dice.randbytes(dice.choice((1, 32, 64, 65, 200))), "t", f"k{body!r}"
        one, other = sign(secret, tenant, key, body), sign_again(secret, tenant, key, body)
        found["events"] += 1
        found["equal"] += one == other
        found["accepted"] += signed_by([b"another", secret], one, tenant, key, body) == 1
        changed = (
            (secret + b"x", tenant, key, body),
            (secret, "u", key, body),
            (secret, tenant, key + "x", body),
            (secret, tenant, key, [body]),
        )
        for each, *rest in changed:
            found["tampered"] += 1
            found["refused"] += signed_by([each], one, *rest) is None
    good = found["events"] == found["equal"] == found["accepted"]
    good = good and found["tampered"] == found["refused"]
    print(json.dumps(found | {"seed": args.seed}))
    return 0 if good else 1


def _made_up(dice: random.Random, count: int) -> Iterator[Any]:
    for _ in range(count):
        yield _value(dice, 4)


def _value(dice: random.Random, depth: int) -> Any:
    kind = dice.randrange(7 if depth else 4)
    if kind == 0:
        return dice.choice((None, True, False, dice.randint(-(2**53) + 1, 2**53 - 1)))
    if kind == 1:
        found: float = struct.unpack(">d", dice.randbytes(8))[0]
        return found if found - found == 0 else 0.5  # neither infinite nor no number
    if kind in (2, 3):
        return _text(dice)
    if kind == 4:
        return [_value(dice, depth - 1) for _ in range(dice.randrange(5))]
    return {_text(dice): _value(dice, depth - 1) for _ in range(dice.randrange(5))}


def _text(dice: random.Random) -> str:
    codes = (dice.choice((0x20, 0x80, 0x800, 0xD800, 0x10FFFF)) for _ in range(dice.randrange(12)))
    chars = (chr(dice.randint(0, code - 1)) for code in codes)
    return "".join(char for char in chars if not "\ud800" <= char <= "\udfff")
