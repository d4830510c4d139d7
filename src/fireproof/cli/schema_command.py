"""``fireproof schema``: JSON Schema of drill files."""

from __future__ import annotations

import json

import click


@click.command()
def command() -> int:
    """Print the JSON Schema that editors use to complete and check drill files."""
    from fireproof.cli.compose import vocabulary
    from fireproof.drillfile import schema

    print(json.dumps(schema(vocabulary()), indent=2, sort_keys=True))
    return 0
