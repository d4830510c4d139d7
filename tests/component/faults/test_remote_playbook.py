"""Playbook faults on a host behind a real sshd, in whole runs; and the host's own way out."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.debian import need
from support.scenario import Ran, Scenario
from support.sshd import PROGRAM, Sshd

pytestmark = [pytest.mark.component, pytest.mark.debian]

HEAD = "- hosts: tiny\n  gather_facts: false\n  tasks:\n"
LEFT = Path("/var/tmp")


class Remote(Scenario):
    """The tiny service, broken and mended by playbooks that log in to it."""

    def __init__(self, project: Path, host: Sshd) -> None:
        super().__init__(project)
        self.host = host
        self.expires = "60s"
        (project / "inventory.ini").write_text(host.inventory("db-1"))
        answer, seen = self.service / "answer", self.service / "seen"
        self.answer, self.seen = answer, seen
        for name, word in (("break", "bad"), ("mend", "good")):
            says = f'echo "$SSH_CONNECTION" >> {seen}; printf {word} > {answer}'
            (project / f"{name}.yml").write_text(HEAD + f"    - shell: '{says}'\n")
        look = f"    - command: grep -qx good {answer}\n      changed_when: false\n"
        (project / "look.yml").write_text(HEAD + look)
        (project / "mend.sh").write_text('printf "$word" > "$answer"\n')
        self.extra = {"faults": ["playbook"], "hosts": ["db-1"]}

    def environment(self) -> dict[str, Any]:
        home = self.host.home
        reach = {"file": "inventory.ini", "key": f"file:{home}/user_key"}
        reach["known-hosts"] = f"{home}/known_hosts"
        return {**super().environment(), "inventory": reach}

    def drill(self) -> dict[str, Any]:
        fault = {
            "playbook": "break.yml",
            "undo": "mend.yml",
            "present": "look.yml",
            "expiry": "mend.sh",
            "component": "tiny",
            "vars": {"word": "good", "answer": str(self.answer)},
            "expires": self.expires,
            "timeout": "30s",
        }
        recover = [{"playbook": "mend.yml", "timeout": "10s"}]
        # Its limit is not what these tests are about: ssh and two playbooks lie within it.
        back = {"recovery-time": {"rto": "1m", "from": "api", "hold": "300ms"}}
        return super().drill() | {"fault": [fault], "recover": recover, "objectives": back}

    def run(self, drill: dict[str, Any] | None = None) -> Ran:
        return self.wait(self.start(drill), 150)

    def kept(self) -> list[Path]:
        """Expiries that a run of this project left on the target."""
        runs = [path.name for path in self.evidence.glob("runs/*")]
        return [path for run in runs for path in LEFT.glob(f"fireproof-expiry-{run}-*")]

    def recover(self) -> Ran:
        run = next(self.evidence.glob("runs/*")).name
        return self.wait(self.call(["recover", run]), 150)


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    need(PROGRAM, "openssh-server")
    found = Sshd(tmp_path_factory.mktemp("a host") / "ssh home")
    yield found
    found.close()


@pytest.fixture
def remote(tmp_path: Path, sshd: Sshd) -> Iterator[Remote]:
    project = tmp_path / "a project"
    project.mkdir()
    sshd.know("host_key")
    found = Remote(project, sshd)
    yield found
    assert found.kept() == []
    found.close()


def test_a_remote_fault_is_applied_and_undone_over_ssh(remote: Remote) -> None:
    """The drill of a team whose database is not on the runner's host."""
    ran = remote.run()

    assert (ran.code, ran.outcome) == (0, "passed"), ran.stderr
    assert "called off" in ran.stderr
    assert remote.verify(ran.bundle) == 0
    came = [line.split() for line in remote.seen.read_text().splitlines()]
    assert {words[3] for words in came} == {str(remote.host.port)}
    plan = (ran.bundle / "plan.json").read_text()
    assert '"inventory.ini":"' in plan
    assert "mend.sh" in plan
    key = (remote.host.home / "user_key").read_text().splitlines()[3]
    holding = [p for p in ran.bundle.rglob("*") if p.is_file() and key.encode() in p.read_bytes()]
    assert holding == []


def test_a_killed_runner_is_undone_over_ssh(remote: Remote) -> None:
    """Kill -9 between the harm and its record: the guardian logs in and mends."""
    text = (remote.project / "break.yml").read_text()
    (remote.project / "break.yml").write_text(text + "    - command: sleep 20\n")
    child = remote.start()
    runner = remote.wait_for_record("open")["data"]["pid"]
    remote.wait_until(lambda: remote.answer.read_text() == "bad", 30)
    assert len(remote.kept()) == 1

    os.kill(runner, signal.SIGKILL)
    ran = remote.wait(child, 150)

    assert (ran.code, ran.outcome) == (7, "aborted"), ran.stderr
    assert remote.answer.read_text() == "good"
    assert remote.verify(ran.bundle) == 0


