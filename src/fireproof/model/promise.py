"""What every objective may say, whatever it measures."""

from __future__ import annotations

from pydantic import Field

from fireproof.model.params import Profile
from fireproof.model.strict import Strict, unsaid


class Promise(Strict):
    """``profiles: [full]``: a run in another profile does not ask it, and so never shows it.

    None named: asked in every profile.
    """

    profiles: tuple[Profile, ...] = Field(default=(), exclude_if=unsaid)

    def asked_in(self, profile: Profile) -> bool:
        """Whether a run in this profile must answer it."""
        return not self.profiles or profile in self.profiles
