"""Where secrets come from, and the watch over those that a run was given."""

from fireproof.secrets.keeper import Keeper
from fireproof.secrets.sources import read_reference

__all__ = ["Keeper", "read_reference"]
