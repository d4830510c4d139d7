"""Rules of the settings that guard the service: what must be there, and what may not be so."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from proving_ground.ledger import defects

if TYPE_CHECKING:
    from proving_ground.ledger.settings import Settings

_JWT = ("jwks_url", "jwt_issuer", "jwt_audience")


def authentication_is_whole(settings: Settings) -> list[str]:
    """Half an authentication is none."""
    if settings.auth == "off":
        return []
    return _missing(settings, _JWT)


def tls_files_can_serve(settings: Settings) -> list[str]:
    """Files that cannot serve are told now, not at the first handshake."""
    problems: list[str] = []
    if bool(settings.tls_cert) != bool(settings.tls_key):
        lone = "LEDGER_TLS_KEY" if settings.tls_cert else "LEDGER_TLS_CERT"
        return [f"{lone}: is required beside its other half"]
    if settings.mtls_port and not settings.tls_cert:
        problems.append("LEDGER_TLS_CERT: is required by LEDGER_MTLS_PORT")
    if settings.mtls_port:
        problems += _missing(settings, ("mtls_ca", "mtls_clients"))
    if not settings.tls_cert:
        return problems
    from proving_ground.ledger.tls import file_problems

    variables = {"cert": "LEDGER_TLS_CERT", "key": "LEDGER_TLS_KEY", "ca": "LEDGER_MTLS_CA"}
    authority = Path(settings.mtls_ca) if settings.mtls_ca else None
    for line in file_problems(Path(settings.tls_cert), Path(settings.tls_key), authority):
        role, _, words = line.partition(": ")
        problems.append(f"{variables[role]}: {words}")
    return problems


def secret_file_holds_secrets(settings: Settings) -> list[str]:
    """Signatures that are asked for can be checked."""
    if settings.event_signatures == "off":
        return []
    if not settings.event_secret_file:
        return ["LEDGER_EVENT_SECRET_FILE: is required by LEDGER_EVENT_SIGNATURES"]
    from proving_ground.ledger.shared_secret import read_secrets

    try:
        read_secrets(Path(settings.event_secret_file))
    except OSError as err:
        return [f"LEDGER_EVENT_SECRET_FILE: cannot be read: {err.strerror}"]
    except ValueError as err:
        return [f"LEDGER_EVENT_SECRET_FILE: {err}"]
    return []


def tiers_are_limits(settings: Settings) -> list[str]:
    """The text of the tiers can be read."""
    try:
        parse_tiers(settings.rate_tiers)
    except ValueError as err:
        return [f"LEDGER_RATE_TIERS: {err}"]
    if settings.limiter_url and not settings.rate_tiers:
        return ["LEDGER_RATE_TIERS: is required by LEDGER_LIMITER_URL"]
    return []


def dsn_file_can_be_read(settings: Settings) -> list[str]:
    """It is read once more at every rotation; the first time is now."""
    if not settings.dsn_file:
        return []
    try:
        text = Path(settings.dsn_file).read_text("utf-8").strip()
    except OSError as err:
        return [f"LEDGER_DSN_FILE: cannot be read: {err.strerror}"]
    except ValueError:
        return ["LEDGER_DSN_FILE: is not the name of a text file"]
    if settings.dsn:
        return ["LEDGER_DSN_FILE: stands beside LEDGER_DSN; give one of them"]
    return [] if text else ["LEDGER_DSN_FILE: is empty"]


def production_is_strict(settings: Settings) -> list[str]:
    """No environment quietly has weaker authentication than another."""
    problems: list[str] = []
    if not defects.on("start-without-auth"):
        if settings.auth != "strict":
            problems.append("LEDGER_AUTH: expected strict in production")
        problems += _missing(settings, _JWT)
    problems += _missing(settings, ("tls_cert", "tls_key", "rate_tiers"))
    if not defects.on("start-without-limiter"):
        problems += _missing(settings, ("limiter_url",))
    if settings.storage == "memory":
        problems.append("LEDGER_STORAGE: memory forgets everything at a restart; use postgres")
    return problems


def urls_are_https(settings: Settings) -> list[str]:
    """Whatever is called is called over TLS."""
    if defects.on("accept-http-urls"):
        return []
    values = settings.model_dump()
    return [
        f"LEDGER_{name.upper()}: names an http:// URL; production calls https:// only"
        for name, value in values.items()
        if isinstance(value, str) and re.search(r"(^|[\s=])http://", value.lower())
    ]


RULES = [
    authentication_is_whole,
    tls_files_can_serve,
    secret_file_holds_secrets,
    tiers_are_limits,
    dsn_file_can_be_read,
]
PRODUCTION_RULES = [production_is_strict, urls_are_https]


def parse_tiers(text: str) -> dict[str, int]:
    """``free=20,standard=200`` as limits by tier; empty text: none.

    Raises:
        ValueError: it says something else.
    """
    found: dict[str, int] = {}
    for word in filter(None, (part.strip() for part in text.split(","))):
        name, _, limit = word.partition("=")
        if not name or not limit.isascii() or not limit.isdigit() or not int(limit[:9]):
            raise ValueError("expected such as free=20,standard=200")
        found[name] = int(limit)
    if found and "standard" not in found:
        raise ValueError("the tier standard is missing; tokens without a tier have it")
    return found


def _missing(settings: Settings, names: tuple[str, ...]) -> list[str]:
    return [f"LEDGER_{name.upper()}: is required" for name in names if not getattr(settings, name)]
