"""The scripts that playbooks run, as modules; they are in no package."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

FILES = Path(__file__).parents[2] / "playbooks" / "files"


def load_script(name: str) -> ModuleType:
    """By its file's name, without the ending."""
    spec = importlib.util.spec_from_file_location(f"playbook_{name}", FILES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
