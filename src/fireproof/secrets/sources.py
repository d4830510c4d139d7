"""Reads what a reference stands for: a variable, a file, an entry of AWS Secrets Manager.

The value goes to the caller's memory and nowhere else; what goes wrong is said without it.
"""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

from fireproof.errors import EnvironmentRefusal
from fireproof.model.environment import Reference

MAX_BYTES = 64 * 1024  # a certificate chain fits; a whole disk does not
_TIMEOUT_S = 10


def read_reference(reference: Reference, project: Path) -> str:
    """The value, without the line break at its end.

    Raises:
        EnvironmentRefusal: when there is none; the text names the place and never the value.
    """
    if reference.scheme == "env":
        value = os.environ.get(reference.place)
        if value is None:
            raise EnvironmentRefusal(f"{reference}: the variable is not set; export it first")
    elif reference.scheme == "file":
        value = _file(reference, project)
    else:
        value = _aws(reference)
    value = value.rstrip("\r\n")
    if not value:
        raise EnvironmentRefusal(f"{reference}: expected a value, got nothing")
    if "\0" in value:
        raise EnvironmentRefusal(f"{reference}: expected text, got a NUL byte")
    return value


def _file(reference: Reference, project: Path) -> str:
    path = project / Path(reference.place).expanduser()
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(fd, "rb") as file:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise EnvironmentRefusal(f"{reference}: is not a regular file")
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise EnvironmentRefusal(f"{reference}: expected at most {MAX_BYTES} bytes, got more")
        return data.decode("utf-8")
    except OSError as err:
        why = (err.strerror or "cannot be read").lower()
        raise EnvironmentRefusal(f"{reference}: {why}; expected a file at {path}") from err
    except UnicodeDecodeError:
        raise EnvironmentRefusal(f"{reference}: expected UTF-8 text") from None


def _aws(reference: Reference) -> str:
    name, _, key = reference.place.partition("#")
    try:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError as err:
        raise EnvironmentRefusal(
            f"{reference}: needs boto3; install it with: pip install 'fireproof[aws]'"
        ) from err
    limits = Config(
        connect_timeout=_TIMEOUT_S, read_timeout=_TIMEOUT_S, retries={"total_max_attempts": 2}
    )
    try:
        found = boto3.client("secretsmanager", config=limits).get_secret_value(SecretId=name)
    except ClientError as err:
        code = err.response.get("Error", {}).get("Code", "refused")
        raise EnvironmentRefusal(f"{reference}: AWS Secrets Manager says {code}") from None
    except (BotoCoreError, ValueError) as err:
        raise EnvironmentRefusal(f"{reference}: {type(err).__name__}: {err}") from None
    text = found.get("SecretString")
    if not isinstance(text, str):
        raise EnvironmentRefusal(f"{reference}: expected text, got a binary secret")
    if not key:
        return text
    try:
        entries = json.loads(text)
        value = entries[key]
    except (ValueError, KeyError, TypeError):
        raise EnvironmentRefusal(
            f"{reference}: expected a JSON object with the key {key!r}"
        ) from None
    return value if isinstance(value, str) else json.dumps(value)
