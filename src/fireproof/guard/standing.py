"""Which faults a journal leaves standing."""

from __future__ import annotations

from collections.abc import Sequence

from fireproof.model.record import Record


def standing(records: Sequence[Record]) -> list[Record]:
    """Intents without a ``reverted``, newest first."""
    back = {record.data["fault"] for record in records if record.kind == "reverted"}
    intents = [record for record in records if record.kind == "intent"]
    return [record for record in reversed(intents) if record.data["fault"] not in back]
