"""What the lab can run: one file a component. A component is built when somebody needs it."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable

from fireproof.errors import EnvironmentRefusal
from proving_ground.components.site import Built, Component, Site

__all__ = ["KNOWN", "STANDARD", "Built", "Component", "Site", "component", "with_needs"]

STANDARD = ("archive", "ledger-db", "wal-marks", "ledger-link", "wal-receiver", "ledger-api")
# In the order in which they are started, as far as no need says otherwise.
KNOWN = (
    *STANDARD,
    *("cache-store", "limiter-store"),
    *("ledger-standby", "ledger-ha"),
    *("ledger-blue", "ledger-green", "ledger-amber", "switch"),
    *("identity", "ledger-secure", "ledger-secure-2", "ledger-memory", "ledger-caller"),
    *("merkle-engine", "engine-link", "ledger-proofs", "ledger-window"),
    *("ledger-guarded-proofs", "ledger-patient", "patient-caller"),
    *("ledger-crowd",),
    *("notify-1", "notify-2", "notify-3", "ledger-notices"),
)


def component(name: str) -> Component:
    """The component of that name; its file is loaded only now."""
    module = importlib.import_module(f"proving_ground.components.{name.replace('-', '_')}")
    found: Component = module.COMPONENT
    return found


def with_needs(names: Iterable[str]) -> list[str]:
    """These and all that they need, each after what it needs.

    Raises:
        EnvironmentRefusal: for a name that the lab does not know.
    """
    wanted = set(names)
    for name in sorted(wanted - set(KNOWN)):
        near = difflib.get_close_matches(name, KNOWN, 1)
        hint = f"did you mean {near[0]!r}?" if near else "it has " + ", ".join(KNOWN)
        raise EnvironmentRefusal(f"the lab has no component {name!r}; {hint}")
    found: list[str] = []

    def visit(name: str) -> None:
        if name not in found:
            for need in component(name).needs:
                visit(need)
            found.append(name)

    for name in KNOWN:
        if name in wanted:
            visit(name)
    return found
