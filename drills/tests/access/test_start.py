"""What a production ledger refuses to start with: it ends, and its port never opens."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from clients import fact

ENDS_WITHIN_S = 5.0
TOOK_S: list[float] = []  # of every attempt that ended
REQUIRED = (
    "LEDGER_AUTH",
    "LEDGER_JWKS_URL",
    "LEDGER_JWT_ISSUER",
    "LEDGER_JWT_AUDIENCE",
    "LEDGER_DSN_FILE",
    "LEDGER_RATE_TIERS",
    "LEDGER_LIMITER_URL",
    "LEDGER_TLS_CERT",
    "LEDGER_MTLS_CA",
    "LEDGER_EVENT_SECRET_FILE",
)
POLICIES = ("off", "lenient", "strict")


def attempt(*words: str) -> dict[str, Any]:
    """What became of a copy on ports of its own: exit, listened, took_s, problems."""
    argv = [fact("ledger-secure", "attempt"), "--within", "20", *words]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=40, check=False)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def told(found: dict[str, Any]) -> str:
    """The attempt as evidence: no value of a setting stands in it."""
    # Two rules may name the same variable.
    named = ", ".join(dict.fromkeys(line.partition(":")[0] for line in found["problems"]))
    port = "port opened" if found["listened"] else "port never opened"
    return f"exit {found['exit']}, {port}, {named or 'no problem'}"


@pytest.fixture
def refused(compare: Callable[..., None]) -> Callable[..., None]:
    """It ends with 78 before its port opens, and names the variable."""

    def look(variable: str, *words: str) -> None:
        found = attempt(*words)
        compare(told(found), f"exit 78, port never opened, {variable}")
        TOOK_S.append(found["took_s"])

    return look


def test_with_all_its_settings_it_starts(compare: Callable[..., None]) -> None:
    """Else every refusal below could have another reason."""
    compare(attempt()["listened"], True)


@pytest.mark.parametrize("variable", REQUIRED)
def test_it_does_not_start_without(variable: str, refused: Callable[..., None]) -> None:
    """Each in turn."""
    named = "LEDGER_DSN" if variable == "LEDGER_DSN_FILE" else variable
    refused(named, "--without", variable)


def test_no_environment_quietly_has_weaker_authentication(
    compare: Callable[..., None],
) -> None:
    """Environment and policy: production starts with strict alone."""
    found = {policy: attempt("--set", f"LEDGER_AUTH={policy}")["listened"] for policy in POLICIES}
    development = attempt("--set", "LEDGER_PROFILE=development", "--set", "LEDGER_AUTH=lenient")
    found["development lenient"] = development["listened"]

    compare(found, {"off": False, "lenient": False, "strict": True, "development lenient": True})


def test_it_does_not_start_with_an_http_url(refused: Callable[..., None]) -> None:
    """Keys that arrive over plain HTTP are anybody's keys."""
    refused("LEDGER_JWKS_URL", "--set", "LEDGER_JWKS_URL=http://127.0.0.1:1/jwks.json")


def test_it_does_not_start_without_its_key(refused: Callable[..., None]) -> None:
    refused("LEDGER_TLS_KEY", "--set", "LEDGER_TLS_KEY=/nowhere.pem")


def test_it_does_not_start_with_another_pairs_key(refused: Callable[..., None]) -> None:
    refused("LEDGER_TLS_KEY", "--set", f"LEDGER_TLS_KEY={fact('ledger-secure', 'client')}")


def test_it_does_not_start_with_a_key_that_others_can_read(
    tmp_path: Path, refused: Callable[..., None]
) -> None:
    """A copy: the real one is never made readable."""
    readable = tmp_path / "readable.pem"
    shutil.copy(fact("ledger-secure", "certificate"), readable)
    readable.chmod(0o644)

    refused("LEDGER_TLS_KEY", "--set", f"LEDGER_TLS_KEY={readable}")


def test_it_ends_in_time(at_most: Callable[..., None]) -> None:
    """The median of the attempts above: whoever deploys must not wait for a failure."""
    assert len(TOOK_S) >= len(REQUIRED)
    at_most(sorted(TOOK_S)[len(TOOK_S) // 2], ENDS_WITHIN_S, "s")
