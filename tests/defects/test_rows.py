"""The matrix itself: no drill without its row, no row that means nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fireproof.cli.compose import vocabulary
from fireproof.drillfile import load_drill
from fireproof.model.params import Asked
from proving_ground.ledger.defects import DEFECTS
from support.defect_rows import HEALTHY, HERE, WITHOUT_ROW, Row, drills, read_rows, shard
from support.defects_page import as_page

# Their damage is the backup's, not the ledger's: docs/reference/detection-matrix.md holds theirs.
ELSEWHERE = {"backup-restore", "backup-restore-synchronous"}


def test_every_drill_is_tested_by_a_defect() -> None:
    """A drill that nothing turns red proves nothing."""
    tested = {row.drill for row in read_rows() if row.defect != HEALTHY}

    assert set(drills()) - ELSEWHERE == tested


def test_every_row_names_a_known_defect_and_a_part_of_its_drill() -> None:
    """A misspelt row would be a red that nobody asked for, or never be run."""
    words = vocabulary()
    wrong = []
    for row in read_rows():
        drill = load_drill(HERE / "drills" / f"{row.drill}.yaml", words, Asked("smoke"))
        conditions = [condition.when for condition in drill.abort]
        known = row.defect in {HEALTHY, *DEFECTS}
        if not known or row.missed not in {None, *drill.objectives}:
            wrong.append(str(row))
        if row.aborts not in {None, *conditions}:
            wrong.append(str(row))

    assert wrong == []


def test_every_defect_turns_a_drill_red_or_says_why_not() -> None:
    """What a drill ought to notice and is never shown, it may well miss."""
    used = {row.defect for row in read_rows() if row.defect != HEALTHY}

    assert set(DEFECTS) - used == set(WITHOUT_ROW)


def test_shards_together_are_the_whole() -> None:
    """CI runs a part a day; none may be left out for ever."""
    rows = [Row("a", str(number)) for number in range(11)]

    parts = [shard(rows, f"{index}/4") for index in range(4)]

    assert sorted(str(row) for part in parts for row in part) == sorted(map(str, rows))
    assert shard(rows, "all") == rows


@pytest.mark.parametrize(
    "text",
    [
        "- {defect: x}",
        "- {defect: x, missed: ''}",
        "- {a: b}",
        "- {defect: x, missed: y, aborts: z}",
    ],
)
def test_a_row_that_cannot_fail_is_refused(tmp_path: Path, text: str) -> None:
    """Without the objective that must turn red, any red would do."""
    (tmp_path / "one.yaml").write_text(text)

    with pytest.raises(ValueError, match="expected defect and missed"):
        read_rows(tmp_path)


def test_the_page_says_what_was_not_seen_and_what_was_not_as_expected() -> None:
    """A page of the rows that went well alone would be read as all of them."""
    rows = [Row("replay"), Row("replay", "wrong-root", "determinism"), Row("drain")]
    seen = {"drill": "replay", "commit": "c", "machine": "m", "on": "d", "code": 0, "why": ""}
    bad = seen | {"defect": "wrong-root", "missed": [], "ok": False}
    good = bad | {"code": 1, "missed": ["determinism"], "ok": True}
    healthy = seen | {"defect": "none", "missed": [], "ok": True}

    page, wrong = as_page(rows, [healthy, good, bad])

    assert wrong == 2
    assert "**1 of 3 rows as expected**, 1 not run: 1 rows with a defect, 2 without." in page
    assert "| `drain` | healthy | nothing |  |  |  | **not run** |" in page
    assert "**not as expected**: determinism" in page
    page, wrong = as_page(rows[:2], [bad, healthy, good])
    assert wrong == 0
    assert "as expected; 1 earlier tries were not" in page


def test_a_row_that_aborts_is_told_by_its_condition() -> None:
    """Ended by anything else it shows nothing."""
    row = Row("drain", "leaves-late", aborts="api.errors > 3")
    seen: dict[str, Any] = {"drill": "drain", "defect": "leaves-late", "missed": [], "why": ""}
    seen |= {"commit": "c", "machine": "m", "on": "d", "code": 6, "ok": False}

    page, wrong = as_page([row], [seen])

    assert (row.wanted(), wrong) == ((7, []), 1)
    assert "**not as expected**: to abort at api.errors > 3" in page
