"""docs/reference/crash.md from the record of kills alone: ``make crash-page``."""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(HERE / "tests"))

from support.crash_record import RECORDS, read_lines  # noqa: E402 - after the path is known

PAGE = HERE / "docs" / "reference" / "crash.md"
PHASES = (
    *("start", "open", "preflight", "baseline", "fault", "recover", "verify", "refuse"),
    *("revert", "seal"),
)
WHO = {"run": "runner", "guardian": "guardian", "both": "both", "recover": "recovery"}
HEAD = """\
# Killed at any instant

Written by `make crash-page` from the kills that `make test-crash` and `make test-crash-drills`
recorded; do not edit.

After each kill, and one `fireproof recover` where runner and guardian had both died (a stopped pair
is ended first, a stopped guardian continued, as a person would): every fault undone and the service
taking and giving back a write, or staying on the verified copy; no process, port, lease, armed
expiry, temporary file or half-built copy left; exactly one sealed outcome, which verifies; and an
outcome and exit code that fit the place of the kill. A run that was killed before its first record
never began and leaves nothing. Complete copies of a database stay: they may hold writes that
clients were promised. In a lab, everything that stood before the drill stands after it: each server
runs with the settings that it had, answers, takes and gives back a write; traffic, configuration,
schema, roles, databases, replication slots, cache, toxics, files of secrets; one key signs, one
secret counts, one role logs in, the certificate holds.
"""
AGAIN = """\
## Run it again

    make test-crash          # every record of a sub-second drill, every signal, every victim
    make test-crash-drills   # the shipped drills on a real lab, at random and at named points
    make crash-page

`FIREPROOF_SEED` draws other random kills, `FIREPROOF_CRASH_SHARD=i/n` runs every n-th,
`FIREPROOF_CRASH_DRILLS="failover drain"` those of these drills. Each drill is killed as a copy of
the shipped one in its smoke profile, with a baseline and a hold of one second where that has no
word on them, with `SCALE=1` and without its abort conditions. A point `seen:` is the middle of a
step, as soon as the lab looks like that. The instants of the random kills are uniform over the
measured length of an undisturbed run.
"""


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return [*lines, *("| " + " | ".join(map(str, row)) + " |" for row in rows), ""]


def by_place(lines: Sequence[dict[str, Any]]) -> list[str]:
    """Victim x signal x phase: how many kills, and how many of them were as promised."""
    phases = [phase for phase in PHASES if any(line.get("phase") == phase for line in lines)]
    rows = []
    for who in WHO:
        for name in sorted({line["signal"] for line in lines if line["who"] == who}):
            mine = [one for one in lines if (one["who"], one["signal"]) == (who, name)]
            seen = Counter(line.get("phase") for line in mine)
            good = sum(line["ok"] for line in mine)
            cells = [seen.get(phase, "") for phase in phases]
            rows.append([WHO[who], name, *cells, len(mine), f"{good} of {len(mine)}"])
    return table(["victim", "signal", *phases, "kills", "as promised"], rows)


def outcomes(lines: Sequence[dict[str, Any]]) -> list[str]:
    seen = Counter((line.get("outcome", "?"), line.get("code", "-")) for line in lines)
    rows = [[what, code, count] for (what, code), count in sorted(seen.items(), key=str)]
    return table(["outcome", "exit code", "kills"], rows)


def delays(lines: Sequence[dict[str, Any]]) -> list[str]:
    """How long a fault outlived the kill."""
    rows = []
    for who in WHO:
        for name in sorted({line["signal"] for line in lines}):
            took = [
                line["undone_after_s"]
                for line in lines
                if (line["who"], line["signal"]) == (who, name)
                and line.get("undone_after_s") is not None
                and line.get("outcome") == "aborted"
            ]
            if took:
                middle, most = statistics.median(took), max(took)
                rows.append([WHO[who], name, len(took), f"{middle:.2f} s", f"{most:.2f} s"])
    return table(["victim", "signal", "kills under a fault", "median", "longest"], rows)


