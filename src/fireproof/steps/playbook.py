"""``playbook``: an Ansible playbook on this host, in a scrubbed child with a private folder."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fireproof.errors import StepError
from fireproof.model.drill import StepParams
from fireproof.model.ports import StepContext, StepResult
from fireproof.model.quantity import format_duration
from fireproof.steps.ask import ask
from fireproof.steps.handback import read_handback
from fireproof.steps.outputs import collect, fill, last_line, one_line, outputs_folder, worst

_ERROR = re.compile(r"^\[?ERROR\]?!?:? ?(.+)$", re.MULTILINE)
_ORIGIN = re.compile(r"^Origin: (.+:\d+(?::\d+)?)\s*$", re.MULTILINE)
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class PlaybookParams(StepParams):
    """``{playbook: playbooks/restore.yml, vars: {target: …}, timeout: 5m}``."""

    playbook: str
    vars: Mapping[str, str] = {}

    def procedures(self) -> tuple[str, ...]:
        return (self.playbook,)


@contextmanager
def _private_folder(run: str) -> Iterator[Path]:
    """A folder for us alone, in memory where there is a tmpfs; nothing of it is left."""
    memory = Path("/dev/shm")  # noqa: S108 (mkdtemp makes it 0700 under a fresh name)
    place = memory if os.access(memory, os.W_OK | os.X_OK) else None
    folder = Path(tempfile.mkdtemp(prefix=f"fireproof-{run[:36]}-", dir=place))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _furnish(private: Path) -> dict[str, str]:
    """Write the neutral inventory; returns the environment that keeps the user's settings out."""
    for name in ("home", "tmp", "inventory"):
        (private / name).mkdir(mode=0o700)
    (private / "ansible.cfg").write_text("[defaults]\n", "utf-8")
    (private / "inventory" / "hosts").write_text("localhost ansible_connection=local\n", "utf-8")
    path = f"{Path(sys.executable).parent}:{os.environ.get('PATH', '/usr/bin:/bin')}"
    return {
        "PATH": path,  # ansible-playbook stands beside our python
        "HOME": str(private / "home"),
        "LC_ALL": "C.UTF-8",  # ansible-core refuses any other encoding
        "PYTHONDONTWRITEBYTECODE": "1",
        "ANSIBLE_CONFIG": str(private / "ansible.cfg"),
        "ANSIBLE_HOME": str(private / "home" / ".ansible"),
        "ANSIBLE_LOCAL_TEMP": str(private / "tmp"),
        "ANSIBLE_REMOTE_TEMP": str(private / "tmp"),
        "ANSIBLE_RETRY_FILES_ENABLED": "0",
        "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_FORCE_COLOR": "0",
        "ANSIBLE_LOCALHOST_WARNING": "0",
        "ANSIBLE_DEPRECATION_WARNINGS": "0",
    }


def _components(context: StepContext) -> dict[str, Any]:
    """What a playbook may know about the components, control commands included."""
    found: dict[str, Any] = {}
    for name, component in context.environment.components.items():
        keys: dict[str, Any] = {"kind": component.kind}
        for key, value in (component.model_extra or {}).items():
            if isinstance(value, str):
                keys[key] = value
        if component.control:
            keys["control"] = component.control.model_dump(mode="json", by_alias=True)
        found[name] = keys
    return found


def _keep_stdout(private: Path, to: Path) -> str:
    """What the playbook printed, without colours, as a file; returns its end."""
    source = private / "artifacts" / "run" / "stdout"
    with contextlib.suppress(OSError), source.open(encoding="utf-8", errors="replace") as lines:
        with to.open("w", encoding="utf-8") as kept:
            for line in lines:
                kept.write(_COLOUR.sub("", line).rstrip("\r\n") + "\n")
        with to.open("rb") as file:
            file.seek(max(0, to.stat().st_size - 16_384))
            return file.read().decode("utf-8", "replace")
    return ""


def _why_it_failed(told: Mapping[str, Any], end: str, stdout: Path) -> str:
    """Failing task and its reason, or file:line and the error when no task was reached."""
    if failed := told.get("failed"):
        where = str(failed["at"]).rpartition("/")[2]
        return f"task {failed['task']!r}{f' ({where})' if where else ''}: {failed['why']}"
    error, origin = _ERROR.search(end), _ORIGIN.search(end)
    if error:
        return f"{origin[1]}: {error[1]}" if origin else error[1]
    return last_line(stdout) or f"ansible ended as {told.get('status')}, exit {told.get('rc')}"


class Playbook:
    """Runs one playbook to its end or to the deadline, then its whole tree is gone."""

    kind = "playbook"
    params: type[StepParams] = PlaybookParams

    def run(self, params: PlaybookParams, context: StepContext) -> StepResult:
        playbook = context.project / fill(params.playbook, context)
        if not playbook.is_file():
            raise StepError(f"there is no playbook {playbook}")
        folder = outputs_folder(context).absolute()
        variables: dict[str, Any] = {
            name: fill(text, context) for name, text in params.vars.items()
        }
        variables |= {
            "fireproof_run": context.run,
            "fireproof_project": str(context.project.absolute()),
            "fireproof_outputs": str(folder),
            "fireproof_components": _components(context),
        }
        with _private_folder(context.run) as private:
            request = {
                "private": str(private),
                "project": str(context.project.absolute()),
                "playbook": str(playbook.absolute()),
                "events_to": str(folder / "events.jsonl"),
                "vars": variables,
            }
            told = ask("fireproof.steps.playbook_child", request, context, env=_furnish(private))
            end = _keep_stdout(private, folder / "stdout.txt")
        return self._result(params, context, told, end)

    def _result(
        self, params: PlaybookParams, context: StepContext, told: Mapping[str, Any], end: str
    ) -> StepResult:
        folder = context.bag / context.outputs
        back = read_handback(folder)
        ok: bool | None
        if "late" in told:
            ok, why = False, f"did not end within {format_duration(params.timeout)}; killed"
            if task := told.get("task"):
                why += f" in task {task!r}"
        elif told.get("status") != "successful" or told.get("rc") != 0:
            ok, why = False, _why_it_failed(told, end, folder / "stdout.txt")
        elif not told.get("hosts"):
            ok, why = None, "no task ran on any host"
        elif back.problem:
            ok, why = None, back.problem
        else:
            ok, why = worst([True, *(check.ok for check in back.checks)]), "done"
            unmet = [check.name for check in back.checks if check.ok is not True]
            if unmet:
                why = f"not shown by its own checks: {', '.join(unmet)}"
        files, removed = collect(context)
        if removed and ok:
            ok, why = None, f"left {removed[0]}, which is not a plain file"
        detail = one_line(f"{Path(params.playbook).name}: {why}")
        return StepResult(ok, detail, back.checks, back.saved, files)
