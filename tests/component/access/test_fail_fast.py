"""What a production ledger refuses to start with."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.component
REQUIRED = (
    "LEDGER_DSN_FILE",
    "LEDGER_AUTH",
    "LEDGER_JWKS_URL",
    "LEDGER_JWT_ISSUER",
    "LEDGER_JWT_AUDIENCE",
    "LEDGER_RATE_TIERS",
    "LEDGER_LIMITER_URL",
    "LEDGER_TLS_CERT",
    "LEDGER_TLS_KEY",
    "LEDGER_MTLS_CA",
    "LEDGER_MTLS_CLIENTS",
    "LEDGER_EVENT_SECRET_FILE",
)


def attempt(components: dict[str, Any], *words: str) -> tuple[int, dict[str, Any]]:
    done = subprocess.run(
        [components["ledger-secure"]["attempt"], *words],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return done.returncode, json.loads(done.stdout)


def refused(components: dict[str, Any], variable: str, *words: str) -> None:
    status, found = attempt(components, *words)

    assert status == 0, found
    assert found["exit"] == 78
    assert not found["listened"]
    assert found["took_s"] < 5
    assert any(line.startswith(f"{variable}: ") for line in found["problems"]), found


def test_with_all_its_settings_it_starts(components: dict[str, Any]) -> None:
    """Else every refusal below could have another reason."""
    status, found = attempt(components)

    assert status == 1
    assert found["listened"]


@pytest.mark.full
@pytest.mark.parametrize("variable", REQUIRED)
def test_it_does_not_start_without(components: dict[str, Any], variable: str) -> None:
    """Each required variable in turn."""
    name = "LEDGER_DSN" if variable == "LEDGER_DSN_FILE" else variable
    refused(components, name, "--without", variable)


def test_it_does_not_start_with_an_http_url(components: dict[str, Any]) -> None:
    """Keys that arrive over plain HTTP are anybody's keys."""
    url = "http://127.0.0.1:1/jwks.json"
    refused(components, "LEDGER_JWKS_URL", "--set", f"LEDGER_JWKS_URL={url}")


@pytest.mark.full
def test_it_does_not_start_with_tls_files_that_cannot_serve(
    components: dict[str, Any], tmp_path: Path
) -> None:
    """A missing key, another pair's, one that everybody can read."""
    secure = components["ledger-secure"]
    readable = tmp_path / "readable.pem"
    shutil.copy(secure["certificate"], readable)
    readable.chmod(0o644)

    refused(components, "LEDGER_TLS_KEY", "--set", "LEDGER_TLS_KEY=/nowhere.pem")
    refused(components, "LEDGER_TLS_KEY", "--set", f"LEDGER_TLS_KEY={secure['client']}")
    refused(components, "LEDGER_TLS_KEY", "--set", f"LEDGER_TLS_KEY={readable}")


@pytest.mark.full
def test_it_does_not_start_with_the_memory_driver_or_weak_authentication(
    components: dict[str, Any],
) -> None:
    """Production never quietly has less than it says."""
    refused(components, "LEDGER_STORAGE", "--set", "LEDGER_STORAGE=memory")
    for policy in ("off", "lenient"):
        refused(components, "LEDGER_AUTH", "--set", f"LEDGER_AUTH={policy}")
