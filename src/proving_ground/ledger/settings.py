"""Everything the service reads from its environment, checked at once before the port opens."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from proving_ground.ledger import access_rules
from proving_ground.merkle.note import ORIGIN, load_public_key

BAD_CONFIGURATION = 78  # EX_CONFIG of sysexits.h
_PREFIX = "LEDGER_"


class Settings(BaseModel):
    """One field for each variable: ``dsn`` is ``LEDGER_DSN``. The descriptions are its table."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    profile: Literal["development", "production"] = Field(
        "development", description="production turns on every rule below that names it"
    )
    # -- the database
    dsn: str = Field("", description="where events are kept; names a passfile, not a password")
    dsn_file: str = Field(
        "",
        description="holds the DSN instead and is read again when it changes: login roles rotate",
    )
    storage: Literal["postgres", "memory"] = Field(
        "postgres", description="memory forgets at a restart and is refused in production"
    )
    # -- callers
    auth: Literal["off", "lenient", "strict"] = Field(
        "off",
        description="strict: tokens name their key; lenient: the only key will do; "
        "off: the path's tenant is believed. Production takes strict alone",
    )
    jwks_url: str = Field("", description="the key set of the identity provider")
    jwks_ca: str = Field("", description="authority that its certificate is trusted by")
    jwks_ttl_s: float = Field(
        300.0, gt=0, description="how long keys are believed, and so a retired one at most"
    )
    jwks_cooldown_s: float = Field(
        2.0, ge=0, description="unknown kids make the key set be read at most this often"
    )
    jwt_issuer: str = Field("", description="tokens of others are refused")
    jwt_audience: str = Field("", description="tokens for others are refused")
    # -- how much
    rate_tiers: str = Field(
        "", description="requests per window of each tier, such as free=20,standard=200; empty: all"
    )
    rate_window_s: float = Field(10.0, gt=0, description="a bucket fills within this time")
    rate_fallback: Literal["local", "closed"] = Field(
        "local", description="while the shared store is away: limit each instance alone, or refuse"
    )
    limiter_url: str = Field("", description="Redis that all instances share; empty: each alone")
    limiter_password_file: str = Field("", description="file that holds its password")
    # -- listeners
    tls_cert: str = Field("", description="certificate chain; a changed one is served at once")
    tls_key: str = Field("", description="its key, mode 0600; may be the same file")
    mtls_port: int = Field(0, ge=0, le=65535, description="second listener, for named clients")
    mtls_ca: str = Field("", description="authority of the clients' certificates")
    mtls_clients: str = Field("", description="their DNS names, with commas")
    # -- signed requests
    event_signatures: Literal["off", "optional", "required"] = Field(
        "off", description="whether requests that write carry x-ledger-signature"
    )
    event_secret_file: str = Field(
        "", description="current secret, and below it the previous one while it still counts"
    )
    # -- the pool
    pool_size: int = Field(10, ge=1, le=100, description="connections at the most")
    pool_waiting: int = Field(
        100, ge=1, le=10_000, description="requests that may wait for one; more are refused at once"
    )
    pool_wait_ms: int = Field(
        100, ge=1, le=10_000, description="how long such a request waits before it is refused"
    )
    # -- the cache
    cache_url: str = Field(
        "", pattern=r"^(rediss?://.*)?$", description="redis://host:port/0; empty: no cache"
    )
    cache_password_file: str = Field("", description="file that holds the cache's password")
    # -- the replica
    version: Literal["v1", "v2", "v3"] = Field("v1", description="what it is; see versions.py")
    slot: str = Field("", description="file that names the replicas in service; empty: always")
    drain_ms: int = Field(
        0, ge=0, le=60_000, description="after SIGTERM: how long it serves on while not ready"
    )
    # -- events
    idempotency_window_s: int = Field(
        86_400, ge=1, description="how long a key may be sent again for the same answer"
    )
    max_in_flight: int = Field(
        256, ge=1, le=10_000, description="requests under /v1/ at a time; more are answered 503"
    )
    # -- the Merkle engine
    engine_url: str = Field("", description="where proofs come from; empty: no proofs here")
    engine_key_file: str = Field("", description="public key of its checkpoints, PEM")
    engine_origin: str = Field(ORIGIN, description="name of the log in its checkpoints")
    engine_timeout_ms: int = Field(300, ge=1, le=60_000, description="wait for one attempt")
    # -- dependencies
    breaker_failures: int = Field(
        5, ge=1, description="failures in a row that open the breaker of a dependency"
    )
    breaker_reset_ms: int = Field(
        1_000, ge=1, description="how long an open breaker waits before it lets a probe through"
    )
    retry_attempts: int = Field(3, ge=1, le=10, description="attempts for one request, at most")
    notify_urls: str = Field(
        "", description="providers of notices in their order: NAME=URL, separated by spaces"
    )
    notify_timeout_ms: int = Field(500, ge=2, le=60_000, description="wait for one provider")
    # -- the process
    instance: str = Field("ledger", pattern=r"^[a-z0-9-]+$", description="its name in logs")
    log_file: str = Field(
        "", description="log there instead of standard output; may be renamed at any time"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="lines below it are not written"
    )


