"""Rules of a production ledger; and the defects that switch one off."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from proving_ground.authority import Authority
from proving_ground.ledger import defects
from proving_ground.ledger.access_rules import parse_tiers
from proving_ground.ledger.dsn import DsnFile
from proving_ground.ledger.settings import Settings, load_settings, variable


@pytest.fixture(autouse=True)
def _off() -> Iterator[None]:
    yield
    defects._on.clear()


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """Of a whole production ledger."""
    pair = Authority.make("a").issue(tmp_path / "s.pem", ["ledger.test"])
    return {
        "LEDGER_PROFILE": "production",
        "LEDGER_DSN": "host=127.0.0.1 passfile=/nowhere",
        "LEDGER_AUTH": "strict",
        "LEDGER_JWKS_URL": "https://identity.test/jwks.json",
        "LEDGER_JWT_ISSUER": "https://identity.test",
        "LEDGER_JWT_AUDIENCE": "ledger",
        "LEDGER_RATE_TIERS": "standard=200",
        "LEDGER_LIMITER_URL": "redis://127.0.0.1:1/0",
        "LEDGER_TLS_CERT": str(pair),
        "LEDGER_TLS_KEY": str(pair),
    }


def named(environ: dict[str, str]) -> set[str]:
    """Variables that have a problem."""
    found = load_settings(environ)
    return set() if isinstance(found, Settings) else {line.partition(":")[0] for line in found}


def test_a_whole_configuration_has_no_problem(environ: dict[str, str]) -> None:
    """Else each refusal below could have another reason."""
    assert named(environ) == set()


@pytest.mark.parametrize(
    "missing",
    [
        "LEDGER_DSN",
        "LEDGER_AUTH",
        "LEDGER_JWKS_URL",
        "LEDGER_JWT_ISSUER",
        "LEDGER_JWT_AUDIENCE",
        "LEDGER_RATE_TIERS",
        "LEDGER_LIMITER_URL",
        "LEDGER_TLS_CERT",
        "LEDGER_TLS_KEY",
    ],
)
def test_each_required_variable_is_named_when_it_is_missing(
    environ: dict[str, str], missing: str
) -> None:
    """An operator finds the one, not a stack trace."""
    del environ[missing]

    assert missing in named(environ)


@pytest.mark.parametrize(
    ("changed", "value"),
    [
        ("LEDGER_AUTH", "lenient"),
        ("LEDGER_AUTH", "off"),
        ("LEDGER_STORAGE", "memory"),
        ("LEDGER_JWKS_URL", "http://identity.test/jwks.json"),
        ("LEDGER_JWKS_URL", "HTTP://identity.test/jwks.json"),
        ("LEDGER_NOTIFY_URLS", "one=http://127.0.0.1:1"),
        ("LEDGER_RATE_TIERS", "free=20"),
        ("LEDGER_RATE_TIERS", "standard=none"),
        ("LEDGER_MTLS_PORT", "1234"),
        ("LEDGER_DSN_FILE", "/nowhere"),
    ],
)
def test_a_weaker_production_is_refused(environ: dict[str, str], changed: str, value: str) -> None:
    """No environment quietly has less than another."""
    assert named(environ | {changed: value})


@pytest.mark.parametrize(
    ("defect", "changed"),
    [
        ("start-without-auth", {"LEDGER_AUTH": "off"}),
        ("accept-http-urls", {"LEDGER_JWKS_URL": "http://identity.test/"}),
    ],
)
def test_a_broken_rule_lets_it_start(
    environ: dict[str, str], defect: str, changed: dict[str, str]
) -> None:
    """What the drill of the configuration must notice."""
    assert named(environ | changed)
    defects._on.add(defect)
    assert named(environ | changed) == set()


def test_a_key_that_others_can_read_is_refused_but_for_the_defect(environ: dict[str, str]) -> None:
    """The file's mode is part of the configuration."""
    Path(environ["LEDGER_TLS_KEY"]).chmod(0o644)

    assert named(environ) == {"LEDGER_TLS_KEY"}
    defects._on.add("accept-readable-key")
    assert named(environ) == set()


def test_every_setting_has_a_name_of_its_own() -> None:
    """Rules name variables as text; a misspelt one would send an operator nowhere."""
    source = Path(__file__).parents[3] / "src/proving_ground/ledger/access_rules.py"
    text = source.read_text("utf-8")
    known = {variable(field) for field in Settings.model_fields}
    import re

    assert set(re.findall(r"LEDGER_[A-Z_]+[A-Z]", text)) <= known


def test_proofs_are_not_promised_over_a_driver_that_has_none() -> None:
    """The engine reads the database; what is in memory would never be proved."""
    environ = {"LEDGER_STORAGE": "memory", "LEDGER_ENGINE_URL": "http://127.0.0.1:1"}

    assert "LEDGER_ENGINE_URL" in named(environ)


def test_tiers_are_read_as_they_are_written() -> None:
    """And nothing else is."""
    assert parse_tiers("free=20, standard=200") == {"free": 20, "standard": 200}
    assert parse_tiers("") == {}
    for text in ("standard", "standard=0", "standard=-1", "free=20"):
        with pytest.raises(ValueError, match=r"expected|missing"):
            parse_tiers(text)


@pytest.mark.parametrize(("defect", "moved"), [("", True), ("login-never-renewed", False)])
def test_a_changed_dsn_renews_the_connections_but_for_the_defect(
    tmp_path: Path, defect: str, moved: bool
) -> None:
    """A rotation of the password ends with no session of the old role."""
    import asyncio

    path = tmp_path / "dsn"
    path.write_text("user=a\n", "utf-8")
    dsn = DsnFile(path)
    renewed: list[str] = []

    async def renew() -> None:
        renewed.append(dsn())

    path.write_text("user=b\n", "utf-8")
    if defect:
        defects._on.add(defect)
    found = asyncio.run(dsn.look(renew))

    assert found is moved
    assert renewed == (["user=b"] if moved else [])
