"""Entry point: ``run`` goes straight to the guardian; everything else goes through click."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line; the exit codes are listed in the README."""
    _open_standard_streams()
    try:
        code = _main()
    except KeyboardInterrupt:
        code = 130
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):  # the interpreter would make its own exit code of it
            os.dup2(os.open(os.devnull, os.O_RDWR), stream.fileno())
    sys.exit(code)


def _main() -> int:
    if sys.argv[1:2] == ["run"]:
        from fireproof.cli.run import main as run

        code = run(sys.argv[2:])
        if code is not None:
            return code
    from fireproof.cli.app import app

    return app()


def _open_standard_streams() -> None:
    """A closed stdout would hand its number to the journal, and a message would end up in it."""
    for fd, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
            setattr(sys, name, open(fd, mode, encoding="utf-8"))  # noqa: SIM115


if __name__ == "__main__":
    main()
