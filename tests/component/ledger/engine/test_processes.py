"""The engine, the providers and the signers as processes: what they refuse before they serve."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from fireproof.processes import scrubbed
from proving_ground.ledger.defects import DEFECTS
from proving_ground.merkle.note import make_key
from proving_ground.ports import free_ports
from proving_ground.probing import listens
from support.started import started

pytestmark = pytest.mark.component


def argv(*words: str) -> list[str]:
    return [sys.executable, "-P", "-m", "proving_ground", *words]


def start(words: list[str], environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        argv(*words),
        env=scrubbed(environ),
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


def test_an_engine_without_its_settings_ends_with_78_and_says_all_that_is_wrong(
    tmp_path: Path,
) -> None:
    """Before its port opens, with one line."""
    port = free_ports(1)[0]
    make_key(tmp_path / "key.pem", tmp_path / "key.pub.pem")
    (tmp_path / "key.pem").chmod(0o644)
    wrong = {"ENGINE_KEY_FILE": str(tmp_path / "key.pem"), "ENGINE_EVERY_MS": "0"}
    done = start(["engine", str(port)], {**wrong, "ENGINE_EVRY": "1"})
    line = json.loads(done.stdout)

    assert done.returncode == 78
    assert [problem.partition(":")[0] for problem in line["problems"]] == [
        "ENGINE_EVRY",
        "ENGINE_DSN",
        "ENGINE_EVERY_MS",
        "ENGINE_KEY_FILE",
    ]
    assert "chmod 600" in line["problems"][3]
    assert not listens(port)


@pytest.mark.parametrize(
    "words",
    [
        ["engine"],
        ["engine", "80", "--defect", "wrong-rot"],
        ["notify", "80", "name"],
        ["notify", "80", "name", "file", "perhaps"],
        ["replay"],
        ["replay", "check"],
        ["cross-sign", "--seed", "x"],
    ],
    ids=" ".join,
)
def test_a_wrong_call_ends_with_2_and_the_usage(words: list[str]) -> None:
    """No traceback, nothing started."""
    done = start(words, {})

    assert done.returncode == 2
    assert done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.full
@pytest.mark.parametrize(
    "name", [n for n, d in DEFECTS.items() if d.process in ("engine", "notify")]
)
def test_it_starts_with_each_of_its_defects(name: str, tmp_path: Path) -> None:
    """A drill that is to notice a defect must find a process to ask."""
    port = free_ports(1)[0]
    make_key(tmp_path / "key.pem", tmp_path / "key.pub.pem")
    process = DEFECTS[name].process
    words = [process, str(port), "--defect", name]
    words[2:2] = ["name", str(tmp_path / "file")] if process == "notify" else []
    dsn = {"ENGINE_DSN": "host=127.0.0.1 port=1", "ENGINE_KEY_FILE": str(tmp_path / "key.pem")}
    with started(argv(*words), dsn, tmp_path / "log", port) as child:
        assert child.poll() is None
