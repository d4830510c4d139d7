"""The provider of notices with number 1 in the chain."""

from __future__ import annotations

from functools import partial

from proving_ground.components.notify_process import build_provider
from proving_ground.components.site import Component

COMPONENT = Component("notify-1", partial(build_provider, name="notify-1"), ports=("notify-1",))
