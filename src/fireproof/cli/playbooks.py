"""The playbooks that drills name, read by Ansible before anything is broken."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from fireproof.drillfile import Loaded
from fireproof.engine.planning import uses
from fireproof.errors import Problem

_KEYS = ("playbook", "undo", "present", "refused")


def unreadable_playbooks(drills: Iterable[Loaded], project: Path) -> list[Problem]:
    """What keeps playbooks of these drills from running, at the place where it is wrong.

    One that is missing, or that only a run can name, is not looked at here.
    """
    wanted: dict[Path, dict[str, str]] = {}
    for loaded in drills:
        for use in uses(loaded.drill):
            for name in _named(use.kind, use.params):
                given = use.params.get("vars") or {}
                wanted.setdefault(project / name, {}).update(given)
    found = {path: given for path, given in wanted.items() if path.is_file()}
    if not found:
        return []
    from fireproof.children.playbook_syntax import playbook_problems

    return playbook_problems(found, project)


def _named(kind: str, params: object) -> list[str]:
    if kind not in ("playbook", "refused") or not isinstance(params, dict):
        return []
    return [text for key in _KEYS if isinstance(text := params.get(key), str)]
