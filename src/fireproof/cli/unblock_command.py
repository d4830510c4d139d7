"""``fireproof unblock``: take back what ``fireproof stop --all`` said."""

from __future__ import annotations

import sys

import click


@click.command()
def command() -> int:
    """Let drills of this user begin again on this machine."""
    from fireproof.errors import EnvironmentRefusal
    from fireproof.guard.order import block_file, read_order

    path = block_file()
    order = read_order(path)
    if order is None:
        print("drills are not blocked", file=sys.stderr)
        return 0
    try:
        path.unlink()
    except OSError as error:
        raise EnvironmentRefusal(
            f"{path}: cannot be removed: {error.strerror}; drills stay blocked"
        ) from error
    print(f"unblocked; drills had been blocked {order}")
    return 0
