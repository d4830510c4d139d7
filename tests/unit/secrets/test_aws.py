"""AWS Secrets Manager, as moto plays it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from fireproof.errors import EnvironmentRefusal
from fireproof.model.environment import Environment, Reference, parse_reference
from fireproof.secrets import Keeper, read_reference

HERE = Path()


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with mock_aws():
        yield boto3.client("secretsmanager")


def test_a_whole_secret_and_one_key_of_it_are_read(manager: Any) -> None:
    """The console stores pairs as JSON; a DSN needs one of them."""
    manager.create_secret(Name="shop/token", SecretString="a-whole-secret")
    manager.create_secret(Name="shop/db", SecretString='{"password": "one-of-them", "port": 5432}')

    assert read_reference(Reference("aws-sm", "shop/token"), HERE) == "a-whole-secret"
    assert read_reference(Reference("aws-sm", "shop/db#password"), HERE) == "one-of-them"
    assert read_reference(Reference("aws-sm", "shop/db#port"), HERE) == "5432"


def test_an_arn_is_a_name_too(manager: Any) -> None:
    """Colons in it are not a scheme of ours."""
    arn = manager.create_secret(Name="shop/token", SecretString="a-whole-secret")["ARN"]
    reference = parse_reference(f"aws-sm:{arn}")

    assert reference is not None
    assert read_reference(reference, HERE) == "a-whole-secret"


def test_what_gives_no_value_is_refused_without_its_content(manager: Any) -> None:
    """The refusal goes to a terminal and a CI log."""
    manager.create_secret(Name="bytes", SecretBinary=b"\x00\x01")
    manager.create_secret(Name="text", SecretString="hunter2-hunter2")
    told = []

    for place in ("nowhere", "bytes", "text#password"):
        with pytest.raises(EnvironmentRefusal) as caught:
            read_reference(Reference("aws-sm", place), HERE)
        told.append(str(caught.value))

    assert told == [
        "aws-sm:nowhere: AWS Secrets Manager says ResourceNotFoundException",
        "aws-sm:bytes: expected text, got a binary secret",
        "aws-sm:text#password: expected a JSON object with the key 'password'",
    ]


def test_a_component_takes_its_value_from_there(manager: Any, tmp_path: Path) -> None:
    """One secret that two keys refer to is asked for once, and guarded once."""
    manager.create_secret(Name="shop/token", SecretString="a-whole-secret")
    body = {"kind": "http", "token": "aws-sm:shop/token", "bearer": "Bearer {api.token}"}
    environment = Environment.model_validate(
        {"environment": "shop", "class": "other", "components": {"api": body}}
    )
    keeper = Keeper(environment, tmp_path)

    assert keeper.reveal().component("api").get("bearer") == "Bearer a-whole-secret"
    assert keeper.redact({"said": ["a-whole-secret"]}) == {"said": ["[redacted]"]}


def test_without_credentials_the_refusal_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own error is a traceback of forty lines."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))

    with pytest.raises(EnvironmentRefusal, match="aws-sm:x: NoCredentialsError: Unable to locate"):
        read_reference(Reference("aws-sm", "x"), HERE)
