"""Schedules: when drills are due, who is told so, and what becomes of a run that was missed."""

from fireproof.fleet.agenda import Agenda
from fireproof.fleet.entry import Entry
from fireproof.fleet.extras import needed_extras
from fireproof.fleet.scheduler import Clock, Door, WallClock, catch_up, serve

__all__ = ["Agenda", "Clock", "Door", "Entry", "WallClock", "catch_up", "needed_extras", "serve"]
