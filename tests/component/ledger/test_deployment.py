"""The playbooks that deploy, verify and roll back, and the reload that nobody should use."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from fireproof.model.ports import StepResult
from proving_ground.lab import Lab
from support.playing import play
from support.small_lab import small_lab
from support.steady_load import steady_load

pytestmark = pytest.mark.component
PROJECT = Path(__file__).parents[3]
SETTLED_S = 0.8


def act(components: dict[str, Any], outputs: Path, script: str, *words: str, **more: str) -> Any:
    """One call of a playbook's script, as the playbook makes it; with its checks by name."""
    argv = [sys.executable, "-I", str(PROJECT / "playbooks/files" / script), *words]
    wanted = {"outputs": str(outputs), "components": components, **more}
    done = subprocess.run(
        argv, input=json.dumps(wanted), capture_output=True, text=True, timeout=60, check=False
    )
    path = outputs / "checks.json"
    checks = (
        {one["name"]: one["ok"] for one in json.loads(path.read_text())} if path.exists() else {}
    )
    return done, checks


def checks_of(result: StepResult) -> dict[str, bool | None]:
    return {check.name: check.ok for check in result.checks}


def test_an_unknown_version_is_refused_before_anything_changes(
    components: dict[str, Any], tmp_path: Path
) -> None:
    """And every other requirement is looked at all the same."""
    log = Path(components["ledger-green"]["control"]["pid-file"]).read_text()
    done, checks = act(components, tmp_path, "deploy.py", "validate", version="v9")

    assert done.returncode == 1
    assert "nothing was changed: release-known: expected one of v1, v2, v3, got v9" in done.stderr
    assert checks.pop("release-known") is False
    assert len(checks) > 5
    assert all(checks.values())
    assert Path(components["ledger-green"]["control"]["pid-file"]).read_text() == log
    assert not Path(components["switch"]["state"]).exists()


def test_a_missing_component_and_a_readable_secret_are_refused(
    components: dict[str, Any], tmp_path: Path
) -> None:
    """The negative cases of environment validation."""
    secret = Path(components["cache-store"]["password-file"])
    secret.chmod(0o644)
    try:
        readable, checks = act(components, tmp_path, "deploy.py", "validate", version="v2")
    finally:
        secret.chmod(0o600)
    without = {name: part for name, part in components.items() if name != "cache-store"}
    missing, _ = act(without, tmp_path, "deploy.py", "validate", version="v2")

    assert readable.returncode == 1
    assert checks["secret-private"] is False
    assert missing.returncode == 1
    assert "cache-store" in missing.stderr


def test_a_rollback_without_a_deployment_says_so(
    components: dict[str, Any], tmp_path: Path
) -> None:
    """It must not guess."""
    done, _ = act(components, tmp_path, "rollback.py", "switch")

    assert done.returncode == 1
    assert "nothing was deployed" in done.stderr


def test_moving_by_reload_drops_requests(components: dict[str, Any], tmp_path: Path) -> None:
    """The control: the same clients that see no loss with the slot file see it here."""
    lost = 0
    with steady_load(components["switch"]["url"]) as load:
        for turn in range(12):
            time.sleep(0.4)
            to = ("ledger-blue", "all")[turn % 2]
            done, _ = act(components, tmp_path, "traffic.py", "reload", to=to)
            assert done.returncode == 0, done.stderr
            lost = load.failed
            if lost and to == "all":
                break
    act(components, tmp_path, "traffic.py", "unreload")

    whole, _ = act(components, tmp_path, "traffic.py", "is-whole")
    assert whole.returncode == 0, whole.stderr
    assert load.failed > 0, f"{load.count} requests over {turn + 1} reloads, none lost"


@pytest.mark.full
def test_a_bad_version_is_deployed_seen_and_taken_back(lab: Lab, tmp_path: Path) -> None:
    """Version, schema and cache go back; what v2's own badness costs is all that clients see."""
    components = lab.environment()["components"]
    url = components["switch"]["url"]
    first = play(lab.environment(), tmp_path, "verify-deployment.yml", version="v1")
    with steady_load(url) as load:
        deployed = play(lab.environment(), tmp_path, "deploy.yml", version="v2")
        verified = play(lab.environment(), tmp_path, "verify-deployment.yml", version="v2")
        time.sleep(1)
        back = play(lab.environment(), tmp_path, "rollback.yml")
        again = play(lab.environment(), tmp_path, "verify-deployment.yml", version="v1")
    bad = sum(n for key, n in load.answers.items() if key[:2] == (500, "v2"))

    assert deployed.ok, deployed.detail
    assert back.ok, back.detail
    assert checks_of(deployed)["switched"]
    assert checks_of(verified)["served-version"]
    assert checks_of(verified)["schema-version"]
    assert checks_of(back)["schema-rolled-back"]
    assert checks_of(back)["cache-purged"]
    assert all(checks_of(again).values()), checks_of(again)
    assert checks_of(first)["served-version"]
    assert bad > 0
    assert load.failed == bad, (load.lost[:3], load.answers)


