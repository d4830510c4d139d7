"""What the machinery adds: the backup drill, and the same commands by hand on the same lab."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from bench.line import Line, row
from bench.measure import Sample, command
from bench.projects import scratch
from support.lab_project import LabProject

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
ATTEMPTS = 3  # a busy machine spoils a drill now and then
WAITS = ("wait-for",)


@row("drill")
def drill() -> list[Line]:
    by_us: list[float] = []
    by_hand: list[float] = []
    for _ in range(ROUNDS):
        with fresh_lab() as (project, _):
            by_us.append(drilled_s(project))
        with fresh_lab() as (project, folder):
            by_hand.append(by_hand_s(project, folder / "by-hand"))
    ours, peer = Sample.of(by_us), Sample.of(by_hand)
    return [
        Line(
            "the whole backup and restore drill, signed, against the same commands by hand",
            ours.show("s"),
            peer.show("s"),
            ours.median / peer.median,
            "x",
            1.05,
            note="left out on both sides: the wait for the archive, and the baseline of 1 s; the "
            "probes are ours alone",
        )
    ]


@contextlib.contextmanager
def fresh_lab() -> Iterator[tuple[LabProject, Path]]:
    """Nobody's restore before, so that both begin with the same."""
    with scratch() as folder:
        project = LabProject(folder / "project")
        try:
            project.up()
            yield project, folder
        finally:
            left = project.down()
    if left:
        raise SystemExit(f"bench: the lab left {left}")


def drilled_s(project: LabProject) -> float:
    """Wall time of the call, less the waits that the drill asks for."""
    body = project.drill()
    body["objectives"]["recovery-time"]["hold"] = "1s"
    for _ in range(ATTEMPTS):
        began = time.perf_counter()
        ran = project.run(body)
        took_s = time.perf_counter() - began
        if ran.code == 0:
            lines = (
                (project.folder / ran.bundle / "data" / "journal.jsonl").read_text().splitlines()
            )
            steps = [json.loads(line)["data"] for line in lines if '"kind":"step-end"' in line]
            waited: int = sum(s["after_ns"] - s["before_ns"] for s in steps if s["kind"] in WAITS)
            return took_s - waited / 1e9 - 1.0
        project.up()
    raise SystemExit(f"bench: the drill does not pass: {ran.stderr[-1000:]}")


