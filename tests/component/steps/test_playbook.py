"""Real playbooks in a scratch project, run by the real Ansible."""

from __future__ import annotations

import json
import os
import site
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from fireproof.errors import StepError
from fireproof.processes import descendants, identify
from support.steps import left_running, run_step, step_context

pytestmark = pytest.mark.component

PLAY = "- hosts: localhost\n  gather_facts: false\n  tasks:\n"
DB = {
    "kind": "postgres",
    "dsn": "host=127.0.0.1",
    "control": {"stop": ["ctl", "stop"], "start": ["ctl", "start"], "pid-file": "/run/db.pid"},
}


def write(project: Path, tasks: str) -> None:
    (project / "play.yml").write_text(PLAY + tasks)


def test_a_playbook_gets_its_facts_and_hands_back_checks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkout with a space in its path and no HOME is an ordinary machine for CI people."""
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setenv("PLANTED_SECRET", "hunter2hunter2")
    project = tmp_path / "a project"
    project.mkdir()
    report = {
        "checks": [
            {"name": "n", "ok": True, "expected": "e", "observed": "{{ fireproof_run }} {{ x }}"}
        ]
    }
    checks = json.dumps(report["checks"])
    write(
        project,
        f"""
    - copy: {{content: '{checks}', dest: '{{{{ fireproof_outputs }}}}/checks.json'}}
    - command: "printenv"
    - copy:
        content: "{{{{ fireproof_components['db']['control']['start'] | join('+') }}}}"
        dest: "{{{{ fireproof_outputs }}}}/saved"
