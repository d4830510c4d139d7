"""A lab of one's own: whatever the file says that DESK names."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


class Desk:
    """Always up."""

    def up(self, *, scale: int, report: Callable[[str], None]) -> None:
        report("the desk stands")

    def down(self, *, report: Callable[[str], None]) -> list[str]:
        return []

    def status(self) -> Mapping[str, Any] | None:
        return {} if os.environ.get("DESK") else None

    def environment(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(Path(os.environ["DESK"]).read_text("utf-8"))
        return found
