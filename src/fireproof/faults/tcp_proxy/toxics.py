"""Toxics: what may be done to a stream, and the JSON that says so.

Names and attributes are Toxiproxy's (``latency``, ``bandwidth``, ``timeout``, ``reset_peer``);
``stall`` is ours: it holds bytes back and delivers them afterwards, where ``timeout`` loses them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

UPSTREAM, DOWNSTREAM = "upstream", "downstream"
DEFAULT_EXPIRES_MS = 10 * 60 * 1000  # no toxic for ever: whoever added it may be dead
MAX_EXPIRES_MS = 24 * 60 * 60 * 1000

ATTRIBUTES: Final[dict[str, dict[str, int]]] = {  # type: attribute: default; all whole numbers
    "latency": {"latency": 0, "jitter": 0},  # ms
    "bandwidth": {"rate": 0},  # KB/s
    "timeout": {"timeout": 0},  # ms until the connection is closed; 0: never. All data is lost
    "reset_peer": {"timeout": 0},  # ms until the connection is reset
    "stall": {},
}


class Refused(Exception):
    """The request asks for what there is not; ``status`` is HTTP's."""

    def __init__(self, status: int, text: str) -> None:
        self.status = status
        super().__init__(text)


@dataclass(frozen=True, slots=True)
class Toxic:
    """One harm to one direction of one proxy."""

    name: str
    type: str
    stream: str
    toxicity: float  # share of connections that it befalls
    attributes: dict[str, int] = field(default_factory=dict)
    expires_ms: int = DEFAULT_EXPIRES_MS

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "type": self.type,
            "stream": self.stream,
            "toxicity": self.toxicity,
            "attributes": self.attributes,
            "expires_ms": self.expires_ms,
        }


def parse_toxic(raw: Any, old: Toxic | None = None) -> Toxic:
    """The toxic of a request body; with ``old``, what the body leaves out stays as it was.

    Raises:
        Refused: with what was expected.
    """
    if not isinstance(raw, dict):
        raise Refused(400, "expected a JSON object")
    unknown = set(raw) - {"name", "type", "stream", "toxicity", "attributes", "expires_ms"}
    if unknown:
        raise Refused(400, f"unknown key {sorted(unknown)[0]!r}")
    kind = old.type if old else raw.get("type")
    if not isinstance(kind, str) or kind not in ATTRIBUTES:
        raise Refused(400, f"type: expected one of {', '.join(ATTRIBUTES)}, got {kind!r}")
    stream = old.stream if old else raw.get("stream") or DOWNSTREAM
    if stream not in (UPSTREAM, DOWNSTREAM):
        raise Refused(400, f"stream: expected {UPSTREAM} or {DOWNSTREAM}, got {stream!r}")
    name = old.name if old else raw.get("name") or f"{kind}_{stream}"
    if not isinstance(name, str) or len(name) > 200 or "/" in name:
        raise Refused(400, "name: expected a text without '/'")
    toxicity = raw.get("toxicity", old.toxicity if old else 1.0)
    if isinstance(toxicity, bool) or not isinstance(toxicity, (int, float)):
        raise Refused(400, "toxicity: expected a number from 0 to 1")
    if not 0 <= toxicity <= 1:
        raise Refused(400, f"toxicity: expected a number from 0 to 1, got {toxicity}")
    expires = raw.get("expires_ms", old.expires_ms if old else DEFAULT_EXPIRES_MS)
    if not _whole(expires) or not 0 < expires <= MAX_EXPIRES_MS:
        raise Refused(400, f"expires_ms: expected 1 to {MAX_EXPIRES_MS}, got {expires!r}")
    return Toxic(name, kind, stream, float(toxicity), _attributes(kind, raw, old), expires)


def _attributes(kind: str, raw: dict[str, Any], old: Toxic | None) -> dict[str, int]:
    given = raw.get("attributes", {})
    if not isinstance(given, dict):
        raise Refused(400, "attributes: expected an object")
    found = dict(old.attributes) if old else dict(ATTRIBUTES[kind])
    for key, value in given.items():
        if key not in ATTRIBUTES[kind]:
            known = ", ".join(ATTRIBUTES[kind]) or "none"
            raise Refused(400, f"attributes: {kind} has no {key!r}; it has {known}")
        if not _whole(value) or value < 0:
            raise Refused(400, f"attributes.{key}: expected a whole number, got {value!r}")
        found[key] = value
    if kind == "bandwidth" and found["rate"] == 0:
        raise Refused(400, "attributes.rate: expected more than 0 KB/s; `stall` holds everything")
    return found


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
