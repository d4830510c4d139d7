"""Playbooks as Ansible reads them, before anything is broken: its own syntax check, which runs no
task and reaches no host.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from fireproof.children.hosts import LOCALHOST
from fireproof.children.playbook import ERROR, furnish, private_folder
from fireproof.errors import Problem

_READ_S = 60.0
_ORIGIN = re.compile(r"^Origin: (.+?):(\d+)(?::(\d+))?\s*$", re.MULTILINE)
# A value that only the run will have is no mistake of the file.
_LATER = re.compile(r"is undefined|undefined variable")


def playbook_problems(wanted: Mapping[Path, Mapping[str, str]], project: Path) -> list[Problem]:
    """Why Ansible cannot read them, each at its place; none when it can.

    Args:
        wanted: the variables that each playbook gets; paths are absolute.
        project: problems name files relative to it.
    """
    if not wanted:
        return []
    variables = {name: text for given in wanted.values() for name, text in given.items()}
    with private_folder("syntax") as private:
        env = furnish(private, {"groups": {}, "limit": [LOCALHOST]})
        (private / "vars.json").write_text(json.dumps(variables), "utf-8")
        return _among(list(wanted), private, env, project)


def _among(
    playbooks: list[Path], private: Path, env: dict[str, str], project: Path
) -> list[Problem]:
    # All in one process: starting Ansible takes most of the time. It stops at the first it cannot
    # read, so the halves are asked for the others.
    said = _complaint(playbooks, private, env)
    if said is None:
        return []
    if len(playbooks) == 1:
        return [_problem(said, playbooks[0], project)]
    half = len(playbooks) // 2
    parts = (playbooks[:half], playbooks[half:])
    return [problem for part in parts for problem in _among(part, private, env, project)]


def _complaint(playbooks: list[Path], private: Path, env: dict[str, str]) -> str | None:
    program = str(Path(sys.executable).with_name("ansible-playbook"))
    argv = [program, "--syntax-check", "-i", f"{LOCALHOST},", "-e", f"@{private / 'vars.json'}"]
    try:
        done = subprocess.run(
            [*argv, *map(str, playbooks)],
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_READ_S,
        )
    except OSError as err:
        return f"[ERROR]: {program}: {os.strerror(err.errno or 0)}; install fireproof[run]"
    except subprocess.TimeoutExpired:
        return f"[ERROR]: Ansible did not read it within {_READ_S:.0f} s"
    said = done.stderr + done.stdout
    return said if done.returncode and not _LATER.search(said) else None


def _problem(said: str, playbook: Path, project: Path) -> Problem:
    error, origin = ERROR.search(said), _ORIGIN.search(said)
    text = error[1] if error else "Ansible cannot read it"
    path, line, column = (Path(origin[1]), origin[2], origin[3]) if origin else (playbook, 1, 1)
    place = path.relative_to(project) if path.is_relative_to(project) else path
    return Problem(str(place), int(line), int(column or 1), "", text)