def _database_is_named(settings: Settings) -> list[str]:
    if settings.dsn or settings.dsn_file or settings.storage == "memory":
        return []
    return ["LEDGER_DSN: is required"]


def _password_in_file(settings: Settings) -> list[str]:
    if "password=" in settings.dsn:
        return ["LEDGER_DSN: holds a password; name a file with passfile= instead"]
    return []


def _engine_is_believable(settings: Settings) -> list[str]:
    if not settings.engine_url:
        return []
    problems = []
    if settings.storage == "memory":
        problems.append("LEDGER_ENGINE_URL: the engine reads the database, and memory is none")
    if not settings.engine_url.startswith(("http://", "https://")):
        problems.append("LEDGER_ENGINE_URL: expected a URL, such as http://127.0.0.1:8081")
    try:
        load_public_key(Path(settings.engine_key_file))
    except ValueError as err:
        problems.append(f"LEDGER_ENGINE_KEY_FILE: {err}")
    return problems


def _providers_are_named(settings: Settings) -> list[str]:
    words = settings.notify_urls.split()
    if all(re.fullmatch(r"[a-z0-9-]+=https?://\S+", word) for word in words):
        return []
    return ["LEDGER_NOTIFY_URLS: expected NAME=URL, separated by spaces"]


# Rules across settings: each gives its problems as "VARIABLE: what is wrong and the next move".
RULES = [
    _database_is_named,
    _engine_is_believable,
    _providers_are_named,
    *access_rules.RULES,
]
PRODUCTION_RULES = [_password_in_file, *access_rules.PRODUCTION_RULES]


def variable(field: str) -> str:
    """Name in the environment."""
    return _PREFIX + field.upper()


def load_settings(environ: Mapping[str, str] | None = None) -> Settings | list[str]:
    """The settings, or every problem there is; values are never repeated, one may be a secret."""
    found = os.environ if environ is None else environ
    values = {
        name[len(_PREFIX) :].lower(): value
        for name, value in found.items()
        if name.startswith(_PREFIX)
    }
    problems: list[str] = []
    try:
        settings = Settings.model_validate(values)
    except ValidationError as err:
        problems = [_problem(one) for one in err.errors(include_input=False)]
        wrong = {str(one["loc"][0]) for one in err.errors(include_input=False)}
        kept = {name: value for name, value in values.items() if name not in wrong}
        settings = Settings.model_validate(kept)  # so that the rules below are asked all the same
    rules = [*RULES, *(PRODUCTION_RULES if settings.profile == "production" else [])]
    told = {line.partition(":")[0] for line in problems}
    more = [line for rule in rules for line in rule(settings)]
    problems += [line for line in more if line.partition(":")[0] not in told]
    return problems or settings


def _problem(error: Any) -> str:
    name = str(error["loc"][0])
    if error["type"] == "extra_forbidden":
        # A misspelt variable would be a rule that silently does not hold.
        near = difflib.get_close_matches(name, Settings.model_fields, 1)
        hint = f"; did you mean {variable(near[0])}?" if near else ""
        return f"{variable(name)}: is not a setting{hint}"
    text = str(error["msg"])
    return f"{variable(name)}: {text[:1].lower()}{text[1:]}"
