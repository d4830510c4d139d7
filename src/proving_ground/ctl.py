"""Client of the supervisor: one JSON line there, one back. Stdlib only and few of it: a recovery
waits for this.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from typing import Any

USAGE = "usage: python -m proving_ground ctl --root ROOT stop|start|status|down [NAME] [key=value]"
ANSWER_WITHIN_S = 600.0  # the supervisor has its own, shorter limits; this only ends a dead wait


def ask(root: str, message: dict[str, Any], timeout_s: float = ANSWER_WITHIN_S) -> dict[str, Any]:
    """What the supervisor answers.

    Raises:
        OSError: when nobody answers.
    """
    folder = os.open(os.path.join(root, "run"), os.O_RDONLY | os.O_DIRECTORY)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.settimeout(timeout_s)
            # Through the open folder: a socket's path may not exceed 107 bytes, a root may.
            line.connect(f"/proc/self/fd/{folder}/ctl.sock")
            line.sendall(json.dumps(message).encode() + b"\n")
            answer = b""
            while not answer.endswith(b"\n"):
                part = line.recv(65536)
                if not part:
                    raise ConnectionError("the supervisor hung up without an answer")
                answer += part
    finally:
        os.close(folder)
    found: dict[str, Any] = json.loads(answer)
    return found


def main(argv: list[str]) -> int:
    """Exit 0 when the wanted state is reached, 1 with the reason when not, 2 for a wrong call."""
    if len(argv) < 3 or argv[0] != "--root" or argv[2] not in ("stop", "start", "status", "down"):
        print(USAGE, file=sys.stderr)
        return 2
    root, act, rest = argv[1], argv[2], argv[3:]
    name = rest.pop(0) if rest else ""
    if act in ("stop", "start") and not name:
        print(USAGE, file=sys.stderr)
        return 2
    wrong = [word for word in rest if "=" not in word]
    if wrong:
        print(f"expected key=value, got {wrong[0]!r}", file=sys.stderr)
        return 2
    params = dict(word.split("=", 1) for word in rest)
    try:
        answer = ask(root, {"act": act, "name": name, "params": params})
    except (OSError, ValueError) as err:
        print(f"no supervisor answers for the lab at {root!r}: {err}", file=sys.stderr)
        return 1
    if act == "status":
        print(json.dumps(answer["servers"], indent=2))
    else:
        print(answer["text"], file=sys.stdout if answer["ok"] else sys.stderr)
    for line in answer.get("log", ()):
        print(f"  {line}", file=sys.stderr)
    return 0 if answer["ok"] else 1
