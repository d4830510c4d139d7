"""A thread that works beside what a script does, for the length of a block."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

_WAIT_S = 10


class Beside:
    """Begins with the block and ends with it; ``work`` looks at ``over`` to know."""

    def __init__(self) -> None:
        self.over = threading.Event()
        self._thread = threading.Thread(target=self.work, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        err: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.over.set()
        self._thread.join(_WAIT_S)

    def work(self) -> None:
        """What the thread does until ``over`` is set."""
        raise NotImplementedError
