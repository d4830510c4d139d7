"""The house as drawn: imports point down, neighbours never meet, outside tools have one room."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src"
BOTTOM = {"errors", "clock", "processes", "__init__"}
ROOMS = {
    "model": 1,
    "expiry": 1,
    "judge": 2,
    "evidence": 2,
    "catalog": 2,
    "drillfile": 2,
    "journal": 2,
    "children": 2,
    "steps": 3,
    "faults": 3,
    "probes": 3,
    "load": 3,
    "stores": 3,
    "guard": 3,
    "secrets": 3,
    "engine": 4,
    "fleet": 4,
    "web": 4,
    "report": 4,
    "readiness": 4,
    "cli": 5,
    "__main__": 6,
}
STDLIB_ONLY = ("guard", "journal", "errors", "clock", "processes", "expiry")
STDLIB_ALLOWED = {"fireproof.model.record", "fireproof.model.verdict"}
HOME = {  # outside package: the rooms that may name it
    "ansible_runner": {"children"},
    "pytest": {"steps"},
    "httpx": {"steps"},
    "psycopg": {"steps", "probes"},
    "prometheus_client": {"probes"},
    "boto3": {"stores", "secrets"},
    "botocore": {"stores", "secrets"},
    "yaml": {"drillfile"},
    "click": {"cli"},
    "cronsim": {"model"},
    "rich": {"cli"},
    "locust": {"load"},  # it patches sockets, threads and sleep: only ever in a child
    "gevent": {"load"},
    "hdrh": {"load"},
    "pyarrow": {"load", "judge"},  # written there, read here
    "numpy": {"load", "judge"},
    "scipy": {"judge"},
    "cryptography": {"evidence"},
    "securesystemslib": {"evidence"},
    "rfc8785": {"evidence"},
}


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Every module that a file imports, lazily or not."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            yield node.module or "", node.lineno


def room_of(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def modules() -> Iterator[tuple[str, Path]]:
    for path in sorted((SOURCE / "fireproof").rglob("*.py")):
        parts = path.relative_to(SOURCE / "fireproof").with_suffix("").parts
        yield parts[0], path


def test_every_room_is_on_the_map() -> None:
    """A new folder without a place would import whatever it likes."""
    assert {room for room, _ in modules()} <= set(ROOMS) | BOTTOM


def test_imports_point_down_and_neighbours_never_meet() -> None:
    """An auditor loads evidence and judge without the runner."""
    wrong = []
    for room, path in modules():
        for module, line in imports(path):
            if module.split(".")[0] != "fireproof":
                continue
            other = room_of(module)
            allowed = other == room or ROOMS.get(other, 0) < ROOMS.get(room, 0)
            if not allowed:
                wrong.append(f"{path.relative_to(SOURCE)}:{line}: {room} imports {module}")

    assert wrong == []


def test_the_guardian_needs_nothing_but_the_standard_library() -> None:
    """What must outlive everything may not break with anything."""
    wrong = []
    for room, path in modules():
        if room not in STDLIB_ONLY:
            continue
        for module, line in imports(path):
            top = module.split(".")[0]
            if top == "fireproof":
                if room_of(module) not in STDLIB_ONLY and module not in STDLIB_ALLOWED:
                    wrong.append(f"{path.relative_to(SOURCE)}:{line}: {module}")
            elif top not in sys.stdlib_module_names:
                wrong.append(f"{path.relative_to(SOURCE)}:{line}: {module}")

    assert wrong == []


def test_an_outside_package_is_named_in_its_own_room() -> None:
    """Replacing a library touches one room."""
    wrong = [
        f"{path.relative_to(SOURCE)}:{line}: {module}"
        for room, path in modules()
        for module, line in imports(path)
        if room not in HOME.get(module.split(".")[0], {room})
    ]

    assert wrong == []


def test_fireproof_never_names_the_lab_it_ships() -> None:
    """Labs are found by entry point, so that yours is as good as ours."""
    wrong = [
        str(path) for _, path in modules() for m, _ in imports(path) if m.startswith("proving_g")
    ]

    assert wrong == []


def test_a_wrong_import_is_noticed(tmp_path: Path) -> None:
    """The map is not decoration: the reader of imports sees lazy ones too."""
    source = tmp_path / "bad.py"
    source.write_text("def f():\n    from fireproof.cli import app\n")

    assert list(imports(source)) == [("fireproof.cli", 2)]
