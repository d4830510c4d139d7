"""The page that says which checklist rows verified bundles show, and which none does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fireproof.catalog import ChecklistRow, Proof
from fireproof.model.verdict import Verdict, combine

_WIDTH = 90  # characters of an observed value; the bundle has all of it
_STATES = {Verdict.MET: "met", Verdict.MISSED: "MISSED", Verdict.INCONCLUSIVE: "unknown"}


def write_checklist(
    rows: Sequence[ChecklistRow], proofs: Mapping[int, Sequence[Proof]], source: Sequence[str]
) -> str:
    """Markdown, the same for the same bundles.

    Args:
        rows: the checklist.
        proofs: of each row that has any.
        source: lines that say which bundles were read.
    """
    states = {row: combine(proof.verdict for proof in found) for row, found in proofs.items()}
    met = sum(state is Verdict.MET for state in states.values())
    lines = [
        "# Checklist rows and their evidence",
        "",
        "Written by `fireproof coverage` from verified bundles; not to be edited.",
        "",
        *source,
        "",
        f"**{met} of {len(rows)} rows are shown and met.** {len(states) - met} are shown and not "
        f"met, {len(rows) - len(states)} are not covered. A row counts only where an objective or "
        "check with an observed value covers it. Evidence of the profile `smoke` shows that the "
        "drill works, on the place it ran in.",
    ]
    section = ""
    for row in rows:
        if row.section != section:
            section = row.section
            lines += ["", f"## {section}", "", "| row | | state | shown by | observed | run |"]
            lines += ["|---|---|---|---|---|---|"]
        found = proofs.get(row.number, ())
        if not found:
            lines.append(f"| {row.number} | {row.title} | not covered | | | |")
        for proof in found:
            cells = (
                *(str(row.number), row.title, _STATES[proof.verdict]),
                f"{proof.drill}, {proof.what}" + (" (smoke)" if proof.profile == "smoke" else ""),
                proof.observed,
                f"`{proof.run}`",
            )
            lines.append(f"| {' | '.join(map(_cell, cells))} |")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    line = " ".join(text.split())
    line = line if len(line) <= _WIDTH else line[: _WIDTH - 1] + "…"
    return line.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
