"""What drills are asked to show, and where verified evidence shows it."""

from __future__ import annotations

from fireproof.catalog.checklist import ChecklistRow, load_checklist
from fireproof.catalog.coverage import Proof, Shown, ShownDay, covered

__all__ = ["ChecklistRow", "Proof", "Shown", "ShownDay", "covered", "load_checklist"]
