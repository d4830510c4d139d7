"""The runner's side of ``fireproof run``: load, freeze, run, say what came of it."""

from __future__ import annotations

import gc
import sys
import traceback
from typing import Any

from fireproof.cli.compose import make_plan, make_services
from fireproof.cli.render import Renderer, make_renderer
from fireproof.cli.settings import RunSettings
from fireproof.drillfile import render
from fireproof.engine.start import start
from fireproof.errors import DrillFileError, EvidenceError, FireproofError, UsageError
from fireproof.evidence import ChildSigner, EvidenceRoot
from fireproof.guard.folder import RunFolder
from fireproof.guard.interrupt import Interrupted, Interrupts
from fireproof.model.verdict import ExitCode


def run(settings: RunSettings, folder: RunFolder, signer: ChildSigner) -> int:
    """Exit code of one run, in the forked runner."""
    interrupts = Interrupts()
    interrupts.install()
    renderer = make_renderer(settings.output)
    try:
        result = _run(settings, folder, signer, interrupts, renderer)
    except DrillFileError as error:
        print(render(error.problems), file=sys.stderr)
        return ExitCode.USAGE
    except UsageError as error:
        print(f"fireproof: {error}", file=sys.stderr)
        return ExitCode.USAGE
    except Interrupted as stop:
        print(f"fireproof: {stop.why}; nothing was run", file=sys.stderr)
        return 128 + stop.signum if stop.signum else ExitCode.STOPPED_BEFORE_FAULT
    except (FireproofError, EvidenceError) as error:
        print(f"fireproof: {error}\nnothing was run.", file=sys.stderr)
        return ExitCode.STOPPED_BEFORE_FAULT
    except Exception:
        traceback.print_exc()
        return ExitCode.INTERNAL
    renderer.finish(result)
    return int(result["exit_code"])


def _run(
    settings: RunSettings,
    folder: RunFolder,
    signer: ChildSigner,
    interrupts: Interrupts,
    renderer: Renderer,
) -> dict[str, Any]:
    with interrupts.armed():
        plan = make_plan(settings.drill, settings.environment, folder.run)
    services = make_services(folder.evidence, renderer.on_record, signer)
    gc.freeze()
    gc.enable()
    if signer.created:
        root = EvidenceRoot(folder.evidence)
        print(
            f"fireproof: made a signing key: {root.private_key} (keep it to yourself); "
            f"auditors need {root.public_key}",
            file=sys.stderr,
        )
    renderer.begin(plan)
    return start(plan, folder, services, interrupts)
