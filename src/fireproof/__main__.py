"""Entry point: ``run`` goes straight to the guardian; everything else goes through click."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and exit with the code that DESIGN calls for."""
    if sys.argv[1:2] == ["run"]:
        from fireproof.cli.run import main as run

        code = run(sys.argv[2:])
        if code is not None:
            sys.exit(code)
    from fireproof.cli.app import app

    sys.exit(app())


if __name__ == "__main__":
    main()
