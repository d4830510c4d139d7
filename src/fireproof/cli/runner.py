"""The runner's side of ``fireproof run``: load, freeze, run, say what came of it."""

from __future__ import annotations

import gc
import traceback
from typing import Any

from fireproof.cli.compose import make_plan, make_services
from fireproof.cli.render import Renderer, make_renderer
from fireproof.cli.settings import RunSettings
from fireproof.drillfile import render
from fireproof.engine.start import start
from fireproof.errors import DrillFileError, FireproofError, UsageError
from fireproof.evidence import ChildSigner, EvidenceRoot
from fireproof.guard.folder import RunFolder
from fireproof.guard.guardian import say
from fireproof.guard.heartbeat import Heart
from fireproof.guard.interrupt import Interrupted, Interrupts
from fireproof.model.verdict import ExitCode


def run(settings: RunSettings, folder: RunFolder, signer: ChildSigner, heart: Heart) -> int:
    """Exit code of one run, in the forked runner."""
    interrupts = Interrupts()
    interrupts.install()
    renderer = make_renderer(settings.output)
    try:
        result = _run(settings, folder, signer, heart, interrupts, renderer)
    except DrillFileError as error:
        say(render(error.problems))
        return ExitCode.USAGE
    except UsageError as error:
        say(f"fireproof: {error}")
        return ExitCode.USAGE
    except Interrupted as stop:
        say(f"fireproof: {stop.why}; nothing was run")
        return 128 + stop.signum if stop.signum else ExitCode.STOPPED_BEFORE_FAULT
    except FireproofError as error:  # after the start every end has a result
        say(f"fireproof: {error}\nnothing was run.")
        return ExitCode.STOPPED_BEFORE_FAULT
    except Exception:
        say(traceback.format_exc())
        return ExitCode.INTERNAL
    renderer.finish(result)
    return int(result["exit_code"])


def _run(
    settings: RunSettings,
    folder: RunFolder,
    signer: ChildSigner,
    heart: Heart,
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
        say(
            f"fireproof: made a signing key: {root.private_key} (keep it to yourself); "
            f"auditors need {root.public_key}"
        )
    renderer.begin(plan)
    return start(plan, folder, services, interrupts, heart)
