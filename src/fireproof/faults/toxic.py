"""Faults of a TCP link: ``latency``, ``stall``, ``black-hole``, ``throttle`` and ``reset``.

The component is a proxy with Toxiproxy's API: ours, ``python -m fireproof.faults.tcp_proxy``. It
takes each toxic away by itself when its time is over, whoever has died meanwhile. The environment
states ``api`` (a URL) and, when it is not called like the component, ``proxy``.
"""

from __future__ import annotations

import http.client
import json
import shlex
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from fireproof.errors import EnvironmentRefusal, StepError, UndoError
from fireproof.faults.base import LateParams, Undo, allowed_component, recorded

if TYPE_CHECKING:
    from fireproof.faults.params import ToxicParams
    from fireproof.model.ports import StepContext

_WITHIN_S = 5.0
_RETRIED_NS = 2 * 10**9  # so long an undo asks a proxy that does not answer
_STREAMS = {"up": ["upstream"], "down": ["downstream"], "both": ["upstream", "downstream"]}


class ApiError(Exception):
    """The proxy gave no answer, or another one than was hoped for."""


class _ToxicFault(LateParams):
    """Adds toxics by the proxy's API; the undo deletes them, ``present`` asks for them."""

    kind = ""

    def component(self, params: ToxicParams) -> str:
        return params.target()

    def prepare(self, params: ToxicParams, context: StepContext) -> dict[str, Any]:
        name = params.target()
        component = allowed_component(self.kind, name, context)
        api, proxy = component.get("api"), component.get("proxy") or name
        if not api:
            raise EnvironmentRefusal(
                f"{name} has no `api`: {self.kind!r} needs the URL of a proxy's API"
            )
        type_, attributes = params.toxic()
        toxics = [
            {
                "name": f"fireproof-{context.run}-{self.kind}-{stream}",
                "type": type_,
                "stream": stream,
                "toxicity": 1.0,
                "attributes": attributes,
                "expires_ms": max(1, params.expires // 10**6),
            }
            for stream in _STREAMS[params.direction]
        ]
        undo = {
            "kind": self.kind,
            "component": name,
            "run": context.run,
            "api": api,
            "proxy": proxy,
            "toxics": toxics,
            "expires_ns": params.expires,
        }
        try:
            found = _there(undo)
        except ApiError as err:
            raise EnvironmentRefusal(f"{name}: {err}") from err
        if found:
            raise EnvironmentRefusal(f"{name}: toxic {found[0]} is there already")
        return undo

    def apply(self, undo: Undo, context: StepContext) -> str:
        name = recorded(undo, "component")
        path = f"/proxies/{quote(recorded(undo, 'proxy'), safe='')}/toxics"
        try:
            for toxic in undo["toxics"]:
                said = _ask(undo, "POST", path, toxic)
                if not isinstance(said, dict) or "expires_in_ms" not in said:
                    raise ApiError(
                        "the proxy took the toxic without an expiry; it would outlive this host"
                    )
        except ApiError as err:
            raise StepError(f"{name}: {err}") from err
        return f"{name}: {self.kind} on {', '.join(t['stream'] for t in undo['toxics'])}"

    def undo(self, undo: Undo, *, recovered: bool, deadline_ns: int) -> str:
        name, proxy = recorded(undo, "component"), quote(recorded(undo, "proxy"), safe="")
        removed, until_ns = 0, min(deadline_ns, time.monotonic_ns() + _RETRIED_NS)
        while True:
            try:
                for toxic in _names(undo):
                    path = f"/proxies/{proxy}/toxics/{quote(toxic, safe='')}"
                    removed += _ask(undo, "DELETE", path, missing_is=False) is None
                break
            except ApiError as err:
                # A proxy that is just being started again is worth a moment.
                if time.monotonic_ns() > until_ns:
                    raise UndoError(f"{name}: {err}", self.by_hand(undo)) from err
                time.sleep(0.1)
        return f"{name}: removed {removed} toxics" if removed else f"{name}: no toxic was left"

    def present(self, undo: Undo, *, recovered: bool) -> str | None:
        try:
            found = _there(undo)
        except ApiError as err:
            return f"{recorded(undo, 'component')}: {err}"
        return f"{recorded(undo, 'component')}: toxic {', '.join(found)}" if found else None

    def by_hand(self, undo: Undo) -> str:
        api, proxy = recorded(undo, "api").rstrip("/"), quote(recorded(undo, "proxy"), safe="")
        urls = [f"{api}/proxies/{proxy}/toxics/{quote(name, safe='')}" for name in _names(undo)]
        return shlex.join(["curl", "-X", "DELETE", *urls])


def _names(undo: Undo) -> list[str]:
    toxics = undo.get("toxics")
    try:
        found = [str(toxic["name"]) for toxic in toxics] if isinstance(toxics, list) else []
    except (KeyError, TypeError):
        found = []
    if not found:
        raise UndoError("the recorded undo has no 'toxics'; it cannot be carried out")
    return found


def _there(undo: Undo) -> list[str]:
    """Names of our toxics that the proxy has."""
    path = f"/proxies/{quote(recorded(undo, 'proxy'), safe='')}/toxics"
    listed = _ask(undo, "GET", path)
    if not isinstance(listed, list):
        raise ApiError("the proxy's list of toxics is none")
    names = {toxic.get("name") for toxic in listed if isinstance(toxic, dict)}
    return [name for name in _names(undo) if name in names]


def _ask(
    undo: Undo, method: str, path: str, body: Any = None, *, missing_is: Any = ApiError
) -> Any:
    """The JSON that the API answers; None for 204.

    Raises:
        ApiError: for everything that is no success; 404 is ``missing_is`` when that is given.
    """
    api = recorded(undo, "api")
    parts = urlsplit(api)
    if parts.scheme != "http" or not parts.hostname:
        raise ApiError(f"api: expected http://host:port, got {api!r}")
    line = http.client.HTTPConnection(parts.hostname, parts.port or 80, timeout=_WITHIN_S)
    try:
        data = None if body is None else json.dumps(body).encode()
        line.request(method, parts.path.rstrip("/") + path, data)
        answer = line.getresponse()
        raw = answer.read(2**20)
        found = json.loads(raw) if raw else None
    except (OSError, ValueError, http.client.HTTPException) as err:
        why = getattr(err, "strerror", None) or str(err) or type(err).__name__
        raise ApiError(f"the proxy's API at {api} does not answer: {why}") from err
    finally:
        line.close()
    if answer.status == 404 and missing_is is not ApiError:
        return missing_is
    if answer.status >= 300:
        said = found.get("error") if isinstance(found, dict) else None
        raise ApiError(f"the proxy's API at {api} answers {answer.status}: {said or method}")
    return found


class Latency(_ToxicFault):
    """Every byte arrives later."""

    kind = "latency"


class Stall(_ToxicFault):
    """Nothing arrives until the end of the fault, and then everything does."""

    kind = "stall"


class BlackHole(_ToxicFault):
    """Connections are taken and nothing ever comes back; what was sent is lost."""

    kind = "black-hole"


class Throttle(_ToxicFault):
    """A narrow line."""

    kind = "throttle"


class Reset(_ToxicFault):
    """Connections are reset, and new ones too."""

    kind = "reset"
