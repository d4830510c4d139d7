"""Ring 2 on other hosts: a timer there that undoes a fault, whoever can still reach the host.

Armed before the harm, through Ansible like the harm itself; then it needs nobody: neither the
connection nor this host. ``systemd-run --on-active`` keeps it where there is a systemd that will,
else a sleeper in a session of its own. The undo and the expiry race for one folder, and one wins.
"""

from __future__ import annotations

import base64
import json
import re
import shlex
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from fireproof.children.hosts import Reach, remote_hosts
from fireproof.children.playbook import run_playbook
from fireproof.errors import StepError

_HERE = files("fireproof.children")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
NONE = "none"


@dataclass(frozen=True, slots=True)
class TargetExpiry:
    """One expiry on all hosts of a component; ``token`` names it there."""

    run: str
    token: str
    project: Path
    reach: Reach

    @property
    def there(self) -> str:
        """Its folder on each target."""
        return f"/var/tmp/fireproof-expiry-{self.token}"  # noqa: S108 (mkdir, 0700, or refused)

    def arm(
        self, script: Path, variables: Mapping[str, str], after_s: int, deadline_ns: int
    ) -> dict[str, str]:
        """Have each target run the script after that time; host: who keeps it.

        Raises:
            StepError: when one of them cannot promise it; nothing may be broken then.
        """
        body = script.read_bytes()
        first = body.partition(b"\n")[0].decode("utf-8", "replace")
        words = shlex.split(first[2:]) if first.startswith("#!") else ["/bin/sh"]
        run = ["#!/bin/sh", "cd /"]
        run += [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
        run += [f"exec {shlex.join([*words, f'{self.there}/undo'])}", ""]
        more = {
            "after_s": str(after_s),
            "undo_b64": base64.b64encode(body).decode(),
            "run_b64": base64.b64encode("\n".join(run).encode()).decode(),
        }
        return self._ask("arm", deadline_ns, more)

    def call_off(self, deadline_ns: int) -> dict[str, str]:
        """Host: ``called off``, ``none``, or how far it had come.

        Raises:
            StepError: when a host cannot be reached, or is in the middle of its undo.
        """
        return self._ask("call-off", deadline_ns)

    def look(self, deadline_ns: int) -> dict[str, str]:
        """Host: ``none``, or what is there.

        Raises:
            StepError: when a host cannot be reached.
        """
        return self._ask("look", deadline_ns)

    def _ask(
        self, verb: str, deadline_ns: int, more: Mapping[str, str] | None = None
    ) -> dict[str, str]:
        """What each host answered."""
        given = {"verb": verb, "there": self.there, "unit": f"fireproof-expiry-{self.token}"}
        lines = [
            f"{name}={shlex.quote(value)}" for name, value in {**given, **(more or {})}.items()
        ]
        script = "\n".join([*lines, _HERE.joinpath("target_expiry.sh").read_text("utf-8")])
        hosts = remote_hosts(self.reach)
        with tempfile.TemporaryDirectory(prefix=f"fireproof-{self.run[:36]}-expiry-") as folder:
            told = run_playbook(
                Path(str(_HERE.joinpath("target_expiry.yml"))),
                run=self.run,
                project=self.project,
                outputs=Path(folder),
                variables={
                    "fireproof_targets": ",".join(hosts),
                    "fireproof_stdin": base64.b64encode(script.encode()).decode(),
                },
                components={},
                # Without groups: a host that the inventory does not know is not made up.
                reach={**self.reach, "groups": {}},
                deadline_ns=deadline_ns,
            )
            answers = _answers(Path(folder) / "events.jsonl")
        what = f"expiry on the target: {verb}"
        if "late" in told:
            raise StepError(f"{what}: no answer in time")
        if missing := [host for host in hosts if host not in answers]:
            why = told.get("why") or f"{missing[0]} is not in {self.reach.get('inventory')}"
            raise StepError(f"{what}: {why}")
        return answers


def tell(answers: Mapping[str, str]) -> str:
    """The answers in one line."""
    return "; ".join(f"{host}: {answer}" for host, answer in answers.items())


def unfit_names(variables: Mapping[str, str]) -> list[str]:
    """Variables that a shell script cannot be given."""
    return [name for name in variables if not _VARIABLE.fullmatch(name)]


def _answers(events: Path) -> dict[str, str]:
    """What the task printed on each host."""
    found: dict[str, str] = {}
    try:
        lines = events.read_text("utf-8").splitlines()
    except OSError:
        return found
    for line in lines:
        event: dict[str, Any] = json.loads(line)
        data = event.get("event_data") or {}
        if event.get("event") == "runner_on_ok" and isinstance(data.get("res"), dict):
            found[str(data.get("host"))] = str(data["res"].get("stdout", "")).strip()
    return found
