"""The provider of notices with number 3 in the chain."""

from __future__ import annotations

from functools import partial

from proving_ground.components.notify_process import build_provider
from proving_ground.components.site import Component

COMPONENT = Component("notify-3", partial(build_provider, name="notify-3"), ports=("notify-3",))