def test_a_lost_host_ends_its_fault_and_is_never_called_clean(remote: Remote) -> None:
    """Nobody could log in to look: the host had mended itself, and the run may not know it."""
    remote.expires = "12s"
    child = remote.start()
    try:
        remote.wait_for_record("injected", 40)
        remote.host.stop()
        ran = remote.wait(child, 150)
        remote.wait_until(lambda: remote.answer.read_text() == "good", 30)
    finally:
        remote.host.start()

    assert (ran.code, ran.outcome) == (4, "aborted-dirty"), ran.stderr
    assert "db-1: " in ran.stderr
    assert "Connection refused" in ran.stderr
    assert "ansible-playbook" in ran.stderr
    assert remote.verify(ran.bundle) == 0
    again = remote.recover()
    assert again.code == 7, again.stderr


def test_a_remote_undo_that_fails_is_loud_and_leaves_the_expiry(remote: Remote) -> None:
    """The last way out is taken away only when the fault is seen to be gone."""
    remote.expires = "25s"
    mend = remote.project / "mend.yml"
    good = mend.read_text()
    mend.write_text(HEAD + "    - fail: {msg: no way back}\n")

    ran = remote.run()

    assert (ran.code, ran.outcome) == (4, "aborted-dirty"), ran.stderr
    assert "no way back" in ran.stderr
    assert len(remote.kept()) == 1
    assert remote.verify(ran.bundle) == 0
    mend.write_text(good)
    remote.answer.write_text("bad")
    command = by_hand(ran)
    subprocess.run(command, shell=True, check=True, capture_output=True)  # noqa: S602
    assert remote.answer.read_text() == "good"
    remote.answer.write_text("bad")
    remote.wait_until(lambda: remote.answer.read_text() == "good", 40)  # nobody but the host
    assert remote.recover().code == 7


def by_hand(ran: Ran) -> str:
    """The command as it was printed and sealed."""
    assert ran.result is not None
    reason = str(ran.result["judgement"]["reason"])
    return reason.rpartition("run by hand: ")[2].partition("; expiry")[0]


def test_a_host_that_is_not_who_it_was_is_refused_before_the_harm(remote: Remote) -> None:
    """Whoever answers in its place would be given the playbooks, and broken."""
    remote.host.know("other_key")

    ran = remote.run()

    assert ran.code == 3, ran.stderr
    assert "Host key verification failed" in ran.stderr
    assert not remote.seen.exists()


def test_an_inventory_cannot_turn_the_host_key_check_off(remote: Remote) -> None:
    """One line copied from a web page would."""
    remote.host.know("other_key")
    lax = " ansible_host_key_checking=false ansible_ssh_common_args='-o StrictHostKeyChecking=no'"
    text = remote.host.inventory("db-1").rstrip("\n") + lax + "\n"
    (remote.project / "inventory.ini").write_text(text)

    ran = remote.run()

    assert ran.code == 3, ran.stderr
    assert not remote.seen.exists()


def test_a_host_that_the_inventory_does_not_know_is_refused(remote: Remote) -> None:
    """A misspelt name might be somebody's host."""
    remote.extra["hosts"] = ["db-2"]

    ran = remote.run()

    assert ran.code == 3, ran.stderr
    assert "db-2 is not in" in ran.stderr
    assert not remote.seen.exists()


def test_no_secret_stands_on_a_command_line(remote: Remote) -> None:
    """Every user of both hosts can read those."""
    remote.extra |= {"word": "env:REMOTE_WORD"}
    remote.environ["REMOTE_WORD"] = "a-planted-canary-secret"
    text = (remote.project / "break.yml").read_text()
    told = "{{ fireproof_components.tiny.word | length }}"
    more = f"    - shell: 'test {told} = 23 && sleep 3'\n"
    (remote.project / "break.yml").write_text(text + more)
    child, seen = remote.start(), 0
    while child.poll() is None:
        seen += (
            b"a-planted-canary-secret"
            in subprocess.run(["ps", "-ewwo", "args"], capture_output=True, check=True).stdout
        )
        time.sleep(0.1)
    ran = remote.wait(child, 150)

    assert (ran.code, ran.outcome) == (0, "passed"), ran.stderr
    assert seen == 0
