"""References become values, or a refusal that says whose move it is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fireproof.errors import EnvironmentRefusal, EvidenceError
from fireproof.model.environment import Environment, Reference
from fireproof.secrets import Keeper, read_reference
from fireproof.secrets.keeper import secret_parts


def _environment(**texts: str) -> Environment:
    body = {"kind": "http", **{key.replace("_", "-"): text for key, text in texts.items()}}
    return Environment.model_validate(
        {"environment": "shop", "class": "other", "components": {"api": body}}
    )


def test_a_variable_and_a_file_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Editors end a file with a line break that is no part of the password."""
    monkeypatch.setenv("SHOP_TOKEN", "from-the-environment")
    (tmp_path / "token").write_text("from-a-file\n")

    assert read_reference(Reference("env", "SHOP_TOKEN"), tmp_path) == "from-the-environment"
    assert read_reference(Reference("file", "token"), tmp_path) == "from-a-file"


def test_what_gives_no_value_is_refused_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty password would be tried on a real system."""
    monkeypatch.setenv("EMPTY", "")
    monkeypatch.delenv("MISSING", raising=False)
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    os.mkfifo(tmp_path / "pipe")
    told = []

    for scheme, place in [
        ("env", "MISSING"),
        ("env", "EMPTY"),
        ("file", "nowhere"),
        ("file", "bytes"),
        ("file", "pipe"),
    ]:
        with pytest.raises(EnvironmentRefusal) as caught:
            read_reference(Reference(scheme, place), tmp_path)
        told.append(str(caught.value))

    assert told == [
        "env:MISSING: the variable is not set; export it first",
        "env:EMPTY: expected a value, got nothing",
        f"file:nowhere: no such file or directory; expected a file at {tmp_path}/nowhere",
        "file:bytes: expected UTF-8 text",
        "file:pipe: is not a regular file",
    ]


def test_every_unusable_reference_is_named_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One run of the command a mistake is one too many at night."""
    monkeypatch.delenv("MISSING", raising=False)
    monkeypatch.setenv("SHORT", "tiny")
    keeper = Keeper(_environment(token="env:MISSING", other_token="env:SHORT"), tmp_path)

    with pytest.raises(EnvironmentRefusal) as caught:
        keeper.reveal()

    first, second = str(caught.value).splitlines()
    assert first.startswith("components.api.token: env:MISSING: the variable is not set")
    assert "components.api.other-token: env:SHORT: a secret of fewer than 8 characters" in second
    assert "tiny" not in second


def test_texts_are_put_together_in_memory_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A DSN may name its password without holding it."""
    monkeypatch.setenv("DB_PASSWORD", "hunter2-hunter2")
    environment = _environment(dsn="host=db password={api.password}", password="env:DB_PASSWORD")

    revealed = Keeper(environment, tmp_path).reveal()

    assert revealed.component("api").get("dsn") == "host=db password=hunter2-hunter2"
    assert "hunter2" not in environment.model_dump_json()
    assert environment.is_secret("api", "dsn")
    assert not environment.is_secret("api", "kind")


@pytest.mark.parametrize(
    ("value", "secret"),
    [
        ("s3cr3t-token", ["s3cr3t-token"]),
        ("http://127.0.0.1:8080/readyz", []),
        ("postgresql://app:p%40ssw0rd@db/shop", ["p%40ssw0rd", "p@ssw0rd"]),
        (r"host=db port=5432 user=app password='it\'s long'", ["it's long"]),
        ("host=db port=5432 user=app password=hunter2", ["hunter2"]),
        ("host=db port=5432 user=app", []),
        ("https://h/services/T00000000/XXXXXXXXXXXXXXXXXXXX", None),
        ("https://api/?token=abcdefgh", ["abcdefgh"]),
        ("https://token@api/", None),
    ],
)
def test_an_address_is_no_secret_and_its_password_is(value: str, secret: list[str] | None) -> None:
    """Logs without any address help nobody; a web hook's address is its own key."""
    assert list(secret_parts(value)) == ([value] if secret is None else secret)


def test_a_plan_that_holds_a_secret_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plan is signed and shown to auditors for years."""
    monkeypatch.setenv("SHOP_TOKEN", "platform-team")
    keeper = Keeper(_environment(token="env:SHOP_TOKEN"), tmp_path)
    keeper.reveal()

    with pytest.raises(EnvironmentRefusal, match="word for word") as caught:
        keeper.refuse_in_the_open(b'{"owner":"platform-team"}')

    assert "platform-team" not in str(caught.value)
    keeper.refuse_in_the_open(b'{"owner":"somebody"}')


def test_records_are_not_sealed_unscanned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A recovery without the variable cannot look for what it does not know."""
    monkeypatch.delenv("SHOP_TOKEN", raising=False)

    with pytest.raises(EvidenceError, match="env:SHOP_TOKEN: the variable is not set"):
        _ = Keeper(_environment(token="env:SHOP_TOKEN"), tmp_path).needles
