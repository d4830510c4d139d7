"""One run of a drill: the phases, in order, each act recorded before and after."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable
from typing import Any

from fireproof.clock import clock_pair, monotonic_ns
from fireproof.engine.cleanup import Cleanup
from fireproof.engine.loading import Loads
from fireproof.engine.observation import load1, machine
from fireproof.engine.probing import located, probe_address
from fireproof.engine.revert import ATTEMPTS, UNDO_TIMEOUT_NS
from fireproof.engine.services import Services
from fireproof.engine.stage import Stage
from fireproof.engine.watch import Watch, Watched
from fireproof.errors import FireproofError, JournalError
from fireproof.guard.folder import RunFolder
from fireproof.guard.heartbeat import Heart
from fireproof.guard.interrupt import Interrupted, Interrupts
from fireproof.journal import JournalWriter
from fireproof.model.drill import ABORT_CONDITIONS, CanaryProbe, Detection, RecoveryTime, Use
from fireproof.model.environment import resolve
from fireproof.model.plan import Plan
from fireproof.model.ports import Armed, RunningProbe
from fireproof.processes import use_temporary_folder

_TICK_S = 0.1
_PROBE_START_S = 5.0
READ_S = 30.0  # presence of every canary write


class Halt(FireproofError):
    """The run cannot go on; becomes an abort record."""


class Run:
    """Runs a frozen plan. The journal and the run's lock are the caller's."""

    def __init__(
        self,
        plan: Plan,
        folder: RunFolder,
        journal: JournalWriter,
        services: Services,
        interrupts: Interrupts,
        heart: Heart,
    ) -> None:
        self._plan = plan
        self._drill = plan.drill
        self._folder = folder
        self._journal = journal
        self._services = services
        self._interrupts = interrupts
        self._heart = heart
        self._probes: dict[str, RunningProbe] = {}
        self._running: list[str] = []
        self._loads = Loads(plan.drill, folder, services, heart)
        self._phase = "open"
        self._aborted = False
        self._over = threading.Event()
        self._watch = Watch(
            plan.drill.abort, self._watched, lambda: self._phase, interrupts.request
        )
        self._stage = Stage(plan, folder, services, self._note, interrupts, heart)
        self.cleanup = self._cleanup = Cleanup(folder, plan, journal, services)

    def execute(self, plan_sha256: str) -> None:
        """From OPEN to RESIDUE_CHECKED; whatever happens in between is recorded and undone."""
        args = (self._over,)
        watcher = threading.Thread(target=self._watch.run, args=args, name="abort", daemon=True)
        recovered = False
        try:
            self._note(
                "open",
                run=self._plan.run,
                drill=self._drill.drill,
                environment=self._plan.environment.environment,
                plan_sha256=plan_sha256,
                clocks=clock_pair(),
                boot_id=machine()["boot_id"],
                pid=os.getpid(),
            )
            watcher.start()
            use_temporary_folder(self._plan.run)  # from here on somebody removes it
            self._prepare()
            self._harm()
            recovered = self._recover()
            with self._interrupts.armed():
                pass  # a stop that came since the last wait still counts
        except Interrupted as stop:
            self._abort(stop.why, stop.by, stop.signum)
        except Halt as halt:
            self._abort(str(halt), "runner", None)
        except JournalError as error:
            self._cleanup.journal_error = error
            self._abort(str(error), "runner", None)
        except Exception as error:  # a defect of ours: the undo comes first, then the report
            self._abort(f"internal error: {type(error).__name__}: {error}", "runner", None)
            self._cleanup.internal_error = error
        finally:
            self._over.set()
            self._interrupts.close()
            self._finish(recovered and not self._aborted)

    # the phases

    def _prepare(self) -> None:
        self._enter("preflight")
        self._all_or_halt(self._drill.preflight)
        self._start_probes()
        self._enter("baseline")
        self._start_loads()
        self._all_or_halt(self._drill.baseline.steps)
        self._pass_time(self._drill.baseline.for_)
        for name, probe in self._probes.items():
            if not probe.alive():
                raise Halt(f"probe {name} died before the fault")
            if probe.observations() == 0:
                raise Halt(f"probe {name} observed nothing before the fault")
        if dead := self._loads.dead():
            raise Halt(f"load {dead} died before the fault")

    def _harm(self) -> None:
        self._enter("fault")
        self._start_loads()
        harms = []
        for index, use in enumerate(self._drill.fault):  # all undos are known before any harm
            fault = self._services.faults[use.kind]
            params = fault.params.model_validate(use.params)
            context = self._stage.context("fault", index, use.kind, params.timeout)
            try:
                undo = fault.prepare(params, context)
            except FireproofError as error:
                raise Halt(f"{use.label()}: {error}") from error
            if self._services.secrets.redact(undo) != undo:
                raise Halt(f"{use.label()}: its undo would hold a secret, and be written down")
            harms.append((index, use, fault, params, undo))
        for index, use, fault, params, undo in harms:
            with self._interrupts.armed():
                pass  # a stop that came meanwhile takes effect before the harm, not after
            self._note(
                "intent",
                fault=index,
                kind=use.kind,
                component=fault.component(params),
                undo=undo,
                expires_ns=params.expires,
                label=use.label(),
            )
            context = self._stage.context("fault", index, use.kind, params.timeout)
            self._heart.allow(params.timeout / 1e9)
            before = monotonic_ns()
            try:
                if isinstance(fault, Armed):  # not yet harm, so its clock has not started
                    fault.arm(undo, context)
                    before = monotonic_ns()
                detail = fault.apply(undo, context)
            except Exception as error:
                self._note("fault-failed", fault=index, detail=f"{error}")
                raise Halt(f"the fault could not be applied: {use.label()}: {error}") from error
            self._note(
                "injected", fault=index, before_ns=before, after_ns=monotonic_ns(), detail=detail
            )

    def _recover(self) -> bool:
        """True when recovery was carried out and every verification passed."""
        self._await_alerts()
        self._enter("recover")
        self._start_loads()
        detail = ""
        for index, use in enumerate(self._drill.recover):
            result = self._stage.run_step(index, use)
            if result is not True:
                detail = f"{use.label()} did not succeed"
                break
        if not detail:
            detail = self._await_service()
        died = any(not probe.alive() for probe in self._probes.values())  # then nobody can tell
        ok = None if detail and died else not detail
        done = "service answers again" if self._drill.fault else "no fault was planned"
        self._note("recovered", ok=ok, detail=detail or done)
        good = ok is True
        self._enter("verify")
        self._start_loads()
        if good:
            for index, use in enumerate(self._drill.verify):
                good &= self._stage.run_step(index, use) is True
            good &= self._stage.checks_hold
            self._hold()
            self._await_loads()
        self._loads.stop(self._note, self._cleanup.remark)
        self._read_canaries()
        self._stop_probes()
        if good and self._drill.refuse:
            self._enter("refuse")
            for index, use in enumerate(self._drill.refuse):
                self._stage.run_step(index, use)
        return good

    def _finish(self, recovered: bool) -> None:
        """Undo first; everything else can wait."""
        intents = sum(record.kind == "intent" for record in self._journal.records)  # steps', too
        self._heart.allow(intents * ATTEMPTS * UNDO_TIMEOUT_NS / 1e9)
        note = self._cleanup.note
        self._cleanup.end_strays(self._spared())  # nothing of ours may act during the undo
        note("phase", phase="revert", clocks=clock_pair(), load1=load1())
        self._cleanup.revert(recovered=recovered)
        if any(record.kind == "injected" for record in self._journal.records):
            with contextlib.suppress(Exception):  # after an abort; a clean run has read already
                self._read_canaries(note)
        self._loads.stop(note, self._cleanup.remark)
        self._stop_probes(note)
        self._cleanup.check(ABORT_CONDITIONS, *self._watch.found())
        self._cleanup.residue(recovered=recovered, spare=self._spared())

    # parts of phases

    def _all_or_halt(self, steps: tuple[Use, ...]) -> None:
        for index, use in enumerate(steps):
            if self._stage.run_step(index, use) is not True:
                raise Halt(f"{self._phase}: {use.label()}: {self._stage.last_detail}")

    def _start_loads(self) -> None:
        try:
            self._loads.start(self._phase, self._note)
        except FireproofError as error:
            raise Halt(str(error)) from error

    def _await_loads(self) -> None:
        """Until every profile that the drill wants whole is over; stages bound the wait."""
        while self._loads.unfinished():
            self._sleep()

    def _start_probes(self) -> None:
        for name, probe in self._drill.probes.items():
            place = self._services.secrets.reveal()
            kind, address = probe_address(probe, place)
            file = f"data/samples/{name}.csv"
            (self._folder.data / "samples").mkdir(exist_ok=True)
            every = round(1e9 / probe.rate) if isinstance(probe, CanaryProbe) else probe.every
            self._note(
                "probe-start",
                probe=name,
                kind=kind,
                file=file,
                period_ns=every,
                timeout_ns=probe.timeout,
            )
            self._running.append(name)
            self._probes[name] = self._services.start_probe(
                name,
                located(probe, place),
                url=address,
                run=self._plan.run,
                bag=self._folder.bag,
                file=file,
            )
        deadline = monotonic_ns() + round(_PROBE_START_S * 1e9)
        while any(p.observations() == 0 for p in self._probes.values()):
            if monotonic_ns() > deadline:
                break  # the end of the baseline says which one
            self._sleep()

    def _await_alerts(self) -> None:
        """Wait until each promised alert has arrived, at most until its limit is over."""
        injected = [r.data["after_ns"] for r in self._journal.records if r.kind == "injected"]
        for objective in self._plan.asked().values():
            if not isinstance(objective, Detection) or not injected:
                continue
            probe = self._probes[objective.from_]
            deadline = injected[0] + objective.mttd
            while probe.alive() and not probe.errors() and monotonic_ns() <= deadline:
                self._sleep()

    def _await_service(self) -> str:
        """Wait until the RTO probes are good again, at most until their limit; "" or why not."""
        for name, objective in self._plan.asked().items():
            if not isinstance(objective, RecoveryTime):
                continue
            probe = self._probes[objective.from_]
            injected = [r.data for r in self._journal.records if r.kind == "injected"]
            deadline = injected[0]["after_ns"] + objective.rto
            # An answer from before the harm says nothing; a harm that no answer shows within the
            # probe's timeout has not reached the client.
            settled = injected[-1]["after_ns"] + self._drill.probes[objective.from_].timeout
            while (since := probe.good_since()) is None or (
                since < injected[0]["before_ns"] and monotonic_ns() < settled
            ):
                if monotonic_ns() > max(deadline, settled):
                    return f"{name}: probe {objective.from_} was not good again within the limit"
                if not probe.alive():
                    return f"{name}: probe {objective.from_} died"
                self._sleep()
        return ""

    def _hold(self) -> None:
        """Good is only good when it lasts: watch for the longest hold, bounded by twice that."""
        holds = [o for o in self._plan.asked().values() if isinstance(o, RecoveryTime)]
        if not holds:
            return
        hold = max(objective.hold for objective in holds)
        deadline = monotonic_ns() + 2 * hold
        probes = [self._probes[objective.from_] for objective in holds]

        def held(probe: RunningProbe) -> bool:
            since = probe.good_since()
            # A second more than the hold: the judge wants answers, not questions, that long.
            return since is not None and monotonic_ns() - since >= hold + 10**9

        while not all(held(probe) for probe in probes):
            if monotonic_ns() > deadline + 2 * 10**9:
                return  # the judge sees the same samples and says so
            self._sleep()

    def _read_canaries(self, note: Callable[..., object] | None = None) -> None:
        note = note or self._note
        for name, probe in self._drill.probes.items():
            if not isinstance(probe, CanaryProbe) or name not in self._running:
                continue
            self._stop_probe(name, note)
            place = self._services.secrets.reveal()
            component = place.component(probe.read_from)
            file = f"data/samples/{name}-present.csv"
            self._heart.allow(READ_S)
            deadline = monotonic_ns() + round(READ_S * 1e9)
            try:
                before, after, rows = self._services.read_present(
                    resolve(component.get("dsn") or "", place),
                    probe.query,
                    self._folder.bag / file,
                    deadline_ns=deadline,
                )
            except FireproofError as error:
                self._cleanup.remark(f"canary {name} could not be read: {error}")
                continue
            note("canary-read", probe=name, file=file, before_ns=before, after_ns=after, rows=rows)

    def _stop_probes(self, note: Callable[..., object] | None = None) -> None:
        for name in list(self._running):
            self._stop_probe(name, note or self._note)

    def _stop_probe(self, name: str, note: Callable[..., object]) -> None:
        probe = self._probes.get(name)
        self._running.remove(name)
        if probe is None:
            return
        self._heart.allow(2 * self._drill.probes[name].timeout / 1e9)
        clean, rows = probe.stop()
        note("probe-stop", probe=name, kind=probe.kind, file=probe.file, clean=clean, rows=rows)

    def _spared(self) -> set[int]:
        probes = {probe.pid for name, probe in self._probes.items() if name in self._running}
        return probes | self._loads.pids()

    def _pass_time(self, length_ns: int) -> None:
        deadline = monotonic_ns() + length_ns
        while monotonic_ns() < deadline:
            self._sleep()

    def _sleep(self) -> None:
        self._heart.allow(_TICK_S)
        with self._interrupts.armed():
            self._over.wait(_TICK_S)
        self._loads.tell(self._note)

    # records

    def _enter(self, phase: str) -> None:
        self._phase = phase
        self._stage.phase = phase
        self._note("phase", phase=phase, clocks=clock_pair(), load1=load1())

    def _note(self, kind: str, /, **data: Any) -> None:
        data = self._services.secrets.redact(data)
        self._services.observe(self._journal.append(kind, **data))

    def _abort(self, why: str, by: str, signum: int | None) -> None:
        self._aborted = True
        self._cleanup.abort(why, by, self._phase, signum)

    def _watched(self) -> Watched:
        return {**self._probes, **self._loads.running}
