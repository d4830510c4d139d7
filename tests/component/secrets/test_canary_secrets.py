"""Secrets planted in every kind of step of a real run, and then looked for everywhere."""

from __future__ import annotations

import base64
import http.server
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fireproof.evidence.secrets import Needles
from support.postgres import PASSWORD, Postgres
from support.scenario import Ran, Scenario

pytestmark = pytest.mark.component

TOKEN = "canary-t0ken-9f1e77c2"
FROM_FILE = 'canary "file" s3cret/+ä'
NEEDLES = Needles([TOKEN, FROM_FILE, PASSWORD])

_PLAYBOOK = """\
- hosts: localhost
  gather_facts: false
  tasks:
    - name: say it
      ansible.builtin.debug: {msg: "{{ fireproof_components.tiny.token }}"}
    - name: write it into the outputs
      ansible.builtin.copy:
        content: "{{ fireproof_components.tiny.token | b64encode }}"
        dest: "{{ fireproof_outputs }}/handed-over.txt"
"""
_TEST = """\
import os
def test_it_was_handed_over():
    assert os.environ["FP_TINY_TOKEN"].startswith("canary")
    print(os.environ["FP_TINY_TOKEN"].encode().hex(), os.environ["FP_TINY_FROM_FILE"])
"""


class Watch:
    """Looks at the command line of every process there is, all the time."""

    def __init__(self) -> None:
        self.found: set[str] = set()
        self.looks = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def _work(self) -> None:
        while not self._over.is_set():
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    words = path.read_bytes()
                except OSError:
                    continue
                if NEEDLES.found(words):
                    self.found.add(NEEDLES.redact(words).decode("utf-8", "replace"))
            self.looks += 1
            time.sleep(0.005)

    def stop(self) -> None:
        self._over.set()
        self._thread.join(10)


@pytest.fixture
def echo() -> Iterator[tuple[str, list[str]]]:
    """A server that says back what it was told, secrets included, as careless ones do."""
    heard: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(self.headers.get("Authorization", ""))
            body = heard[-1].encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", heard
    finally:
        server.shutdown()
        server.server_close()


class Secretive(Scenario):
    """The tiny service, with components that refer to secrets."""

    more: dict[str, Any]

    def environment(self) -> dict[str, Any]:
        body = super().environment()
        tiny = body["components"]["tiny"]
        tiny |= {"token": "env:TINY_TOKEN", "from-file": f"file:{self.service}/secret"}
        body["components"] |= getattr(self, "more", {})
        return body


@pytest.fixture
def scenario(tmp_path: Path) -> Iterator[Secretive]:
    made = Secretive(tmp_path)
    (made.service / "secret").write_text(FROM_FILE + "\n")
    made.environ |= {"TINY_TOKEN": TOKEN, "DB_PASSWORD": PASSWORD}
    try:
        yield made
    finally:
        made.close()


def _nowhere(scenario: Secretive, ran: Ran) -> None:
    assert NEEDLES.scan(scenario.project) == []
    assert not NEEDLES.found((ran.stdout + ran.stderr).encode())
    assert list(Path("/dev/shm").glob("fireproof-*-outputs-*")) == []


def test_planted_secrets_are_found_nowhere(
    scenario: Secretive, echo: tuple[str, list[str]], postgres: Postgres
) -> None:
    """Whoever can read a bundle, a log or a process list would hold the keys of the system."""
    url, heard = echo
    (scenario.project / "playbooks").mkdir()
    (scenario.project / "playbooks" / "say.yml").write_text(_PLAYBOOK)
    (scenario.project / "checks").mkdir()
    (scenario.project / "checks" / "test_handed.py").write_text(_TEST)
    dsn = f"host=127.0.0.1 port={postgres.port} user=postgres dbname=postgres"
    scenario.more = {
        "db": {
            "kind": "postgres",
            "password": "env:DB_PASSWORD",
            "dsn": dsn + " password={db.password}",
        }
    }
    drill = scenario.drill()
    say = 'echo "$SECRET"; echo "$SECRET" | base64 >&2'
    drill["verify"] = [
        {
            "process": ["sh", "-c", say],
            "env": {"SECRET": "{tiny.token}"},
            "timeout": "5s",
        },
        {"playbook": "playbooks/say.yml", "timeout": "60s"},
        {"pytest": "checks", "timeout": "60s"},
        {
            "http": url,
            "headers": {"Authorization": "Basic {tiny.token}"},
            "contains": "{tiny.token}",
            "timeout": "5s",
            "save": "said",
        },
        {"sql": "SELECT '{tiny.token}'", "on": "db", "expect": "{tiny.token}", "timeout": "10s"},
    ]
    watch = Watch()

    ran = scenario.run(drill)

    watch.stop()
    assert ran.code == 0, ran.stderr
    assert heard == [f"Basic {TOKEN}"], "it was handed over"
    assert watch.looks > 20
    assert watch.found == set()
    _nowhere(scenario, ran)
    said = (ran.bundle / "data/outputs/verify-00-process/stdout.txt").read_text()
    assert said == "[redacted]\n"
    assert (ran.bundle / "data/outputs/verify-01-playbook/handed-over.txt").exists()
    assert "env:TINY_TOKEN" in (ran.bundle / "plan.json").read_text()
    assert scenario.verify(ran.bundle) == 0


