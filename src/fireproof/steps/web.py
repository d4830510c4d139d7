"""Child process that asks an HTTP server; the only file here that knows httpx.

Requests: ``once``, or ``wait`` (again and again until the answer is the expected one).
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from fireproof.children.answer import (
    TOO_LATE,
    Request,
    Tell,
    TooLateError,
    cut_off,
    look_limit,
    serve,
)

LOOK_NS = 5 * 10**9  # one look of a wait; a frozen server must not use up the whole wait
MAX_BODY = 16 * 2**20  # more than this is a download, not an answer to check


def _look(request: Request, until_ns: int, body_to: Path | None) -> dict[str, Any]:
    """Status of one answer, and whether its body holds the wanted text."""
    import httpx

    contains, kept = request.get("contains"), bytearray()
    try:
        with (
            look_limit(until_ns),
            # Nothing of the user's proxies, netrc or redirects: the URL is what is measured.
            httpx.Client(trust_env=False, timeout=None) as client,  # noqa: S113 (look_limit)
            client.stream(
                request.get("method", "GET"),
                request["url"],
                headers=request.get("headers") or {},
                json=request.get("json"),
            ) as answer,
        ):
            for block in answer.iter_bytes():
                kept += block
                if len(kept) > MAX_BODY:
                    return {"error": f"more than {MAX_BODY} bytes of body", "asked": False}
            found = None if contains is None else contains in kept.decode("utf-8", "replace")
            if body_to is not None:
                body_to.write_bytes(kept)
            return {"status": answer.status_code, "found": found, "bytes": len(kept)}
    except TooLateError:
        return {"error": TOO_LATE, "asked": False}
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError, ValueError) as err:
        return {"wrong": f"{request['url']!r}: {err}"}
    except (httpx.HTTPError, OSError) as err:
        return {"error": str(err) or type(err).__name__, "asked": False}


def _is_met(request: Request, seen: dict[str, Any]) -> bool:
    return seen.get("status") == request["status"] and seen.get("found") is not False


def _wait(request: Request, tell: Tell) -> None:
    deadline, told = request["deadline_ns"], None
    while True:
        started = time.monotonic_ns()
        seen = _look(request, min(deadline, started + LOOK_NS), None)
        seen["met"] = _is_met(request, seen)
        # A look that the deadline cut short tells less than the one before it.
        if seen != told and not (told and deadline < started + LOOK_NS and cut_off(seen)):
            tell(seen)
            told = seen
        next_ns = max(started + request["every_ns"], time.monotonic_ns())
        if seen["met"] or "wrong" in seen or next_ns >= deadline:
            return
        time.sleep(max(0, next_ns - time.monotonic_ns()) / 1e9)


def work(request: Request, tell: Tell) -> None:
    try:
        import httpx  # noqa: F401
    except ImportError:
        return tell({"needs": "httpx"})
    if request["what"] == "wait":
        return _wait(request, tell)
    seen = _look(request, request["deadline_ns"], Path(request["body_to"]))
    return tell(seen | {"met": _is_met(request, seen)})


if __name__ == "__main__":
    serve(work)
