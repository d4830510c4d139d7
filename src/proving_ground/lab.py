"""The lab's life: up, more of it, what it is, down without a trace."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from fireproof.errors import EnvironmentRefusal, FireproofError
from fireproof.processes import ProcessId, descendants, identify, is_alive, scrubbed
from proving_ground import ctl
from proving_ground.components import KNOWN, STANDARD, Site, component, with_needs
from proving_ground.components.site import PYTHON, Report
from proving_ground.folder import LabFolder, default_root, server_user
from proving_ground.ledger import defects
from proving_ground.probing import listens
from proving_ground.providers import postgres
from proving_ground.server import end_recorded
from proving_ground.shared_memory import remove_segments

_SUPERVISOR_WITHIN_S = 15.0
_GONE_WITHIN_S = 10.0
_DEFECTS = "FIREPROOF_LAB_DEFECTS"  # a,b: the processes concerned are started with these


class Lab:
    """One lab, wherever its folder is."""

    def __init__(self, root: Path | None = None) -> None:
        self.folder = LabFolder(root or default_root())
        self.root = self.folder.root

    def for_drills(self, names: Iterable[str]) -> list[str]:
        """What drills that name these must find up; names that are not the lab's are left out.

        The standard set is one system: who drills a part of it has always had all of it.
        """
        known = set(KNOWN) & set(names)
        return sorted(known | set(STANDARD) if known & set(STANDARD) or not known else known)

    def up(
        self, *, scale: int = 1, components: Iterable[str] | None = None, report: Report
    ) -> None:
        """Everything running and probed ready. A lab that is up stays, and starts what is missing;
        remains of one are cleared.

        Args:
            scale: units of about 40 MB.
            components: these and what they need; None for the standard set.
            report: told what happens.

        Raises:
            EnvironmentRefusal: what happened and the next move; nothing is left running.
        """
        if scale < 1:
            raise EnvironmentRefusal(f"SCALE: expected 1 or more, got {scale}")
        wanted = with_needs(STANDARD if components is None else components)
        broken = defects.parse_list(os.environ.get(_DEFECTS, ""), _DEFECTS)
        self.folder.refuse_foreign()
        with self.folder.locked():
            if self._is_up():
                self._rearm(report)
                self._extend(wanted, broken, report)
                report(f"the lab is up at {self.root}")
                return
            if self.folder.is_lab():
                report("clearing what an earlier lab left behind")
                left = self._take_down(report)
                if left:
                    raise EnvironmentRefusal("an earlier lab cannot be cleared: " + "; ".join(left))
            started = time.monotonic()
            try:
                self.folder.claim(scale)
                self._build(wanted, scale, broken, report)
            except BaseException as err:
                log = self._last_words()
                left = self._take_down(lambda _: None)
                if isinstance(err, Exception):
                    raise self._refusal(err, log, left) from err
                raise
            report(f"the lab is up at {self.root} after {time.monotonic() - started:.1f} s")

    def down(self, *, report: Report) -> list[str]:
        """Everything ended and removed; what was left all the same, one line each."""
        if not os.path.lexists(self.root):
            report(f"there is no lab at {self.root}")
            return []
        self.folder.refuse_foreign()
        with self.folder.locked():
            if not self.folder.is_lab():
                raise EnvironmentRefusal(f"{str(self.root)!r} is no lab; nothing was touched")
            return self._take_down(report)

    def status(self) -> dict[str, Any] | None:
        """Component: pid, port, ready, since, log. None when the lab is not up."""
        facts = self._facts()
        if facts is None:
            return None
        try:
            servers = ctl.ask(str(self.root), {"act": "status"}, 10.0)["servers"]
        except (OSError, ValueError, KeyError):
            return None
        return {
            name: {**{key: found[key] for key in ("pid", "ready", "since", "log")}, "port": port}
            for name, port in facts["ports"].items()
            if (found := servers.get(name))
        }

    def environment(self) -> dict[str, Any]:
        """What a drill may know: endpoints and paths, never a secret itself.

        Raises:
            EnvironmentRefusal: when the lab is not up.
        """
        facts = self._facts()
        if facts is None or self.status() is None:
            raise EnvironmentRefusal(
                f"there is no lab at {str(self.root)!r}; start one with: fireproof lab up"
            )
        environment: dict[str, Any] = facts["environment"]
        database = environment["components"].get("ledger-db", {})
        if "control" in database:
            data = self._data_directory() or database["data-directory"]
            database["data-directory"] = data
            # Explicit, so that an undo written down now starts this one, not a later copy.
            database["control"]["start"].append(f"data-directory={data}")
        return environment

    # -- building

    def _build(self, wanted: list[str], scale: int, broken: list[str], report: Report) -> None:
        self._start_supervisor()
        record = {
            "python": platform.python_version(),
            "kernel": platform.release(),
            "scale": str(scale),
        }
        if broken:
            record["defects"] = ",".join(broken)  # a bundle says what the lab was broken with
        environment: dict[str, Any] = {
            "environment": "lab",
            "class": "embedded",
            "identity": str(self.root),
            "record": record,
            "components": {},
        }
        facts: dict[str, Any] = {"environment": environment, "ports": {}, "aside": {}}
        facts |= {"left-out": [], "scale": scale, "defects": broken}
        self._add(self._site(facts, wanted, report), facts, wanted)

    def _extend(self, wanted: list[str], broken: list[str], report: Report) -> None:
        """Start what is missing in a lab that is up; if that fails, leave the rest as it was."""
        facts = self._facts() or {}
        if facts["defects"] != broken:
            names = ", ".join(facts["defects"]) or "none"
            raise EnvironmentRefusal(
                f"the lab is up with other defects ({names}) than {_DEFECTS} asks for; "
                "end it first: fireproof lab down"
            )
        there = {*facts["environment"]["components"], *facts["left-out"]}
        missing = [name for name in wanted if name not in there]
        if not missing:
            return
        site = self._site(facts, missing, report)
        try:
            self._add(site, facts, missing)
        except BaseException as err:
            site.take_back()
            if isinstance(err, Exception):
                raise self._refusal(err, self._last_words(), []) from err
            raise

    def _site(self, facts: dict[str, Any], names: list[str], report: Report) -> Site:
        keys = [key for name in names for key in component(name).ports]
        taken = self.folder.ports()
        answer = ctl.ask(str(self.root), {"act": "ports", "count": len(keys), "without": taken})
        if not answer["ok"]:
            raise EnvironmentRefusal(answer["text"])
        fresh: list[int] = answer["ports"]
        self.folder.note_ports(taken + fresh)
        ports = dict(zip(keys, fresh, strict=True))
        return Site(self.folder, facts, ports, server_user(), report)

    def _add(self, site: Site, facts: dict[str, Any], names: list[str]) -> None:
        """Build these in turn; ``lab.json`` says that all of it is there, so it comes last."""
        for name in names:
            built = component(name).build(site)
            if built is None:
                facts["left-out"].append(name)
                continue
            facts["environment"]["components"][name] = built.says
            facts["environment"]["record"] |= built.record
            facts["aside"][name] = dict(built.aside)
            if built.runs:
                facts["ports"][name] = built.port
        path = self.root / "lab.json"
        path.with_suffix(".new").write_text(json.dumps(facts, indent=2), "utf-8")
        os.replace(path.with_suffix(".new"), path)

    # -- talking to the supervisor

    def _start_supervisor(self) -> None:
        done = subprocess.run(
            [*PYTHON, "supervise", str(self.root)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=scrubbed(),
            timeout=_SUPERVISOR_WITHIN_S,
            check=False,
        )
        if done.returncode != 0:
            raise EnvironmentRefusal(f"the supervisor did not start: {done.stderr.strip()[-500:]}")
        give_up_at = time.monotonic() + _SUPERVISOR_WITHIN_S
        while not self._answers():
            if time.monotonic() > give_up_at:
                raise EnvironmentRefusal("the supervisor did not answer")
            time.sleep(0.01)
        who = _recorded(self.folder.run / "supervisor.json")
        if who is None or who.pid in descendants(os.getpid()):
            raise EnvironmentRefusal(
                "the lab would die with this process, which collects its orphans "
                "(PR_SET_CHILD_SUBREAPER); start it before: fireproof lab up"
            )

    def _answers(self) -> bool:
        try:
            return bool(ctl.ask(str(self.root), {"act": "status"}, 5.0)["ok"])
        except (OSError, ValueError, KeyError):
            return False

    def _is_up(self) -> bool:
        """Complete, with every server running."""
        status = self.status()
        return status is not None and all(found["pid"] for found in status.values())

    def _data_directory(self) -> str | None:
        try:
            path = self.folder.run / "ledger-db.params"
            return str(json.loads(path.read_text("utf-8"))["data-directory"])
        except (OSError, ValueError, KeyError):
            return None

    def _facts(self) -> dict[str, Any] | None:
        try:
            facts: dict[str, Any] = json.loads((self.root / "lab.json").read_text("utf-8"))
        except (OSError, ValueError):
            return None
        return facts if "aside" in facts else None  # an older version made it: not ours to extend

    def _rearm(self, report: Report) -> None:
        """A restored copy is not archived; a lab that is to be drilled again must be."""
        facts = self._facts()
        database = facts["environment"]["components"].get("ledger-db", {}) if facts else {}
        dsn = database.get("admin-dsn")
        if dsn and postgres.ask(dsn, "SELECT current_setting('synchronous_standby_names')"):
            report("ledger-db: writes waited for wal-receiver; no longer, until a drill says so")
            postgres.ask(dsn, "ALTER SYSTEM RESET synchronous_standby_names")
            postgres.ask(dsn, "SELECT pg_reload_conf()")
        if not dsn or postgres.ask(dsn, "SELECT current_setting('archive_mode')") == "on":
            return
        report("ledger-db: archiving was off after a restore; turning it on again")
        postgres.ask(dsn, "ALTER SYSTEM SET archive_mode = 'on'")
        for act in ("stop", "start"):
            answer = ctl.ask(str(self.root), {"act": act, "name": "ledger-db"})
            if not answer["ok"]:
                raise EnvironmentRefusal(answer["text"])

    # -- ending

    def _take_down(self, report: Report) -> list[str]:
        if not self.folder.is_lab():
            with contextlib.suppress(OSError):
                self.root.rmdir()  # an empty folder at the most: it was never a lab
            return []
        ports = self.folder.ports()
        watched = self._recorded_processes()
        try:
            ctl.ask(str(self.root), {"act": "down"}, 90.0)
        except (OSError, ValueError):
            report("the supervisor does not answer; ending its servers by their records")
        supervisor = _recorded(self.folder.run / "supervisor.json")
        give_up_at = time.monotonic() + _GONE_WITHIN_S
        while supervisor and is_alive(supervisor) and time.monotonic() < give_up_at:
            time.sleep(0.01)
        stubborn = [end_recorded(path) for path in sorted(self.folder.run.glob("*.json"))]
        watched |= {who for who in stubborn if who}
        give_up_at = time.monotonic() + _GONE_WITHIN_S
        while time.monotonic() < give_up_at and (
            any(map(is_alive, watched)) or any(map(listens, ports))
        ):
            time.sleep(0.02)
        left = [
            f"process {who.pid} still runs" for who in sorted(watched, key=_pid) if is_alive(who)
        ]
        left += [f"port {port} still answers" for port in ports if listens(port)]
        left += [] if left else remove_segments(self.folder.database)
        if left:
            return left  # its folder stays, so that `down` can be said again
        shutil.rmtree(self.root, ignore_errors=True)
        if os.path.lexists(self.root):
            return [f"folder {str(self.root)!r} could not be removed"]
        report(f"the lab at {self.root} is gone")
        return []

    def _recorded_processes(self) -> set[ProcessId]:
        """Every process on record and everything below it, while it still can be seen."""
        found: set[ProcessId] = set()
        with contextlib.suppress(OSError):
            for path in self.folder.run.glob("*.json"):
                who = _recorded(path)
                if who and is_alive(who):
                    below = (identify(pid) for pid in descendants(who.pid))
                    found |= {who, *(each for each in below if each)}
        return found

    def _last_words(self) -> list[str]:
        """Ends of the logs, before they are removed."""
        words: list[str] = []
        for path in sorted(self.folder.log.glob("*.log")):
            with contextlib.suppress(OSError):
                lines = path.read_text("utf-8", "replace").splitlines()[-3:]
                words += [f"{path.stem}: {line}" for line in lines]
        return words

    def _refusal(self, err: Exception, log: list[str], left: list[str]) -> FireproofError:
        if isinstance(err, OSError):
            text = f"the lab could not be built at {str(self.root)!r}: {err}"
            text += "; make room or rights there, or set FIREPROOF_LAB_DIR"
        else:
            text = f"the lab could not be built: {err}"
        if not isinstance(err, EnvironmentRefusal):
            text += "".join(f"\n  {line}" for line in log)
        if left:
            text += "\nleft behind: " + "; ".join(left)
        return EnvironmentRefusal(text)


def _pid(who: ProcessId) -> int:
    return who.pid


def _recorded(path: Path) -> ProcessId | None:
    try:
        facts = json.loads(path.read_text("utf-8"))
        return ProcessId(int(facts["pid"]), int(facts["start_ticks"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
