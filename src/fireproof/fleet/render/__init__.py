"""Schedules in the words of those who keep the time: systemd, cron, Kubernetes, GitHub.

Each of them only wakes ``fireproof schedule run --once``, which decides what is due: so a machine
that was down, or a trigger that fired twice, changes nothing in what is run and sealed.
"""

from fireproof.fleet.render.cron import render_cron
from fireproof.fleet.render.github import render_github
from fireproof.fleet.render.kubernetes import render_kubernetes
from fireproof.fleet.render.systemd import render_systemd

__all__ = ["render_cron", "render_github", "render_kubernetes", "render_systemd"]