class ByHand:
    """The drill's commands, one after the other, as somebody with a terminal would run them."""

    def __init__(self, project: LabProject, folder: Path) -> None:
        self._project, self._folder = project, folder
        self._run = str(uuid.uuid4())
        self._components = project.lab.environment()["components"]
        self._database = self._components["ledger-db"]
        folder.mkdir()

    def sql(self, text: str) -> str:
        argv = [str(Path(self._database["bin"]) / "psql"), "-XAtqd", self._database["dsn"]]
        return subprocess.run(
            [*argv, "-c", text], capture_output=True, text=True, check=True
        ).stdout.strip()

    def digest(self, mark: str) -> str:
        """Two tables as text, in order, through sha256."""
        queries = (
            "SELECT id, tenant, balance, note FROM accounts ORDER BY id",
            f"SELECT seq, tenant, key, body, digest FROM events WHERE seq <= {mark} ORDER BY seq",
        )
        psql = [str(Path(self._database["bin"]) / "psql"), "-Xqd", self._database["dsn"], "-c"]
        found = []
        for query in queries:
            with subprocess.Popen(
                [*psql, f"COPY ({query}) TO STDOUT"], stdout=subprocess.PIPE
            ) as copy:
                done = subprocess.run(
                    ["sha256sum"], stdin=copy.stdout, capture_output=True, text=True, check=True
                )
            found.append(done.stdout)
        return "".join(found)

    def playbook(self, name: str, **variables: str) -> int:
        """Exit code."""
        outputs = self._folder / f"{len(list(self._folder.iterdir()))}-{name}"
        outputs.mkdir()
        told = {
            "fireproof_run": self._run,
            "fireproof_project": str(self._project.folder),
            "fireproof_outputs": str(outputs),
            "fireproof_components": self._components,
            "ansible_playbook_python": sys.executable,
            "ansible_python_interpreter": sys.executable,
            **variables,
        }
        extra = outputs / "vars.json"
        extra.write_text(json.dumps(told))
        argv = [str(Path(sys.executable).with_name("ansible-playbook"))]
        argv += ["-i", "localhost,", "-e", f"@{extra}", f"playbooks/{name}.yml"]
        with (outputs / "said.txt").open("wb") as said:
            return subprocess.run(
                argv,
                cwd=self._project.folder,
                env=dict(os.environ) | {"LC_ALL": "C.UTF-8"},
                stdout=said,
                stderr=said,
                check=False,
            ).returncode

    def last_words(self) -> str:
        """What the newest playbook printed."""
        newest = max(self._folder.glob("*/said.txt"), key=lambda path: path.stat().st_mtime_ns)
        return newest.read_text(errors="replace")[-600:]

    def lose(self) -> None:
        """Kill the server, stop it, move its data away."""
        pid = int(Path(self._database["control"]["pid-file"]).read_text())
        os.kill(pid, signal.SIGKILL)
        command(self._database["control"]["stop"])()
        data = self._database["data-directory"]
        os.rename(data, f"{data}.aside-{self._run}")

    def verify(self) -> None:
        """The tests of the restored ledger."""
        variables = {
            f"FP_{name}_{key}".upper().replace("-", "_"): value
            for name, component in self._components.items()
            for key, value in component.items()
            if isinstance(value, str)
        }
        tests = str(self._project.folder / "drills" / "tests" / "restored")
        argv = [sys.executable, "-m", "pytest", tests, "-q", "-c", os.devnull]
        argv += ["--rootdir", tests, "-p", "no:cacheprovider"]
        command(argv, env=dict(os.environ) | variables | {"FP_RUN": self._run})()


def by_hand_s(project: LabProject, folder: Path) -> float:
    """Wall time of the same work, less the wait for the archive."""
    hand = ByHand(project, folder)
    began = time.perf_counter()
    shutil.disk_usage(project.folder)
    must(hand.sql("SELECT current_setting('archive_mode')") == "on", "archiving is off")
    must(hand.playbook("backup") == 0, f"the backup failed: {hand.last_words()}")
    write(project)  # in a drill the canary does; the target has to lie behind the backup
    mark = hand.sql("SELECT max(seq)::text FROM events")
    before = hand.digest(mark)
    waiting = time.perf_counter()
    covered = "SELECT count(*) > 0 FROM restore_points WHERE archived_at IS NOT NULL"
    while hand.sql(f"{covered} AND event_seq >= {mark}") != "t":
        must(time.perf_counter() - waiting < 60, "the archive never held the mark")
        write(project)
        time.sleep(0.1)
    waited_s = time.perf_counter() - waiting
    hand.lose()
    must(hand.playbook("restore") == 0, f"the restore failed: {hand.last_words()}")
    must(project.ready(), "the service is not back")
    hand.verify()
    must(hand.digest(mark) == before, "the digests differ")
    for damage in ("tampered-base", "missing-wal"):
        must(hand.playbook("attempt-restore", damage=damage) != 0, f"{damage} was accepted")
    return time.perf_counter() - began - waited_s


def write(project: LabProject) -> None:
    """One event through the front door."""
    import urllib.request

    url = project.component("ledger-api")["url"] + "/v1/by-hand/events"
    body = json.dumps({"key": str(time.monotonic_ns()), "body": "x"}).encode()
    asked = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310
    with contextlib.suppress(OSError), urllib.request.urlopen(asked, timeout=5):  # noqa: S310
        pass


def must(true: bool, why: str) -> None:
    if not true:
        raise SystemExit(f"bench: by hand: {why}")
