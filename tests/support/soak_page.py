"""docs/reference/soak.md from the verified bundle of one soak: ``make soak-page B=BUNDLE``."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fireproof.cli.render import format_measure

HERE = Path(__file__).parents[2]
PAGE = HERE / "docs" / "reference" / "soak.md"
_MARK = {"met": "met", "missed": "MISSED", "inconclusive": "unknown"}


def verified(bundle: Path) -> str:
    """The identity of a bundle that holds.

    Raises:
        SystemExit: when it does not; a page from it would be hearsay.
    """
    words = [sys.executable, "-m", "fireproof", "verify", "--json", str(bundle)]
    if (root := _evidence(bundle)) is not None:
        words += ["--evidence", str(root)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=600)
    if done.returncode:
        sys.exit(f"soak-page: {bundle} does not hold; nothing was written\n{done.stderr}")
    return str(json.loads(done.stdout)["identity"])


def _evidence(bundle: Path) -> Path | None:
    """The folder whose trust/ the bundle was sealed under."""
    return next((up for up in bundle.resolve().parents if (up / "trust").is_dir()), None)


def as_page(plan: Mapping[str, Any], run: Mapping[str, Any], identity: str) -> str:
    """Markdown, the same for the same bundle."""
    judgement, record = run["judgement"], run["environment_record"]
    params = plan["params"]
    machine, tool = record["machine"], plan["tool"]
    unclean = ", with changes that are not committed" if tool.get("dirty") == "yes" else ""
    length, rate = params["duration"]["value"], params["rate"]["value"]
    asked = f"`--param duration={length}`, {rate}"
    lines = [
        "# The soak",
        "",
        "Written by `make soak-page` from one verified bundle; do not edit.",
        "",
        f"Run `{run['run']}` of `drills/{plan['drill']['drill']}.yaml`, identity "
        f"`sha256:{identity}`.",
        f"Profile {plan.get('profile', 'full')}, {asked}; begun {plan['created_at'][:19]}Z.",
        f"Outcome: **{judgement['outcome']}** (exit code {judgement['exit_code']}): "
        f"{judgement['reason']}.",
        "",
        f"Machine: {machine['cpus']} cores, {int(machine['memory_bytes']) / 2**30:.0f} GiB, kernel "
        f"{machine['kernel']}, Python {machine['python']}, load average {record['load1']} at the "
        "start.",
        "Generator, ledger, database and whatever else the machine did shared these cores.",
        f"Commit `{tool.get('commit', 'unknown')}`{unclean}.",
        "",
        "| objective | verdict | limit | what was found |",
        "|---|---|---|---|",
    ]
    for one in judgement["objectives"]:
        cells = (f"`{one['name']}`", _MARK[one["verdict"]], one["limit"], one["reason"])
        lines.append("| " + " | ".join(map(_cell, cells)) + " |")
    for one in judgement.get("not_asked", ()):
        lines.append(f"| `{one['name']}` | NOT ASKED | | {_cell(one['reason'])} |")
    lines += ["", "## Every number", "", "| objective | measure | value |", "|---|---|---|"]
    lines += list(_measures(judgement["objectives"]))
    lines += ["", "## What this may not claim", "", *_limits(judgement), ""]
    lines += [
        "## Run it again",
        "",
        f"    fireproof run drills/soak.yaml --with-lab --profile {plan.get('profile', 'full')}"
        + "".join(
            f" --param {name}={one['value']}"
            for name, one in params.items()
            if one["from"] == "--param"
        ),
        "    make soak-page B=evidence/bundles/<year>/<month>/<run>",
        "",
        "The whole soak is `fireproof run drills/soak.yaml --with-lab`: four hours.",
    ]
    return "\n".join(lines) + "\n"


def _measures(objectives: list[dict[str, Any]]) -> Iterator[str]:
    for one in objectives:
        for measure in one["measured"]:
            said = re.sub(r"(\.\d{3})\d+", r"\1", format_measure(measure))
            note = f" ({measure['note']})" if measure["note"] else ""
            yield f"| `{one['name']}` | {measure['name']} | {_cell(said + note)} |"


def _limits(judgement: Mapping[str, Any]) -> list[str]:
    unknown = [one["name"] for one in judgement["objectives"] if one["verdict"] == "inconclusive"]
    unasked = [one["name"] for one in judgement.get("not_asked", ())]
    lines = []
    if unasked:
        names = ", ".join(f"`{name}`" for name in unasked)
        lines.append(f"- Nothing of {names}: this run was not asked.")
    if unknown:
        names = ", ".join(f"`{name}`" for name in unknown)
        lines.append(f"- Not that {names} would be met: this run cannot tell.")
    lines += [
        "- Nothing of a time longer than its own. A slope over minutes, narrow as its interval is,",
        "  may be caches that fill; a leak of a few MiB an hour may hide in it.",
        "- Nothing of another machine, and nothing of a quiet one.",
    ]
    return lines


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def main(bundle: Path) -> None:
    """Verify, then write."""
    identity = verified(bundle)
    plan = json.loads((bundle / "plan.json").read_bytes())
    run = json.loads((bundle / "run.json").read_bytes())
    if plan["drill"]["drill"] != "soak":
        sys.exit(f"soak-page: {bundle} is of the drill {plan['drill']['drill']!r}, not of a soak")
    PAGE.write_text(as_page(plan, run, identity), "utf-8")
    print(PAGE.relative_to(HERE))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
