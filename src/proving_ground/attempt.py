"""``attempt-start``: start a component's process with other settings and see what becomes of it.

For drills that prove a service refuses to start: it runs on a port of its own, beside the real one.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from fireproof.processes import scrubbed
from proving_ground.ports import free_ports
from proving_ground.probing import listens
from proving_ground.spec import load_spec

_TICK_S = 0.02


def attempt(
    root: Path, name: str, without: list[str], changed: dict[str, str], within_s: float
) -> dict[str, Any]:
    """What became of it: ``exit`` (null: it was still alive), ``listened``, ``problems``, time."""
    spec = load_spec(root / "servers" / f"{name}.json")
    port, *more = free_ports(2)
    environ = {key: value for key, value in spec.env.items() if key not in without}
    if environ.get("LEDGER_MTLS_PORT"):
        environ["LEDGER_MTLS_PORT"] = str(more[0])
    environ |= changed
    argv = [str(port) if word == _port_of(spec.argv) else word for word in spec.argv]
    started = time.monotonic()
    listened = False
    with subprocess.Popen(
        argv, env=scrubbed(environ), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as child:
        try:
            while child.poll() is None and time.monotonic() - started < within_s:
                listened = listened or listens(port)
                if listened:
                    break
                time.sleep(_TICK_S)
            ended = child.poll()
            took_s = time.monotonic() - started
        finally:
            child.kill()
        words = child.stdout.read() if child.stdout else ""
    return {
        "exit": ended,
        "listened": listened,
        "took_s": round(took_s, 3),
        "problems": _problems(words),
    }


def _port_of(argv: tuple[str, ...]) -> str:
    return next(word for word in argv if word.isdigit())


def _problems(words: str) -> list[str]:
    """Of the one line that names them; else the last words."""
    for line in words.splitlines():
        try:
            found = json.loads(line).get("problems")
        except (ValueError, AttributeError):
            continue
        if found:
            return [str(each) for each in found]
    return words.splitlines()[-3:]


def main(argv: list[str]) -> int:
    """0 when it refused to start before its port opened, 1 when it did not; JSON either way."""
    parser = argparse.ArgumentParser(prog="python -m proving_ground attempt-start")
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--name", default="ledger-secure")
    parser.add_argument("--without", action="append", default=[], metavar="VARIABLE")
    parser.add_argument("--set", action="append", default=[], metavar="VARIABLE=VALUE")
    parser.add_argument("--within", type=float, default=5.0, help="seconds")
    given = parser.parse_args(argv)
    changed = dict(word.partition("=")[::2] for word in given.set)
    try:
        found = attempt(given.root, given.name, given.without, changed, given.within)
    except (OSError, StopIteration) as err:
        print(f"attempt-start: {err}", file=sys.stderr)
        return 2
    print(json.dumps(found, indent=2))
    return 0 if found["exit"] not in (None, 0) and not found["listened"] else 1
