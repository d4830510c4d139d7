"""The plug-in of ``tests/plugin_example``, laid down as an installer would."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path

from support.scenario import Scenario

EXAMPLE = Path(__file__).parents[1] / "plugin_example"


def install(target: Path, **changes: str) -> Path:
    """The package, and what its metadata says; ``changes`` are other values of entry points."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    shutil.copytree(EXAMPLE / "src", target)
    info = target / f"fireproof_example-{project['version']}.dist-info"
    info.mkdir()
    facts = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    (info / "METADATA").write_text(facts)
    lines: list[str] = []
    for group, points in project["entry-points"].items():
        lines.append(f"[{group}]")
        lines += [f"{name} = {changes.get(name, value)}" for name, value in points.items()]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    return target


def plug(scenario: Scenario) -> Path:
    """Install it for a scenario's calls, whose component gets a note; the note."""
    scenario.environ["PYTHONPATH"] = str(install(scenario.project / "site"))
    note = scenario.service / "note"
    note.write_text("all is well\n")
    scenario.extra = {"note": str(note), "faults": ["kill", "pause", "hide-note"]}
    return note
