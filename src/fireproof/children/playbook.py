"""One Ansible playbook, run from this host, in a scrubbed child with a private folder.

Knows nothing of steps or faults; both run playbooks through it, and an undo does so in a fresh
process, so pydantic is not loaded here.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fireproof.children.ask import ask
from fireproof.children.hosts import Reach, groups_text, inventories, ssh_variables
from fireproof.children.texts import last_line

if TYPE_CHECKING:
    from fireproof.model.environment import Environment

ERROR = re.compile(r"^\[?ERROR\]?!?:? ?(.+)$", re.MULTILINE)
_ORIGIN = re.compile(r"^Origin: (.+:\d+(?::\d+)?)\s*$", re.MULTILINE)
_GROUPS = "components.yml"
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@contextmanager
def private_folder(run: str) -> Iterator[Path]:
    """A folder for us alone, in memory where there is a tmpfs; nothing of it is left."""
    memory = Path("/dev/shm")  # noqa: S108 (mkdtemp makes it 0700 under a fresh name)
    place = memory if os.access(memory, os.W_OK | os.X_OK) else None
    folder = Path(tempfile.mkdtemp(prefix=f"fireproof-{run[:36]}-", dir=place))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def furnish(private: Path, reach: Reach) -> dict[str, str]:
    """Write the inventory of components; returns the environment that keeps the user's settings
    out.
    """
    for name in ("home", "tmp"):
        (private / name).mkdir(mode=0o700)
    (private / "ansible.cfg").write_text("[defaults]\n", "utf-8")
    here = {"ansible_remote_tmp": str(private / "tmp")}
    (private / _GROUPS).write_text(groups_text(reach, here), "utf-8")
    path = f"{Path(sys.executable).parent}:{os.environ.get('PATH', '/usr/bin:/bin')}"
    return {
        "PATH": path,  # ansible-playbook stands beside our python
        "HOME": str(private / "home"),
        "LC_ALL": "C.UTF-8",  # ansible-core refuses any other encoding
        "PYTHONDONTWRITEBYTECODE": "1",
        "ANSIBLE_CONFIG": str(private / "ansible.cfg"),
        "ANSIBLE_HOME": str(private / "home" / ".ansible"),
        "ANSIBLE_LOCAL_TEMP": str(private / "tmp"),
        "ANSIBLE_PIPELINING": "1",  # nothing of ours is left on a target when the line is cut
        "ANSIBLE_RETRY_FILES_ENABLED": "0",
        "ANSIBLE_PYTHON_INTERPRETER": "auto_silent",
        "ANSIBLE_TRANSFORM_INVALID_GROUP_CHARS": "ignore",  # components have dashes
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_FORCE_COLOR": "0",
        "ANSIBLE_LOCALHOST_WARNING": "0",
        "ANSIBLE_DEPRECATION_WARNINGS": "0",
    }


def component_facts(
    environment: Environment, *, without: Callable[[str], bool] = lambda text: False
) -> dict[str, Any]:
    """What a playbook may know about the components, control commands included; texts that
    ``without`` finds something in are left out.
    """
    found: dict[str, Any] = {}
    for name, component in environment.components.items():
        keys: dict[str, Any] = {"kind": component.kind}
        for key, value in (component.model_extra or {}).items():
            if isinstance(value, str) and not without(value):
                keys[key] = value
        if component.hosts:
            keys["hosts"] = list(component.hosts)
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
    error, origin = ERROR.search(end), _ORIGIN.search(end)
    if error:
        return f"{origin[1]}: {error[1]}" if origin else error[1]
    return last_line(stdout) or f"ansible ended as {told.get('status')}, exit {told.get('rc')}"


def run_playbook(
    playbook: Path,
    *,
    run: str,
    project: Path,
    outputs: Path,
    variables: Mapping[str, Any],
    components: Mapping[str, Any],
    reach: Reach,
    deadline_ns: int,
    beat: Callable[[], None] = lambda: None,
    check: bool = False,
) -> dict[str, Any]:
    """Run one playbook to its end or to the deadline; then its whole tree is gone.

    Args:
        playbook: absolute path.
        run: run id; the private folder is named by it, so that a later look finds it.
        project: where relative paths start.
        outputs: an absolute folder; gets ``events.jsonl`` and ``stdout.txt``.
        variables: of the drill; ours are added.
        components: what the playbook may know about the environment.
        reach: the hosts it may touch, and how.
        deadline_ns: CLOCK_MONOTONIC.
        beat: called while waiting.
        check: only say what would change.

    Returns:
        What the child told (status, rc, failed, hosts, changed, skipped, late, task), and ``why``
        it failed when it did.

    Raises:
        StepError: when it could not be run at all.
    """
    ours = {
        "fireproof_run": run,
        "fireproof_project": str(project),
        "fireproof_outputs": str(outputs),
        "fireproof_components": dict(components),
    }
    with private_folder(run) as private:
        request = {
            "private": str(private),
            "project": str(project),
            "playbook": str(playbook),
            "events_to": str(outputs / "events.jsonl"),
            "inventory": inventories(reach, private / _GROUPS),
            "limit": ",".join(reach["limit"]),
            "vars": {**variables, **ours, **ssh_variables(reach)},
            "check": check,
        }
        module, env = "fireproof.children.playbook_child", furnish(private, reach)
        told = ask(module, request, deadline_ns=deadline_ns, beat=beat, env=env)
        end = _keep_stdout(private, outputs / "stdout.txt")
    if "late" not in told and (told.get("status") != "successful" or told.get("rc") != 0):
        told["why"] = _why_it_failed(told, end, outputs / "stdout.txt")
    return told
