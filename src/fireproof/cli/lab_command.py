"""``fireproof lab``: the built-in systems that drills may break."""

from __future__ import annotations

import json

import click

from fireproof.guard.guardian import say


@click.group()
def command() -> None:
    """Start, stop and look at the built-in systems."""


@command.command()
@click.option("--scale", default=1, show_default=True, help="size of the data; 1 is about 40 MB")
@click.option(
    "--component", "components", multiple=True, help="only these and what they need; repeatable"
)
def up(scale: int, components: tuple[str, ...]) -> int:
    """Start them, or what is missing of them; does nothing when they are up."""
    from fireproof.cli.compose import load_lab

    load_lab("lab").up(scale=scale, components=components or None, report=say)
    return 0


@command.command()
def down() -> int:
    """Stop them and remove their folder; says what is left, if anything."""
    from fireproof.cli.compose import load_lab

    left = load_lab("lab").down(report=say)
    for line in left:
        say(f"left behind: {line}")
    return 4 if left else 0


@command.command()
@click.option("--json", "as_json", is_flag=True)
def status(as_json: bool) -> int:
    """What runs, and where."""
    from fireproof.cli.compose import load_lab

    found = load_lab("lab").status()
    if found is None:
        say("the lab is not up; start it with: fireproof lab up")
        return 3
    if as_json:
        print(json.dumps(found, indent=2, sort_keys=True, default=str))
        return 0
    for name, facts in found.items():
        ready = "ready" if facts.get("ready") else "NOT READY"
        where = f"pid {facts.get('pid')}, port {facts.get('port')}, log {facts.get('log')}"
        print(f"{name:<12} {ready:<9}  {where}")
    return 0
