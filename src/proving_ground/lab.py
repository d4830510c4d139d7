"""The lab: Postgres, its archive, the ledger, and the companion that marks restore points."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import secrets
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fireproof.errors import EnvironmentRefusal, FireproofError
from fireproof.processes import ProcessId, descendants, identify, is_alive, scrubbed
from proving_ground import ctl
from proving_ground.folder import LabFolder, default_root, server_user
from proving_ground.ports import free_ports
from proving_ground.probing import listens
from proving_ground.providers import postgres, s3
from proving_ground.server import end_recorded
from proving_ground.shared_memory import remove_segments
from proving_ground.spec import ServerSpec

Report = Callable[[str], None]

_PYTHON = (sys.executable, "-P", "-m", "proving_ground")
_SUPERVISOR_WITHIN_S = 15.0
_GONE_WITHIN_S = 10.0
_ORDER = ("archive", "ledger-db", "wal-marks", "ledger-link", "ledger-api")
_DIRECT = "LEDGER_LINK"  # set to "direct", ledger-api talks to its database without the proxy


class Lab:
    """One lab, wherever its folder is."""

    def __init__(self, root: Path | None = None) -> None:
        self.folder = LabFolder(root or default_root())
        self.root = self.folder.root

    def up(self, *, scale: int = 1, report: Report) -> None:
        """Everything running and probed ready. A lab that is up stays; remains of one are cleared.

        Raises:
            EnvironmentRefusal: what happened and the next move; nothing is left running.
        """
        if scale < 1:
            raise EnvironmentRefusal(f"SCALE: expected 1 or more, got {scale}")
        self.folder.refuse_foreign()
        with self.folder.locked():
            if self._is_up():
                self._rearm(report)
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
                self._build(scale, report)
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
        database = environment["components"]["ledger-db"]
        if "control" in database:
            data = self._data_directory() or database["data-directory"]
            database["data-directory"] = data
            # Explicit, so that an undo written down now starts this one, not a later copy.
            database["control"]["start"].append(f"data-directory={data}")
        return environment

    # -- building

    def _build(self, scale: int, report: Report) -> None:
        user = server_user()
        names = ("archive", "ledger-db", "ledger-api", "ledger-link", "link-api")
        ports = dict(zip(names, free_ports(len(names)), strict=True))
        external = os.environ.get("LEDGER_DSN", "")
        self.folder.note_ports(list(ports.values()))
        self._start_supervisor()
        report("archive: starting")
        archive = s3.make_archive(self.folder, ports["archive"], user)
        if archive.server:
            self._start(archive.server)
        else:
            ports.pop("archive")
        s3.open_archive(archive)
        components: dict[str, Any] = {"archive": self._archive_component(archive)}
        record = {
            "rclone": archive.run("version").stdout.partition("\n")[0],
            "rclone-sha256": _sha256(archive.rclone),
            "python": platform.python_version(),
            "kernel": platform.release(),
            "scale": str(scale),
        }
        if external:
            ports.pop("ledger-db")
            components["ledger-db"], dsn = self._external_database(external, scale, report)
            record["postgres"] = "external"
        else:
            found = self._database(archive, ports["ledger-db"], user, scale, report)
            components["ledger-db"], dsn, more = found
            record |= more
            components["wal-marks"] = self._marks(archive)
            if os.environ.get(_DIRECT) != "direct":
                link, behind = ports["ledger-link"], ports["ledger-db"]
                components["ledger-link"] = self._link(link, behind, ports["link-api"])
                dsn = dsn.replace(f"port={behind} ", f"port={link} ")
            components["wal-receiver"] = self._receiver(ports["ledger-db"], user)
        report("ledger-api: starting")
        url = f"http://127.0.0.1:{ports['ledger-api']}"
        service = ServerSpec(
            name="ledger-api",
            argv=(*_PYTHON, "ledger", str(ports["ledger-api"])),
            ready={"kind": "http", "url": f"{url}/readyz"},
            env={"LEDGER_DSN": dsn},
        )
        self._start(service)
        # From now on it counts as started once it lives, whatever its database does.
        self._write_spec(service, ready={"kind": "http", "url": f"{url}/healthz"})
        components["ledger-api"] = {
            "kind": "http",
            "url": url,
            "port": str(ports["ledger-api"]),
            **self._common("ledger-api"),
            "faults": ["kill", "pause"],
        }
        environment = {
            "environment": "lab",
            "class": "embedded",
            "identity": str(self.root),
            "record": record,
            "components": components,
        }
        known = {name: ports.get(name) for name in _ORDER if name in components}
        facts = {"environment": environment, "ports": known}
        path = self.root / "lab.json"
        path.with_suffix(".new").write_text(json.dumps(facts, indent=2), "utf-8")
        os.replace(path.with_suffix(".new"), path)  # its presence says that all of it is there

    def _database(
        self,
        archive: s3.Archive,
        port: int,
        user: tuple[int, int] | None,
        scale: int,
        report: Report,
    ) -> tuple[dict[str, Any], str, dict[str, str]]:
        from proving_ground.provision import ROLES, provision  # psycopg costs 40 ms

        folder = self.folder
        report("ledger-db: making a cluster")
        binaries = postgres.postgres_bin(folder.software)
        passwords = {role: secrets.token_urlsafe(24) for role in ("postgres", *ROLES)}
        lines = [f"127.0.0.1:{port}:*:{role}:{word}\n" for role, word in passwords.items()]
        link = self.folder.ports()[3]
        lines.append(f"127.0.0.1:{link}:*:ledger:{passwords['ledger']}\n")
        passfile = folder.secret("pgpass", "".join(lines))
        first = folder.secret("initdb-password", passwords["postgres"], user)
        data = folder.database / "primary"
        postgres.make_cluster(binaries, data, first, user)
        first.unlink()
        self._start(postgres.server(binaries, data, port, user))
        report(f"ledger-db: loading about {40 * scale} MB")
        base = f"host=127.0.0.1 port={port} passfile={passfile} connect_timeout=2"
        provision(f"{base} user=postgres", passwords, scale)
        postgres.set_archive_command(data, folder.bin / "archive-wal")
        self._sql(f"{base} user=postgres dbname=ledger", "SELECT pg_reload_conf()")
        component = {
            "kind": "postgres",
            "dsn": f"{base} user=reader dbname=ledger",
            "admin-dsn": f"{base} user=postgres dbname=ledger",
            "backup-dsn": f"{base} user=backup",
            "host": "127.0.0.1",
            "port": str(port),
            "data-directory": str(data),
            "restore-into": str(folder.database),
            "bin": str(binaries),
            **self._common("ledger-db"),
            "faults": ["lose-data-directory", "corrupt-file", "kill", "pause"],
        }
        if user:
            component["run-as"] = "nobody"  # Postgres refuses root, also for a restore on trial
        # A lost data directory takes no leave: nothing is flushed or shipped on the way out.
        component["control"]["stop"].append("mode=immediate")
        record = {
            "postgres": postgres.version(binaries),
            "postgres-sha256": _sha256(binaries / "postgres"),
            "archive-timeout": f"{postgres.ARCHIVE_TIMEOUT_S}s",
        }
        return component, f"{base} user=ledger dbname=ledger application_name=ledger-api", record

    def _external_database(
        self, dsn: str, scale: int, report: Report
    ) -> tuple[dict[str, Any], str]:
        """A database of the user's own: no host access, so no faults and no control."""
        import psycopg
        from psycopg.conninfo import conninfo_to_dict

        from proving_ground.provision import provision_external

        try:
            if conninfo_to_dict(dsn).get("password"):
                raise EnvironmentRefusal(
                    "LEDGER_DSN holds a password; put it in a file and name that with passfile="
                )
            report("ledger-db: " + provision_external(dsn, scale))
        except psycopg.Error as err:
            raise EnvironmentRefusal(f"LEDGER_DSN cannot be used: {str(err).strip()}") from err
        return {"kind": "postgres", "dsn": dsn, "faults": []}, dsn

    def _marks(self, archive: s3.Archive) -> dict[str, Any]:
        passfile = self.folder.secrets / "pgpass"
        port = self._port_of_database()
        beat = self.folder.run / "wal-marks.beat"
        rclone = [str(archive.rclone), "--config", str(archive.config), *s3.RCLONE_FLAGS.split()]
        facts = {
            "dsn": f"host=127.0.0.1 port={port} dbname=ledger user=marks passfile={passfile}",
            "rclone": "\n".join(rclone),
            "remote": archive.remote,
            "beat": str(beat),
        }
        path = self.folder.run / "wal-marks.facts"
        path.write_text(json.dumps(facts), "utf-8")
        self._start(
            ServerSpec(
                name="wal-marks",
                argv=(*_PYTHON, "marks", str(path)),
                ready={"kind": "beat", "path": str(beat)},
            )
        )
        return {"kind": "process", **self._common("wal-marks"), "faults": ["kill", "pause"]}

    def _link(self, port: int, upstream: int, api: int) -> dict[str, Any]:
        """The line from ledger-api to its database, which drills may spoil; everybody else, the
        read of the canary and the restore among them, goes to the database itself.
        """
        listen, to = f"127.0.0.1:{port}", f"127.0.0.1:{upstream}"
        self._start(
            ServerSpec(
                name="ledger-link",
                argv=(
                    *(sys.executable, "-P", "-m", "fireproof.faults.tcp_proxy"),
                    *("--api", f"127.0.0.1:{api}", f"ledger-link={listen}={to}"),
                ),
                ready={"kind": "http", "url": f"http://127.0.0.1:{api}/version"},
            )
        )
        return {
            "kind": "tcp-proxy",
            "api": f"http://127.0.0.1:{api}",
            "proxy": "ledger-link",
            "host": "127.0.0.1",
            "port": str(port),
            "upstream": to,
            **self._common("ledger-link"),
            "faults": ["latency", "stall", "black-hole", "throttle", "reset", "kill", "pause"],
        }

    def _receiver(self, port: int, user: tuple[int, int] | None) -> dict[str, Any]:
        """A second, synchronous copy of the WAL; a drill that wants one starts it."""
        directory = self.folder.root / "wal-received"
        directory.mkdir(mode=0o700)
        if user:
            os.chown(directory, *user)
        lines = (self.folder.secrets / "pgpass").read_text("utf-8").splitlines(keepends=True)
        mine = "".join(line for line in lines if ":backup:" in line)
        passfile = self.folder.secret("pgpass-wal-receiver", mine, user)
        dsn = f"host=127.0.0.1 port={port} user=backup passfile={passfile}"
        dsn += " application_name=wal-receiver connect_timeout=2"
        server = json.loads((self.folder.servers / "ledger-db.json").read_text("utf-8"))
        ServerSpec(
            name="wal-receiver",
            argv=(
                str(Path(server["argv"][0]).with_name("pg_receivewal")),
                *("-d", dsn, "-D", str(directory), "--slot=wal_receiver"),
                *("--synchronous", "--no-password"),
            ),
            ready={"kind": "path", "path": str(directory)},
            user=user,
        ).write(self.folder.servers)
        return {
            "kind": "process",
            **self._common("wal-receiver"),
            "directory": str(directory),
            "slot": "wal_receiver",
            "faults": [],
        }

    def _port_of_database(self) -> int:
        return self.folder.ports()[1]

    def _archive_component(self, archive: s3.Archive) -> dict[str, Any]:
        component: dict[str, Any] = {
            "kind": "s3",
            "endpoint": archive.endpoint,
            "bucket": archive.bucket,
            "prefix": archive.prefix,
            "region": archive.region,
            "credentials": str(archive.credentials),
            "rclone": str(archive.rclone),
            "rclone-config": str(archive.config),
            "remote": archive.remote,
            "restore-command": str(self.folder.bin / "restore-wal"),
            "faults": [],
        }
        if archive.server:
            component |= {**self._common("archive"), "faults": ["kill", "pause"]}
        return component

    def _common(self, name: str) -> dict[str, Any]:
        """What every supervised component states: how to control it, and its log."""
        command = [*_PYTHON, "ctl", "--root", str(self.root)]
        script = f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n'
        return {
            "log": str(self.folder.log / f"{name}.log"),
            "ctl": str(self.folder.script("ctl", script)),
            "control": {
                "stop": [*command, "stop", name],
                "start": [*command, "start", name],
                "pid-file": str(self.folder.run / f"{name}.pid"),
            },
        }

    # -- talking to the supervisor

    def _start_supervisor(self) -> None:
        done = subprocess.run(
            [*_PYTHON, "supervise", str(self.root)],
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

    def _start(self, spec: ServerSpec) -> None:
        spec.write(self.folder.servers)
        answer = ctl.ask(str(self.root), {"act": "start", "name": spec.name})
        if not answer["ok"]:
            log = "".join(f"\n  {line}" for line in answer.get("log", ()))
            raise EnvironmentRefusal(answer["text"] + log)

    def _write_spec(self, spec: ServerSpec, *, ready: dict[str, str]) -> None:
        ServerSpec(spec.name, spec.argv, ready, spec.env).write(self.folder.servers)

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
        return facts

    def _rearm(self, report: Report) -> None:
        """A restored copy is not archived; a lab that is to be drilled again must be."""
        facts = self._facts()
        database = facts["environment"]["components"]["ledger-db"] if facts else {}
        dsn = database.get("admin-dsn")
        if dsn and self._sql(dsn, "SELECT current_setting('synchronous_standby_names')"):
            report("ledger-db: writes waited for wal-receiver; no longer, until a drill says so")
            self._sql(dsn, "ALTER SYSTEM RESET synchronous_standby_names")
            self._sql(dsn, "SELECT pg_reload_conf()")
        if not dsn or self._sql(dsn, "SELECT current_setting('archive_mode')") == "on":
            return
        report("ledger-db: archiving was off after a restore; turning it on again")
        self._sql(dsn, "ALTER SYSTEM SET archive_mode = 'on'")
        for act in ("stop", "start"):
            answer = ctl.ask(str(self.root), {"act": act, "name": "ledger-db"})
            if not answer["ok"]:
                raise EnvironmentRefusal(answer["text"])

    def _sql(self, dsn: str, text: str) -> str:
        import psycopg

        try:
            with psycopg.connect(dsn, autocommit=True) as conn:
                cursor = conn.execute(text.encode())
                row = cursor.fetchone() if cursor.description else None
        except psycopg.Error as err:
            raise EnvironmentRefusal(f"ledger-db: {str(err).strip()}") from err
        return str(row[0]) if row else ""

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
        for name in ("supervisor", *_ORDER):
            with contextlib.suppress(OSError):
                path = self.folder.log / f"{name}.log"
                lines = path.read_text("utf-8", "replace").splitlines()[-3:]
                words += [f"{name}: {line}" for line in lines]
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


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
