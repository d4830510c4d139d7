"""The runner's side of ``fireproof run``: load, freeze, run, say what came of it."""

from __future__ import annotations

import gc
import sys
import traceback
from datetime import UTC, datetime
from typing import Any

from fireproof.cli.compose import make_plan, make_services
from fireproof.cli.render import Renderer, make_renderer
from fireproof.cli.settings import RunSettings
from fireproof.cli.terminal import ask_at_terminal, show_carets
from fireproof.drillfile import render
from fireproof.engine.permission import refusals, typed_wrong
from fireproof.engine.start import start
from fireproof.errors import (
    DrillFileError,
    EnvironmentRefusal,
    EvidenceError,
    FireproofError,
    UsageError,
)
from fireproof.evidence import ChildSigner, EvidenceRoot
from fireproof.guard.folder import RunFolder
from fireproof.guard.interrupt import Interrupted, Interrupts
from fireproof.model.plan import Plan
from fireproof.model.ports import Secrets
from fireproof.model.verdict import ExitCode


class Known:
    """The secrets, from the moment there are any: an error's text may hold what it was about."""

    secrets: Secrets | None = None

    def redact(self, text: str) -> str:
        return str(self.secrets.redact(text)) if self.secrets else text


def run(settings: RunSettings, folder: RunFolder, signer: ChildSigner) -> int:
    """Exit code of one run, in the forked runner."""
    interrupts = Interrupts()
    interrupts.install()
    renderer = make_renderer(settings.output)
    known = Known()
    try:
        result = _run(settings, folder, signer, interrupts, renderer, known)
    except DrillFileError as error:
        print(render(error.problems, carets=show_carets()), file=sys.stderr)
        return ExitCode.USAGE
    except UsageError as error:
        print(f"fireproof: {error}", file=sys.stderr)
        return ExitCode.USAGE
    except Interrupted as stop:
        print(f"fireproof: {stop.why}; nothing was run", file=sys.stderr)
        return 128 + stop.signum if stop.signum else ExitCode.STOPPED_BEFORE_FAULT
    except (FireproofError, EvidenceError) as error:
        print(f"fireproof: {known.redact(str(error))}\nnothing was run.", file=sys.stderr)
        return ExitCode.STOPPED_BEFORE_FAULT
    except Exception:
        print(known.redact(traceback.format_exc()), file=sys.stderr)
        return ExitCode.INTERNAL
    renderer.finish(result)
    return int(result["exit_code"])


def _permit(plan: Plan, settings: RunSettings) -> None:
    """Refuse what the environment does not allow now, all reasons at once.

    Raises:
        EnvironmentRefusal: nothing was touched, and nothing is left.
    """
    wrong = refusals(plan, confirmed=settings.confirm, now=datetime.now(UTC))
    if not wrong and (said := typed_wrong(plan, settings.typed, ask_at_terminal)):
        wrong = [said]
    if wrong:
        raise EnvironmentRefusal("\n".join(wrong))


def _run(
    settings: RunSettings,
    folder: RunFolder,
    signer: ChildSigner,
    interrupts: Interrupts,
    renderer: Renderer,
    known: Known,
) -> dict[str, Any]:
    with interrupts.armed():
        plan = make_plan(settings.drill, settings.environment, folder.run)
        _permit(plan, settings)
    services = make_services(folder.evidence, renderer.on_record, signer, plan.environment)
    known.secrets = services.secrets
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
