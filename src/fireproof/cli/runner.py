"""The runner's side of ``fireproof run``: load, freeze, run, say what came of it."""

from __future__ import annotations

import gc
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from fireproof.cli.approvals import find_enough
from fireproof.cli.compose import make_plan, make_services
from fireproof.cli.params import asked_for
from fireproof.cli.refusals import refused
from fireproof.cli.render import Renderer, make_renderer
from fireproof.cli.settings import RunSettings
from fireproof.cli.terminal import WAIT_S, ask_at_terminal
from fireproof.engine.permission import refusals, typed_wrong, unattended
from fireproof.engine.start import start
from fireproof.errors import DrillFileError, EnvironmentRefusal, FireproofError, UsageError
from fireproof.evidence import Approval, ChildSigner, EvidenceRoot
from fireproof.guard.folder import RunFolder
from fireproof.guard.guardian import say
from fireproof.guard.heartbeat import Heart
from fireproof.guard.interrupt import Interrupted, Interrupts
from fireproof.model.plan import Plan
from fireproof.model.ports import Secrets
from fireproof.model.verdict import ExitCode
from fireproof.steps.manual import somebody_is_here

READ_S = 60.0  # secrets that are kept far away


class Known:
    """The secrets, from the moment there are any: an error's text may hold what it was about."""

    secrets: Secrets | None = None

    def redact(self, text: str) -> str:
        return str(self.secrets.redact(text)) if self.secrets else text


def run(
    settings: RunSettings,
    folder: RunFolder,
    signer: ChildSigner,
    heart: Heart,
    asked: Callable[[], str | None],
) -> int:
    """Exit code of one run, in the forked runner; ``asked``: who wants it stopped."""
    interrupts = Interrupts(asked)
    interrupts.install()
    renderer = make_renderer(settings.output)
    known = Known()
    try:
        result = _run(settings, folder, signer, heart, interrupts, renderer, known)
    except (DrillFileError, UsageError) as error:
        return refused(error)
    except Interrupted as stop:
        say(f"fireproof: {stop.why}; nothing was run")
        return 128 + stop.signum if stop.signum else ExitCode.STOPPED_BEFORE_FAULT
    except FireproofError as error:  # after the start every end has a result
        say(f"fireproof: {known.redact(str(error))}\nnothing was run.")
        return ExitCode.STOPPED_BEFORE_FAULT
    except Exception:
        say(known.redact(traceback.format_exc()))
        return ExitCode.INTERNAL
    renderer.finish(result)
    return int(result["exit_code"])


def _permit(plan: Plan, settings: RunSettings, runner: Callable[[], str]) -> list[Approval]:
    """Refuse what the environment does not allow now, all reasons at once; who approved.

    Raises:
        EnvironmentRefusal: nothing was touched, and nothing is left.
    """
    wrong = refusals(plan, confirmed=settings.confirm, now=datetime.now(UTC))
    wrong += unattended(plan.drill, somebody_is_here=somebody_is_here())
    approvals, unapproved = find_enough(plan, settings, runner)
    wrong += unapproved
    if not wrong and (said := typed_wrong(plan, settings.typed, ask_at_terminal)):
        wrong = [said]
    if wrong:
        raise EnvironmentRefusal("\n".join(wrong))
    return approvals


def _run(
    settings: RunSettings,
    folder: RunFolder,
    signer: ChildSigner,
    heart: Heart,
    interrupts: Interrupts,
    renderer: Renderer,
    known: Known,
) -> dict[str, Any]:
    with interrupts.armed():
        asked = asked_for(settings)
        plan = make_plan(
            settings.drill, settings.environment, folder.run, asked, workers=settings.workers
        )
        heart.allow(WAIT_S)  # a person is slower than the guardian is patient
        approvals = _permit(plan, settings, lambda: signer.key_id)
        heart.allow(READ_S)
    plan = plan.model_copy(update={"approvals": {a.key_id: a.sha256 for a in approvals}})
    services = make_services(
        folder.evidence, renderer.on_record, signer, plan.environment, approvals
    )
    known.secrets = services.secrets
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
