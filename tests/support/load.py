"""A real load on a real server, for tests and for the bench."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fireproof.judge.requests import LoadSamples, read_load
from fireproof.judge.story import Story
from fireproof.load import start_load
from fireproof.load.running import LoadProcesses
from fireproof.model.load import Load
from fireproof.model.ports import LoadEnded
from fireproof.model.record import Record
from support.postgres import free_port

SERVER = Path(__file__).with_name("timed_server.py")
LOCUSTFILE = """\
from locust import FastHttpUser, task


class Encode(FastHttpUser):
    @task
    def ask(self):
        self.client.get("/")


class Verify(FastHttpUser):
    @task
    def ask(self):
        self.client.get("/verify", name="verify")
"""


@dataclass
class Timed:
    """A server with a fixed delay; what it says of its stall is known once it has ended."""

    port: int
    process: subprocess.Popen[str]
    told: list[int] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def end(self) -> list[int]:
        """Begin and end of the stall, then when each answer was written: monotonic ns."""
        if not self.told:
            self.process.terminate()
            out, _ = self.process.communicate(timeout=10)
            self.told = [int(word) for word in out.split()]
        return self.told


@contextmanager
def timed_server(
    delay_s: float = 0.0, stall_at_s: float = 0.0, stall_s: float = 0.0, fail_every: int = 0
) -> Iterator[Timed]:
    """Serves on a free port of this machine until the end of the block."""
    port = free_port()
    words = [str(word) for word in (port, delay_s, stall_at_s, stall_s, fail_every)]
    process = subprocess.Popen(
        [sys.executable, "-I", str(SERVER), *words], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    server = Timed(port, process)
    try:
        yield server
    finally:
        server.end()


def make_load(project: Path, target: str, /, text: str = LOCUSTFILE, **load: Any) -> Load:
    """A load with this locustfile, and stages unless something else is said."""
    (project / "locustfile.py").write_text(text)
    told: dict[str, Any] = {"locustfile": "locustfile.py", "target": target, "timeout": "5s"}
    if "profile" not in load:
        told["stages"] = [{"for": "1s", "rate": "60/s"}]
    return Load.model_validate(told | load)


@dataclass(frozen=True)
class Loaded:
    """A load that has ended, with the records that a run would have made of it."""

    load: Load
    ended: LoadEnded
    story: Story

    def samples(self) -> LoadSamples:
        return read_load("traffic", self.load, self.story)


def begin(folder: Path, load: Load, project: Path | None = None) -> LoadProcesses:
    """The load with its bag in this folder; its locustfile is there too, unless told otherwise."""
    return start_load(
        "traffic",
        load,
        target=load.target,
        headers=dict(load.headers),
        project=project or folder,
        bag=folder / "bag",
    )


def finish(folder: Path, load: Load, running: LoadProcesses) -> Loaded:
    """Stop, and the story of it."""
    ended = running.stop()
    start: dict[str, Any] = {
        "load": "traffic",
        "profile": load.label(),
        "asked": load.profile or "stages",
    }
    start |= {"file": load.locustfile, "start_ns": running.start_ns, "workers": load.workers}
    stop = {"load": "traffic", "clean": ended.clean, "files": list(ended.files)}
    records = [
        Record(0, "", running.start_ns, "load-start", start | {"users": load.most_users()}, "", ""),
        Record(1, "", 0, "load-stop", stop | {"slots": ended.slots, "rows": ended.rows}, "", ""),
    ]
    samples = {name: (folder / "bag" / name).read_bytes() for name in ended.files}
    return Loaded(load, ended, Story(records, samples))


def run_load(
    folder: Path, load: Load, timeout_s: float = 120.0, project: Path | None = None
) -> Loaded:
    """From the first request to the end of the profile."""
    running = begin(folder, load, project)
    give_up_at = time.monotonic() + timeout_s
    try:
        while not running.over():
            assert time.monotonic() < give_up_at, running.complaint()
            time.sleep(0.05)
    finally:
        done = finish(folder, load, running)
    return done


def locust_alone(project: Path, target: str, seconds: float, users: int, rate: float) -> Any:
    """The same users under Locust's own ``constant_throughput``; its statistics, as JSON."""
    (project / "alone.py").write_text(
        "from locust import FastHttpUser, constant_throughput, task\n\n\n"
        "class Alone(FastHttpUser):\n"
        f"    wait_time = constant_throughput({rate / users})\n\n"
        "    @task\n"
        "    def ask(self):\n"
        '        self.client.get("/")\n'
    )
    argv = [sys.executable, "-m", "locust", "-f", "alone.py", "--headless", "-u", str(users)]
    argv += ["-r", str(users), "-t", f"{seconds:.0f}s", "-H", target, "--json"]
    done = subprocess.run(argv, cwd=project, capture_output=True, text=True, timeout=seconds + 60)
    return json.loads(done.stdout)