@cache
def tested(commit: str, drill: str) -> str:
    """What was under test in that commit; the tests may differ, and other drills."""
    parts = ["src/fireproof"]  # of a drill that needs no lab
    if (HERE / "drills" / f"{drill}.yaml").exists():
        parts += ["src/proving_ground", "playbooks", "drills/tests", "drills/load"]
        parts += [f"drills/{drill}.yaml"]
    argv = ["git", "-C", str(HERE), "rev-parse", *(f"{commit}:{part}" for part in parts)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else commit


def section(drill: str, told: Sequence[dict[str, Any]]) -> list[str]:
    """The kills of one drill, as far as they were of what its newest kill tested."""
    newest = tested(told[-1]["commit"], drill)
    every = [line for line in told if tested(line["commit"], drill) == newest]
    lines = list({line["test"]: line for line in every}.values())
    before = [line for line in every if line not in lines]
    mine = [line for line in lines if line.get("struck", True)]
    named = [line for line in mine if line.get("named")]
    good = sum(line["ok"] for line in mine)
    words = f"{len(mine)} kills: {len(named)} at named points, {len(mine) - len(named)} at "
    words += f"random instants. As promised: {good}."
    if late := len(lines) - len(mine):
        words += f" Not counted: {late}, whose run had ended before, or aborted by itself."
    bad = [line for line in before if not line["ok"]]
    if before:
        words += (
            f" The last try of a kill counts; {len(before)} earlier tries do not, {len(bad)} of "
        )
        words += "them not as promised" + (" (below)." if bad else ".")
    past = {line["test"]: line for line in told if line not in every and line.get("struck", True)}
    if past:
        held = sum(line["ok"] for line in past.values())
        words += f" Before what it tests changed: {len(past)} kills, {held} as promised."
    last = every[-1]
    text = [f"## {drill}", "", words, "", f"Commit {last['commit']}, {last['on']}.", ""]
    text += [*by_place(mine), *outcomes(mine)]
    if any(line.get("undone_after_s") is not None for line in mine):
        text += ["From the kill until the fault was taken back:", "", *delays(mine)]
    unkept = [line for line in mine if not line["ok"]]
    text += [f"- NOT AS PROMISED: {one['test']}: {one['why'].split(chr(10))[0]}" for one in unkept]
    text += [f"- An earlier try of {one['test']}: {_first(one)}" for one in bad]
    gone = [line for line in past.values() if not line["ok"]]
    text += [f"- Before what it tests changed: {one['test']}: {_first(one)}" for one in gone]
    return text + ([""] if unkept or bad or gone else [])


def _first(line: dict[str, Any]) -> str:
    """What was not as promised, and what the run itself said of it."""
    said = [each.strip() for each in line.get("said", "").splitlines()]
    ended = [each for each in said if each.startswith(("INCONCLUSIVE", "FAILED", "ABORTED"))]
    return "; ".join([line["why"].split("\n")[0], *ended[:1]])


def page(lines: Sequence[dict[str, Any]]) -> str:
    """A section a drill, each over the kills of the newest state of what it tests."""
    drills = sorted({line["drill"] for line in lines})
    told = {drill: [line for line in lines if line["drill"] == drill] for drill in drills}
    machines = " / ".join(sorted({line["machine"] for line in lines}))
    text = [HEAD, f"{machines}.", ""]
    for drill in drills:
        text += section(drill, told[drill])
    return "\n".join([*text, AGAIN])


def main() -> None:
    """Write the page; the first argument may name another record."""
    record = Path(sys.argv[1]) if len(sys.argv) > 1 else RECORDS
    if not record.exists():
        sys.exit(f"{record}: no kills on record; first: make test-crash test-crash-drills")
    PAGE.write_text(page(read_lines(record)), "utf-8")
    print(f"wrote {PAGE.relative_to(HERE)}")


if __name__ == "__main__":
    main()
