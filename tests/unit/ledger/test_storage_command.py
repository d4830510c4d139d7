"""The storage drivers asked without a route: what the drill reads must be able to be wrong."""

from __future__ import annotations

import contextlib
import json
from collections import Counter

import pytest

from proving_ground.ledger import storage_command
from support.defective import defective


@pytest.mark.parametrize(
    ("names", "counts"),
    [
        ((), {"answered": 10, "wrong-role": 12, "wrong-tenant": 10}),
        (("batch-unguarded",), {"answered": 16, "wrong-role": 8, "wrong-tenant": 8}),
    ],
)
def test_each_role_at_each_verb_is_told(
    names: tuple[str, ...], counts: dict[str, int], capsys: pytest.CaptureFixture[str]
) -> None:
    """4 roles, 4 verbs, own and other tenant; a hole in the guard shows as answers."""
    with defective(*names) if names else contextlib.nullcontext():
        assert storage_command.main([]) == 0
    found = json.loads(capsys.readouterr().out)["memory"]

    assert found.pop("stored though refused") == "0"
    assert Counter(found.values()) == counts
