"""A whole run of ``fireproof`` against the tiny service, in a project of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from fireproof.processes import identify, is_alive
from support.residue import Surroundings, contents

SERVICE = Path(__file__).with_name("tiny_service.py")


@dataclass(frozen=True)
class Ran:
    """What a call came to."""

    code: int
    stdout: str
    stderr: str
    result: dict[str, Any] | None

    @property
    def outcome(self) -> str:
        assert self.result is not None, self.stderr
        return str(self.result["judgement"]["outcome"])

    @property
    def bundle(self) -> Path:
        assert self.result is not None, self.stderr
        assert self.result["bundle"], self.stderr
        return Path(self.result["bundle"])


class Scenario:
    """Project, service, supervisor; ended by ``close``."""

    def __init__(self, project: Path) -> None:
        self.project = project
        self.evidence = project / "evidence"
        self.extra: dict[str, Any] = {}  # more keys of the component, or other values
        self.others: dict[str, Any] = {}  # more components
        # A unix socket's path is short; a test's folder is not.
        self.service = Path(tempfile.mkdtemp(prefix="fp-svc-"))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        (self.service / "port").write_text(str(self.port))
        (self.service / "answer").write_text("good")
        self.supervisor = subprocess.Popen(
            [sys.executable, str(SERVICE), "supervise", str(self.service)]
        )
        for _ in range(500):
            if (self.service / "control").exists():
                break
            time.sleep(0.01)
        subprocess.run(self.ctl("start"), check=True)
        self.environ = {
            name: value for name, value in os.environ.items() if not name.startswith("FIREPROOF_")
        } | {"FIREPROOF_LEASES": str(self.service / "leases")}

    def ctl(self, verb: str) -> list[str]:
        return [sys.executable, str(SERVICE), "ctl", str(self.service), verb]

    @property
    def pid(self) -> int:
        return int((self.service / "pid").read_text())

    def surroundings(self) -> Surroundings:
        """Where a run may have left something; the tiny service and its supervisor stay."""
        return Surroundings(
            evidence=self.evidence,
            leases=self.service / "leases",
            known_by=(self.project, self.service),
            servers=lambda: [self.supervisor.pid],
            places=(self.service,),
            there=contents([self.service]) | {str(self.service / "leases")},
        )

    def answers(self) -> bool:
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def drill(self) -> dict[str, Any]:
        """A good drill: kill, start again, under two seconds."""
        return {
            "drill": "tiny",
            "title": "Kill the tiny service and start it again",
            "owner": "platform-team",
            "kind": "component",
            "cadence": "P7D",
            "components": ["tiny"],
            "hypothesis": "It is back within ten seconds.",
            "probes": {"api": {"http": "{tiny.url}/", "every": "20ms"}},
            "objectives": {"recovery-time": {"rto": "10s", "from": "api", "hold": "300ms"}},
            "baseline": {"for": "500ms"},
            "fault": [{"kill": "tiny"}],
            "recover": [{"process": self.ctl("start"), "timeout": "10s"}],
            "verify": [{"http": "{tiny.url}/", "status": 200, "timeout": "5s"}],
        }

    def environment(self) -> dict[str, Any]:
        return {
            "environment": "desk",
            "class": "other",
            "identity": str(self.service),
            "components": {
                "tiny": {
                    "kind": "http",
                    "url": f"http://127.0.0.1:{self.port}",
                    "faults": ["kill", "pause"],
                    "control": {
                        "stop": self.ctl("stop"),
                        "start": self.ctl("start"),
                        "pid-file": str(self.service / "pid"),
                    },
                }
                | self.extra
            }
            | self.others,
        }

    def write(self, drill: dict[str, Any] | None = None) -> list[str]:
        """Put drill and environment in place; the words of the call."""
        (self.project / "drills").mkdir(exist_ok=True)
        body = drill or self.drill()
        drill_file = self.project / "drills" / f"{body['drill']}.yaml"
        drill_file.write_text(yaml.safe_dump(body, sort_keys=False))
        environment_file = self.project / "desk.yaml"
        environment_file.write_text(yaml.safe_dump(self.environment(), sort_keys=False))
        return ["run", str(drill_file), "-e", str(environment_file)]

    def start(
        self, drill: dict[str, Any] | None = None, environ: dict[str, str] | None = None
    ) -> subprocess.Popen[str]:
        return self.call(self.write(drill), environ)

    def call(
        self, words: list[str], environ: dict[str, str] | None = None
    ) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "fireproof", *words],
            cwd=self.project,
            env=self.environ | (environ or {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, drill: dict[str, Any] | None = None) -> Ran:
        """Once more when its prober was late: a machine that stood still has measured nothing."""
        ran = self.wait(self.start(drill))
        judged = ran.result["judgement"] if ran.result else {}
        late = "the prober was late" in str(judged.get("reason"))
        return self.wait(self.start(drill)) if late else ran

    def wait(self, child: subprocess.Popen[str], timeout_s: float = 60) -> Ran:
        stdout, stderr = child.communicate(timeout=timeout_s)
        return Ran(child.returncode, stdout, stderr, self.last_result())

    def let_the_runner_end(self, timeout_s: float = 30) -> None:
        """Wait for a runner that outlived its guardian: it ends its run by itself."""
        record = self._record("open")
        if record is not None:
            pid = record["data"]["pid"]
            who = identify(pid)
            self.wait_until(lambda: who is None or not is_alive(who), timeout_s)

    def last_result(self) -> dict[str, Any] | None:
        found = sorted(self.evidence.glob("runs/*/result.json"))
        if not found:
            return None
        value: dict[str, Any] = json.loads(found[-1].read_text())
        return value

    def wait_for_record(self, kind: str, timeout_s: float = 20) -> dict[str, Any]:
        """The first journal record of a kind, once it is there."""
        record: dict[str, Any] = self.wait_until(lambda: self._record(kind), timeout_s)
        return record

    def _record(self, kind: str) -> dict[str, Any] | None:
        for path in self.evidence.glob("runs/*/bag/data/journal.jsonl"):
            for line in path.read_text().splitlines():
                if f'"kind":"{kind}"' in line and line.endswith("}"):
                    record: dict[str, Any] = json.loads(line)
                    return record
        return None

    @staticmethod
    def wait_until(found: Callable[[], Any], timeout_s: float) -> Any:
        give_up_at = time.monotonic() + timeout_s
        while time.monotonic() < give_up_at:
            value = found()
            if value:
                return value
            time.sleep(0.01)
        raise TimeoutError("it did not happen")

    def verify(self, bundle: Path) -> int:
        child = self.call(["verify", str(bundle)])
        child.communicate(timeout=60)
        return child.returncode

    def close(self) -> None:
        self.supervisor.send_signal(signal.SIGTERM)
        self.supervisor.wait(10)
        shutil.rmtree(self.service, ignore_errors=True)
