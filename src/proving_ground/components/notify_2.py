"""The provider of notices with number 2 in the chain."""

from __future__ import annotations

from functools import partial

from proving_ground.components.notify_process import build_provider
from proving_ground.components.site import Component

COMPONENT = Component("notify-2", partial(build_provider, name="notify-2"), ports=("notify-2",))
