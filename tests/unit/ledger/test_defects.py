"""The list of known defects and the code that has them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fireproof.errors import EnvironmentRefusal
from proving_ground.ledger import defects
from support.defect_rows import read_rows

SOURCE = Path(__file__).parents[3] / "src/proving_ground"


def uses(text: str) -> list[str]:
    return re.findall(r"""defects\.on\(\s*["']([a-z0-9-]+)["']""", text)


@pytest.fixture(autouse=True)
def _off() -> None:
    defects._on.clear()


def test_each_defect_has_exactly_one_place() -> None:
    """A name on the list that breaks nothing would make its drill look blind."""
    found = [name for path in sorted(SOURCE.rglob("*.py")) for name in uses(path.read_text())]

    assert sorted(found) == sorted(defects.DEFECTS)


def test_a_place_without_a_name_on_the_list_is_noticed() -> None:
    """The test above reads the code; it must see what it looks for."""
    assert uses('if x and defects.on(\n    "made-up"):') == ["made-up"]
    with pytest.raises(KeyError):
        defects.on("made-up")


def test_a_process_takes_its_own_defects_and_leaves_the_other_words() -> None:
    """The port stands beside them."""
    rest = defects.take(["--defect", "no-request-id", "80"], "ledger")

    assert rest == ["80"]
    assert defects.on("no-request-id")
    assert not defects.on("ready-without-database")


def test_a_part_without_a_process_has_its_defects_for_a_while() -> None:
    """Provisioning happens inside whoever builds the lab, which goes on to other things."""
    with defects.taken(("--defect", "audit-rewritable"), "provision"):
        assert defects.on("audit-rewritable")

    assert not defects.on("audit-rewritable")


@pytest.mark.parametrize(
    ("process", "name", "said"),
    [
        ("ledger", "no-request-ids", "did you mean 'no-request-id'?"),
        ("ledger", "", "is not a known defect"),
        ("elsewhere", "no-request-id", "elsewhere: --defect"),
    ],
)
def test_an_unknown_defect_is_a_wrong_call(
    process: str, name: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A misspelt defect would leave the service whole and blame the drill."""
    with pytest.raises(SystemExit) as ended:
        defects.take(["--defect", name], process)

    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_a_list_for_the_lab_is_checked_as_a_whole() -> None:
    """Before anything is started."""
    assert defects.parse_list(" no-request-id,,no-request-id", "X") == ["no-request-id"]
    with pytest.raises(EnvironmentRefusal, match=r"X: 'a'.*X: 'b'"):
        defects.parse_list("a,b", "X")


def test_each_defect_is_named_by_a_test() -> None:
    """A defect that no test, and no row of the test of the drills, has seen red is a rumour."""
    tests = Path(__file__).parents[2]
    text = "".join(path.read_text("utf-8") for path in sorted(tests.rglob("test_*.py")))

    drilled = {row.defect for row in read_rows()}
    named = {name for name in defects.DEFECTS if f'"{name}"' in text} | drilled
    assert sorted(set(defects.DEFECTS) - named) == []
