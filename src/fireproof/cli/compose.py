"""The composition root: rooms that never import each other meet here."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from fireproof.cli.locustfiles import locustfile_problems
from fireproof.cli.playbooks import unreadable_playbooks
from fireproof.cli.plugins import Kinds, installed
from fireproof.cli.recompute import judge_bag, missing_packages
from fireproof.drillfile import (
    Loaded,
    Vocabulary,
    check_environment,
    load_environment,
    read_drill,
)
from fireproof.engine.planning import freeze, uses
from fireproof.engine.services import SealedBundle, Services
from fireproof.errors import DrillFileError, EnvironmentRefusal, Problem, UsageError
from fireproof.evidence import (
    Approval,
    EvidenceRoot,
    canonical_bytes,
    put_approvals,
    seal_bundle,
    sign_plan,
)
from fireproof.faults import load_faults
from fireproof.guard.folder import RunFolder
from fireproof.load import start_load
from fireproof.model.drill import Drill, PluginProbe, Probe
from fireproof.model.environment import Environment
from fireproof.model.params import ASKED_NOTHING, Asked
from fireproof.model.plan import OCCURRENCE, Plan
from fireproof.model.ports import Fault, Observer, ProbePlugin, RunningProbe, Signer, Step
from fireproof.model.record import Record
from fireproof.probes import read_present, start_probe
from fireproof.secrets import Keeper
from fireproof.steps import load_steps

RECORDED_PARAMETERS = ("SCALE", "POSTGRES", OCCURRENCE)  # of the process environment; no secret


class Lab(Protocol):
    """What the entry point group ``fireproof.labs`` provides."""

    def for_drills(self, names: Iterable[str]) -> list[str]: ...
    def up(
        self,
        *,
        scale: int,
        components: Iterable[str] | None = None,
        report: Callable[[str], None],
    ) -> None: ...
    def down(self, *, report: Callable[[str], None]) -> list[str]: ...
    def status(self) -> Mapping[str, Any] | None: ...
    def environment(self) -> dict[str, Any]: ...


def load_lab(name: str) -> Lab:
    """The lab of that name.

    Raises:
        EnvironmentRefusal: when no installed package provides it.
    """
    found = installed("fireproof.labs").get(name)
    if found is None:
        raise EnvironmentRefusal(f"no lab {name!r} is installed; pip install 'fireproof[lab]'")
    lab: Lab = found.load()()
    return lab


def load_any_environment(name: str) -> Environment:
    """A lab by its name, or an environment file by its path or its name below environments/."""
    if name.endswith((".yaml", ".yml")):
        return load_environment(Path(name))
    if name in installed("fireproof.labs"):
        lab = load_lab(name)
        if lab.status() is None:
            raise EnvironmentRefusal(
                f"lab {name!r} is not up; start it with: fireproof {name} up "
                "(or give the run --with-lab)"
            )
        return Environment.model_validate(lab.environment())
    path = Path("environments") / f"{name}.yaml"
    if not path.exists():
        raise UsageError(f"no environment {name!r}: neither a lab nor {path}")
    return load_environment(path)


def known_steps() -> Kinds[Step]:
    """Every step there is, those of plug-ins when they are asked for."""
    return Kinds("fireproof.steps", load_steps())


def known_faults() -> Kinds[Fault]:
    """Every fault there is, those of plug-ins when they are asked for."""
    return Kinds("fireproof.faults", load_faults())


def known_probes() -> Kinds[ProbePlugin]:
    """The probes of plug-ins; ours are models of their own."""
    return Kinds("fireproof.probes", {})


def vocabulary() -> Vocabulary:
    """Every step, fault and probe a drill file may use."""
    steps, faults = known_steps(), known_faults()

    def whole() -> Vocabulary:
        return Vocabulary(
            {kind: step.params for kind, step in steps.items()},
            {kind: fault.params for kind, fault in faults.items()},
            probes={kind: probe.params for kind, probe in known_probes().items()},
        )

    return Vocabulary(
        {kind: step.params for kind, step in steps.own.items()},
        {kind: fault.params for kind, fault in faults.own.items()},
        more=cache(whole),
    )


def unfit_files(drills: Sequence[Loaded]) -> list[Problem]:
    """What is wrong in the files that these drills need, tried out before anything is broken."""
    project = Path.cwd()
    return locustfile_problems(drills, project) + unreadable_playbooks(drills, project)


def make_plan(
    drill_file: Path,
    environment_name: str,
    run: str,
    asked: Asked = ASKED_NOTHING,
    *,
    workers: int | None = None,
) -> Plan:
    """Drill file and environment, checked against each other and frozen.

    Args:
        drill_file: what is to be done.
        environment_name: where.
        run: id of the run.
        asked: parameters and profile.
        workers: processes of each load, in place of what the drill says.

    Raises:
        UsageError: more workers for a drill that has no load; or what judges it is not installed.
        DrillFileError: the drill file is wrong in itself.
        EnvironmentRefusal: the environment lacks or does not allow what the drill needs.
    """
    loaded = read_drill(drill_file, vocabulary(), asked)
    if missing := missing_packages(loaded.drill):
        raise UsageError(f"this drill cannot be judged without {missing}")
    if wrong := unfit_files([loaded]):
        raise DrillFileError(wrong)
    environment = load_any_environment(environment_name)
    problems = check_environment(loaded.drill, environment, loaded.marks)
    if problems:
        raise EnvironmentRefusal("\n".join(str(problem) for problem in problems))
    steps, faults = known_steps(), known_faults()
    plan = freeze(
        loaded.drill if workers is None else _with_workers(loaded.drill, workers),
        environment,
        run=run,
        drill_file=drill_file,
        project=Path.cwd(),
        parameters={n: os.environ[n] for n in RECORDED_PARAMETERS if n in os.environ},
        params=loaded.params,
        profile=asked.profile,
        steps=steps,
        faults=faults,
    )
    harm = [use.kind for use in plan.drill.fault]
    others = [use.kind for use in uses(plan.drill) if use not in plan.drill.fault]
    theirs = [one.kind for one in plan.drill.probes.values() if isinstance(one, PluginProbe)]
    plugins = steps.packages(others) | faults.packages(harm) | known_probes().packages(theirs)
    return plan.model_copy(update={"tool": {**plan.tool, **plugins}}) if plugins else plan


def _with_workers(drill: Drill, workers: int) -> Drill:
    if not drill.load:
        raise UsageError(f"--workers {workers}: drill {drill.drill!r} has no load")
    loads = {n: one.model_copy(update={"workers": workers}) for n, one in drill.load.items()}
    return drill.model_copy(update={"load": loads})


def planned_environment(folder: RunFolder) -> Environment | None:
    """The environment that a run was planned for; None without a plan, and so without secrets."""
    bundles = sorted((folder.evidence / "bundles").glob(f"*/*/{folder.run}"))
    path = (bundles[0] if bundles else folder.bag) / "plan.json"
    try:
        return Plan.model_validate_json(path.read_bytes()).environment
    except (OSError, ValueError):  # whoever recovers the run says what that means
        return None


def make_services(
    evidence: Path,
    observe: Observer,
    signer: Signer,
    environment: Environment | None,
    approvals: Sequence[Approval] = (),
) -> Services:
    """The engine's neighbours, introduced; the environment says which secrets they guard."""
    root = EvidenceRoot(evidence)
    keeper = Keeper(environment, Path.cwd())

    def seal(bag: Path, *, run: str, run_record: dict[str, Any]) -> SealedBundle:
        sealed = seal_bundle(
            bag,
            root.bundles,
            run,
            signer=signer,
            run_record=run_record,
            secrets=keeper.needles,
        )
        return SealedBundle(sealed.path, sealed.identity)

    def sign(bag: Path, plan: dict[str, Any]) -> str:
        keeper.refuse_in_the_open(canonical_bytes(plan))
        put_approvals(bag, approvals)
        return sign_plan(bag, plan, signer)

    return Services(
        steps=known_steps(),
        faults=known_faults(),
        start_probe=_start_probe,
        start_load=start_load,
        read_present=read_present,
        judge_bag=judge_bag,
        sign_plan=sign,
        seal=seal,
        observe=_quietly(observe),
        secrets=keeper,
    )


def _start_probe(
    name: str, probe: Probe, *, url: str, run: str, bag: Path, file: str
) -> RunningProbe:
    """Start a probe; one of a plug-in is loaded by its own process, from where we know it."""
    plugin = ""
    if isinstance(probe, PluginProbe):
        plugin = installed("fireproof.probes")[probe.kind].value
    return start_probe(name, probe, url=url, run=run, bag=bag, file=file, plugin=plugin)


def _quietly(observe: Observer) -> Observer:
    """A lost terminal or a full log is no reason to leave a fault standing."""

    def told(record: Record) -> None:
        with contextlib.suppress(Exception):
            observe(record)

    return told
