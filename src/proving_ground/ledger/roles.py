"""Who may do what: roles, verbs, and a caller as proved by a token."""

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
