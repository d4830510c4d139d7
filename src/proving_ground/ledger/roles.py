"""Who may do what: roles, verbs, a caller as proved by a token, and why somebody is none."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

TENANT = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
VERBS = ("read", "append", "audit", "admin")
ROLES: dict[str, frozenset[str]] = {
    "reader": frozenset({"read"}),
    "writer": frozenset({"read", "append"}),
    "auditor": frozenset({"audit"}),
    "admin": frozenset(VERBS),
}


class TokenRefused(Exception):
    """A token that is not believed; the reason is a word for logs, audit and tests."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(detail or reason)
        self.reason = reason


class KeysUnavailable(Exception):
    """No keys that may still be believed, and the provider does not answer."""


class Forbidden(Exception):
    """A known caller may not do this."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody whose token was believed: the tenant and roles are those of the token."""

    subject: str
    tenant: str
    roles: frozenset[str]
    tier: str = "standard"
    token_id: str = ""
    verbs: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        allowed: frozenset[str] = frozenset().union(*(ROLES.get(role, ()) for role in self.roles))
        object.__setattr__(self, "verbs", allowed)

    def may(self, verb: str) -> bool:
        return verb in self.verbs


def anybody(tenant: str) -> Caller:
    """Who calls where authentication is off (profile development): the tenant of the path."""
    return Caller("anybody", tenant, frozenset({"admin"}))
