"""A service and a timer for each schedule."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from fireproof.fleet.entry import Entry
from fireproof.model.schedule import Fields, Schedule, parse_cron

_WEEKDAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
_PLAIN = re.compile(r"[\w@%+=:,./$-]+", re.ASCII)
_ALL = {
    "minutes": frozenset(range(60)),
    "hours": frozenset(range(24)),
    "days": frozenset(range(1, 32)),
    "months": frozenset(range(1, 13)),
    "weekdays": frozenset(range(7)),
}


def render_systemd(
    entries: Iterable[Entry], project: Path, fireproof: Path, evidence: Path
) -> Mapping[str, str]:
    """Unit files by name; each names its evidence folder, because no shell's variables reach it."""
    units: dict[str, str] = {}
    for entry in entries:
        name = f"fireproof-{entry.key}"
        title = " ".join(entry.title.split())  # a second line would be a setting
        description = f"fireproof: {title}".replace("%", "%%")
        words = (str(fireproof), *entry.wake, "--evidence", str(evidence))
        units[f"{name}.service"] = "\n".join(
            [
                "[Unit]",
                f"Description={description}",
                "",
                "[Service]",
                "Type=oneshot",
                f"WorkingDirectory={_path(project)}",
                f"ExecStart={' '.join(map(_word, words))}",
                "# The undo of a fault is given its time.",
                "TimeoutStopSec=1h",
                "KillMode=mixed",
                "",
            ]
        )
        units[f"{name}.timer"] = "\n".join(
            [
                "[Unit]",
                f"Description={description}",
                "",
                "[Timer]",
                *(f"OnCalendar={line}" for line in calendar(entry.schedule)),
                "# After a time off, one start: it seals what was missed.",
                "Persistent=true",
                "AccuracySec=1s",
                "",
                "[Install]",
                "WantedBy=timers.target",
                "",
            ]
        )
    return units


def calendar(schedule: Schedule) -> list[str]:
    """OnCalendar texts that together mean the same as the cron text.

    In cron a day fits when either of two restricted day fields does; that takes two lines here.
    """
    fields = parse_cron(schedule.cron)
    if not fields.either_day:
        return [_line(fields, schedule.timezone)]
    by_date = fields._replace(weekdays=_ALL["weekdays"])
    by_weekday = fields._replace(days=_ALL["days"])
    return [_line(one, schedule.timezone) for one in (by_date, by_weekday)]


def _line(fields: Fields, zone: str) -> str:
    """``Mon,Tue *-01,07-01 03:00:00 UTC``; a star where everything is allowed."""
    weekdays = ",".join(_WEEKDAYS[day] for day in sorted(fields.weekdays))
    texts = {
        name: "*" if values == _ALL[name] else ",".join(f"{n:02d}" for n in sorted(values))
        for name, values in fields._asdict().items()
        if name not in ("weekdays", "either_day")
    }
    when = f"*-{texts['months']}-{texts['days']} {texts['hours']}:{texts['minutes']}:00 {zone}"
    return when if fields.weekdays == _ALL["weekdays"] else f"{weekdays} {when}"


def _path(path: Path) -> str:
    return str(path).replace("%", "%%")


def _word(text: str) -> str:
    """One word of a command line, as systemd reads it."""
    text = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return text if _PLAIN.fullmatch(text) else f'"{text}"'
