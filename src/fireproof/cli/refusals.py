"""What a caller did wrong, said once and with its exit code."""

from __future__ import annotations

from fireproof.errors import DrillFileError, UsageError
from fireproof.guard.guardian import say
from fireproof.model.verdict import ExitCode


def refused(error: DrillFileError | UsageError) -> int:
    """Says it, a drill file's problems with their places."""
    if isinstance(error, DrillFileError):
        from fireproof.cli.terminal import show_carets
        from fireproof.drillfile import render

        say(render(error.problems, carets=show_carets()))
    else:
        say(f"fireproof: {error}")
    return ExitCode.USAGE