@pytest.mark.full
def test_a_version_that_never_gets_well_takes_no_traffic(lab: Lab, tmp_path: Path) -> None:
    """v3 fails its health: it is refused before the switch, and rolled back all the same."""
    components = lab.environment()["components"]
    refused = play(lab.environment(), tmp_path, "deploy.yml", version="v3")
    served = httpx.get(components["switch"]["url"] + "/version").json()
    back = play(lab.environment(), tmp_path, "rollback.yml")
    verified = play(lab.environment(), tmp_path, "verify-deployment.yml", version="v1")

    assert not refused.ok
    assert "does not become v3" in refused.detail
    assert served["version"] == "v1"
    assert back.ok, back.detail
    assert checks_of(verified)["served-version"]
    assert checks_of(verified)["schema-version"]


@pytest.mark.full
@pytest.mark.parametrize(
    ("fault", "variables"),
    [
        (("deploy", "undo-deploy", "deploy-present"), {"version": "v2"}),
        (("move-traffic", "undo-move", "traffic-is-home"), {"to": "ledger-green ledger-amber"}),
        (("switch-by-reload", "undo-reload", "reload-present"), {"to": "ledger-blue"}),
        (("migrate", "undo-migrate", "migrate-present"), {"to": "v2_source"}),
        (("drain", "undo-drain", "drain-present"), {"replica": "ledger-amber"}),
        (("copy-data", "drop-copy", "copy-present"), {}),
        (
            ("move-traffic", "undo-drain-in-service", "drain-in-service-present"),
            {"to": "ledger-blue ledger-green", "replica": "ledger-green"},
        ),
    ],
)
def test_what_a_drill_breaks_by_playbook_is_looked_at_and_taken_back(
    lab: Lab, tmp_path: Path, fault: tuple[str, str, str], variables: dict[str, str]
) -> None:
    """An undo is safe before the harm and twice after it, and its look tells the truth."""
    harm, undo, present = (f"{name}.yml" for name in fault)
    before = play(lab.environment(), tmp_path, undo, **variables)
    clean = play(lab.environment(), tmp_path, present, **variables)
    harmed = play(lab.environment(), tmp_path, harm, **variables)
    seen = play(lab.environment(), tmp_path, present, **variables)
    undone = [play(lab.environment(), tmp_path, undo, **variables) for _ in range(2)]
    gone = play(lab.environment(), tmp_path, present, **variables)

    assert [one.ok for one in (before, clean, harmed)] == [True] * 3, harmed.detail
    assert all(checks_of(harmed).values()), checks_of(harmed)
    assert not seen.ok
    assert [one.ok for one in (*undone, gone)] == [True] * 3, gone.detail


@pytest.mark.parametrize(
    "word", ["histogram", "trace", pytest.param("logs", marks=pytest.mark.full)]
)
def test_what_the_service_says_agrees_with_what_is_seen(
    components: dict[str, Any], tmp_path: Path, word: str
) -> None:
    """Percentiles, one request's way, and the log: each has its checks."""
    done, checks = act(components, tmp_path, "observe.py", word, replica="ledger-amber")

    assert done.returncode == 0, done.stderr
    assert len(checks) >= 3
    assert all(checks.values()), (tmp_path / "checks.json").read_text()


@pytest.mark.full
def test_a_broken_ledger_is_noticed_by_the_checks_of_the_playbooks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each check that a drill of these playbooks relies on, seen red for the right defect."""
    broken = [
        *("no-request-id", "logs-bodies", "log-level-ignored", "ready-while-draining"),
        *("hides-version", "shared-cache-keys"),
    ]
    monkeypatch.setenv("FIREPROOF_LAB_DEFECTS", ",".join(broken))
    amber = {"replica": "ledger-amber"}
    with small_lab("switch") as broken_lab:
        environment = broken_lab.environment()
        parts = environment["components"]
        seen: dict[str, bool] = {}
        for script, word, more in (
            ("observe.py", "trace", {}),
            ("observe.py", "logs", amber),
            ("drain.py", "drain", amber),
            ("drain.py", "start", amber),
            ("deploy.py", "prepare", {"version": "v2"}),
            ("deploy.py", "switch", {"version": "v2"}),
            ("verify_deployment.py", "verify", {"version": "v2"}),
        ):
            outputs = tmp_path / f"{script}-{word}"
            outputs.mkdir()
            if script == "verify_deployment.py":
                url = parts["switch"]["url"]
                for _ in range(3):
                    httpx.get(f"{url}/v1/deployment/events/1")
            done, checks = act(parts, outputs, script, word, **more)
            assert done.returncode == 0, (script, word, done.stderr)
            seen |= checks

    assert environment["record"]["defects"] == ",".join(sorted(broken))
    red = {name for name, ok in seen.items() if not ok}
    assert red == {
        "id-in-answer",
        "id-in-audit-log",
        "id-in-log-of-service",
        "no-body-in-log",
        "log-level-filters",
        "readiness-turns-first",
        "served-version",
        "no-stale-cache-entry",
    }