def test_a_leak_is_not_sealed(scenario: Secretive) -> None:
    """A step that writes past its outputs cannot be redacted; its bundle must not be handed on."""
    drill = scenario.drill()
    leak = 'cd evidence/runs/*/bag/data && printf %s "$SECRET" | base64 > planted.txt'
    drill["verify"] = [
        {"process": ["sh", "-c", leak], "env": {"SECRET": "{tiny.token}"}, "timeout": "5s"}
    ]

    ran = scenario.run(drill)

    assert ran.code == 5
    assert "data/planted.txt: base64 form of a secret, once" in ran.stdout + ran.stderr
    assert not NEEDLES.found((ran.stdout + ran.stderr).encode())
    assert not list(scenario.evidence.glob("bundles/*/*/*"))
    assert (
        base64.b64encode(TOKEN.encode())
        in next(scenario.evidence.glob("runs/*/bag/data/planted.txt")).read_bytes()
    ), "the scan was shown what it must refuse"
    assert scenario.answers(), "the fault was undone all the same"


def test_a_secret_on_a_command_line_is_refused(scenario: Secretive) -> None:
    """Every user of the host reads /proc; the drill file is told so before anything runs."""
    drill = scenario.drill()
    drill["verify"] = [{"process": ["echo", "{tiny.token}"], "timeout": "5s"}]

    ran = scenario.run(drill)

    assert ran.code == 3
    assert "'{tiny.token}' is kept elsewhere and may be a secret" in ran.stderr
    _nowhere(scenario, ran)
    assert not list(scenario.evidence.glob("runs/*"))


@pytest.mark.full
def test_a_saved_secret_does_not_reach_a_command_line(scenario: Secretive) -> None:
    """What a file cannot show is stopped when it happens."""
    drill = scenario.drill()
    drill["verify"] = [
        {
            "process": ["sh", "-c", 'printf %s "$SECRET"'],
            "env": {"SECRET": "{tiny.token}"},
            "save": "taken",
            "timeout": "5s",
        },
        {"process": ["echo", "{saved.taken}"], "timeout": "5s"},
    ]

    ran = scenario.run(drill)

    assert ran.code in (1, 6)
    assert "a secret may not stand on a command line" in ran.stdout + ran.stderr
    _nowhere(scenario, ran)


def test_a_missing_secret_stops_before_the_harm(scenario: Secretive) -> None:
    """Half a recovery for want of a password is worse than no drill."""
    del scenario.environ["TINY_TOKEN"]
    before = scenario.pid

    ran = scenario.run()

    assert ran.code == 3
    assert "env:TINY_TOKEN: the variable is not set" in ran.stderr
    assert scenario.pid == before
    assert not list(scenario.evidence.glob("runs/*"))


def test_nothing_is_left_when_the_runner_is_killed(scenario: Secretive) -> None:
    """Its outputs rest in memory, unredacted; whoever ends a dead run removes them."""
    drill = scenario.drill()
    drill["verify"] = [
        {
            "process": ["sh", "-c", 'echo "$SECRET"; touch said; sleep 60'],
            "env": {"SECRET": "{tiny.token}"},
            "timeout": "30s",
        }
    ]
    child = scenario.start(drill)
    runner = scenario.wait_for_record("open")["data"]["pid"]
    scenario.wait_until((scenario.project / "said").exists, 30)
    staged = list(Path("/dev/shm").glob("fireproof-*-outputs-*/data/outputs/*/stdout.txt"))
    assert any(NEEDLES.found(path.read_bytes()) for path in staged), "it was there"

    os.kill(runner, signal.SIGKILL)

    ran = scenario.wait(child)
    assert ran.outcome == "aborted"
    assert scenario.verify(ran.bundle) == 0
    _nowhere(scenario, ran)
    assert scenario.answers()


@pytest.mark.full
def test_a_recovery_without_the_secret_undoes_and_does_not_seal(scenario: Secretive) -> None:
    """The undo never waits for a password; the seal does."""
    drill = scenario.drill()
    drill["recover"] = [{"process": ["sleep", "60"], "timeout": "30s"}]
    child = scenario.start(drill)
    scenario.wait_for_record("injected")
    runner = int(scenario.wait_for_record("open")["data"]["pid"])
    for pid in (child.pid, runner):
        os.kill(pid, signal.SIGKILL)
    child.communicate(timeout=30)
    kept = scenario.environ.pop("TINY_TOKEN")

    without = scenario.call(["recover"])
    said = "".join(without.communicate(timeout=60))
    assert without.returncode == 5, said
    assert "env:TINY_TOKEN: the variable is not set" in said
    assert scenario.answers(), "the fault was undone"
    assert scenario.last_result() is None

    scenario.environ["TINY_TOKEN"] = kept
    ran = scenario.wait(scenario.call(["recover"]))
    assert ran.outcome == "aborted", ran.stderr
    assert scenario.verify(ran.bundle) == 0


def test_the_watch_sees_what_it_watches_for() -> None:
    """A watch that finds nothing anywhere would have passed the test above."""
    watch = Watch()
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(20)", TOKEN])
    give_up_at = time.monotonic() + 10
    while not watch.found and time.monotonic() < give_up_at:
        time.sleep(0.01)
    child.kill()
    child.wait()
    watch.stop()

    assert len(watch.found) == 1