""",
    )
    shm_before = set(os.listdir("/dev/shm"))
    context = step_context(project, {"db": DB})

    result = run_step({"playbook": "play.yml", "vars": {"x": "{db.dsn}"}}, context)

    assert result.ok is True, result.detail
    assert result.saved == "ctl+start"
    assert result.checks[0].observed == f"{context.run} host=127.0.0.1"
    kept = [(context.bag / file).read_text() for file in result.files]
    assert {Path(file).name for file in result.files} == {
        "checks.json",
        "events.jsonl",
        "saved",
        "stdout.txt",
    }
    assert not [text for text in kept if "hunter2" in text]
    events = [json.loads(line) for line in (context.bag / result.files[1]).read_text().splitlines()]
    assert [e["event"] for e in events].count("runner_on_ok") == 3
    assert sorted(path.name for path in project.iterdir()) == ["bag", "play.yml"]
    assert not [name for name in set(os.listdir("/dev/shm")) - shm_before if context.run in name]


@pytest.mark.parametrize(
    ("tasks", "ok", "says"),
    [
        ("    - command: [\n", False, "play.yml:"),
        ("    - nosuchmodule: x\n", False, "play.yml:4:7: couldn't resolve module"),
        (
            "    - command: 'true'\n"
            "    - name: fetch base\n      shell: echo no archive >&2; exit 3\n",
            False,
            "task 'fetch base' (play.yml:5): non-zero return code: no archive",
        ),
        (
            "    - name: all parts\n      command: sh -c 'exit {{ item }}'\n      loop: [0, 4]\n",
            False,
            "task 'all parts'",
        ),
        (
            "    - copy: {content: '[1]', dest: '{{ fireproof_outputs }}/checks.json'}\n",
            None,
            "checks.json",
        ),
        (
            "    - file: {src: /etc/hosts, dest: '{{ fireproof_outputs }}/out', state: link}\n",
            None,
            "not a plain file",
        ),
    ],
)
def test_a_playbook_that_fails_says_where_in_one_line(
    tmp_path: Path, tasks: str, ok: bool | None, says: str
) -> None:
    """At 4 a.m. nobody opens the event files first."""
    write(tmp_path, tasks)

    result = run_step({"playbook": "play.yml"}, step_context(tmp_path))

    assert result.ok is ok
    assert says in result.detail
    assert "\n" not in result.detail


def test_a_playbook_that_finds_no_host_shows_nothing(tmp_path: Path) -> None:
    """ansible-playbook ends with 0 when no task ran at all: the oldest false green."""
    (tmp_path / "play.yml").write_text("- hosts: db\n  tasks: [{command: 'true'}]\n")

    assert run_step({"playbook": "play.yml"}, step_context(tmp_path)).ok is None


@pytest.mark.usefixtures("subreaper")
def test_a_playbook_that_hangs_is_ended_with_all_its_children(tmp_path: Path) -> None:
    """A restore left running would write into the system while the undo moves it back."""
    write(tmp_path, "    - name: wait for ever\n      shell: echo $$ > pid; sleep 1000\n")
    beats: list[int] = []
    before = descendants(os.getpid())

    context = step_context(tmp_path, timeout_s=4, beats=beats)
    result = run_step({"playbook": "play.yml", "timeout": "4s"}, context)

    assert result.ok is False
    assert result.detail == "play.yml: did not end within 4s; killed in task 'wait for ever'"
    assert identify(int((tmp_path / "pid").read_text())) is None
    assert not left_running(before)
    assert len(beats) > 8
    assert any(file.endswith("events.jsonl") for file in result.files)


def test_a_missing_playbook_is_told_before_anything_runs(tmp_path: Path) -> None:
    """The step could not be carried out, which is not the same as a failed recovery."""
    with pytest.raises(StepError, match=r"there is no playbook .*gone\.yml"):
        run_step({"playbook": "gone.yml"}, step_context(tmp_path))


def test_modules_run_when_the_interpreter_has_a_space_in_its_path(tmp_path: Path) -> None:
    """A checkout may be anywhere, and its .venv with it."""
    venv = tmp_path / "a venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    python = venv / "bin" / "python"
    folder = next((venv / "lib").glob("python3*/site-packages"))
    lines = [f"import site; site.addsitedir({path!r})" for path in site.getsitepackages()]
    (folder / "ours.pth").write_text("\n".join(lines) + "\n")
    script = venv / "bin" / "ansible-playbook"
    script.write_text(f'#!/bin/sh\nexec "{python}" -m ansible playbook "$@"\n')
    script.chmod(stat.S_IRWXU)
    write(tmp_path, "    - command: echo done\n    - ping:\n")
    program = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[2]);"
        "from support.steps import run_step, step_context;"
        "r = run_step({'playbook': 'play.yml'}, step_context(Path(sys.argv[1])));"
        "print(r.ok, r.detail)"
    )
    tests = Path(__file__).parents[2]

    ran = subprocess.run(
        [python, "-c", program, str(tmp_path), str(tests)], capture_output=True, text=True
    )

    assert ran.stdout == "True play.yml: done\n", ran.stderr


def test_a_refusal_is_a_success_and_its_red_check_is_told_in_words(tmp_path: Path) -> None:
    """The red check of a control must not turn the drill red: it is what was wanted."""
    found = [{"name": "intact", "ok": False, "expected": "e", "observed": "one bit differs"}]
    back = json.dumps(found)
    write(
        tmp_path,
        f"    - copy: {{content: '{back}', dest: '{{{{ fireproof_outputs }}}}/checks.json'}}\n"
        "    - fail: {msg: intact}\n",
    )
    step = {"refused": "play.yml", "because": "intact", "title": "bad-tape"}

    refused = run_step(step, step_context(tmp_path))
    blind = tmp_path / "blind"
    blind.mkdir()
    write(blind, "    - command: 'true'\n")
    accepted = run_step(step, step_context(blind))

    assert refused.ok is True
    assert [(c.name, c.ok, c.observed) for c in refused.checks] == [
        ("refused:bad-tape", True, "refused: intact: one bit differs")
    ]
    assert [(c.name, c.ok) for c in accepted.checks] == [("refused:bad-tape", False)]
