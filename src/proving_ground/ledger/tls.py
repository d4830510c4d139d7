"""TLS of the listeners: files checked before the port opens, renewed without closing it."""

from __future__ import annotations

import datetime
import logging
import ssl
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cryptography import x509
from uvicorn.protocols.http.h11_impl import H11Protocol

from proving_ground.ledger import defects

logger = logging.getLogger("ledger")


def file_problems(certificate: Path, key: Path, authority: Path | None = None) -> list[str]:
    """Why these files cannot serve; empty when they can. Each begins with the word of its role."""
    found: list[str] = []
    for role, path in (("cert", certificate), ("key", key), ("ca", authority)):
        if path is not None and not path.is_file():
            found.append(f"{role}: there is no file {str(path)!r}")
    if found:
        return found
    mode = key.stat().st_mode & 0o777
    if mode & 0o077 and not defects.on("accept-readable-key"):
        found.append(f"key: mode {mode:04o} lets others read it; chmod 600 {str(key)!r}")
    try:
        ends = x509.load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc
        if ends <= datetime.datetime.now(datetime.UTC):
            found.append(f"cert: it expired on {ends:%Y-%m-%d %H:%M} UTC; issue a new one")
    except ValueError:
        found.append(f"cert: {str(certificate)!r} holds no certificate")
        return found
    try:
        _fresh_context(certificate, key)
    except (ssl.SSLError, OSError):
        found.append("key: it does not belong to the certificate; name the pair")
    if authority is not None:
        try:
            ssl.create_default_context(cafile=authority)
        except (ssl.SSLError, OSError):
            found.append(f"ca: {str(authority)!r} holds no certificate")
    return found


def _fresh_context(certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    return context


class Served:
    """One listener's context. A renewed certificate is loaded into it while it serves: handshakes
    under way keep the old one, later ones get the new one, none is dropped.
    """

    def __init__(self, certificate: Path, key: Path, authority: Path | None = None) -> None:
        self._certificate, self._key = certificate, key
        self.context = _fresh_context(certificate, key)
        if authority is not None:
            self.context.load_verify_locations(authority)
            optional = defects.on("client-certificate-optional")
            self.context.verify_mode = ssl.CERT_OPTIONAL if optional else ssl.CERT_REQUIRED
        self._seen = self._mark()
        self._complained = False
        self.not_after = self._ends()

    def look(self) -> bool:
        """Load the files if they changed and fit together; whether that happened."""
        try:
            mark = self._mark()
            if mark == self._seen or defects.on("certificate-never-renewed"):
                return False
            # On trial first: a pair that does not match must not reach the context that serves.
            problems = file_problems(self._certificate, self._key)
        except OSError as err:
            problems = [str(err)]
        if problems:
            if not self._complained:
                self._complained = True
                extra = {"event": "certificate-refused", "detail": "; ".join(problems)}
                logger.error("certificate not renewed", extra=extra)
            return False
        self.context.load_cert_chain(self._certificate, self._key)
        self._seen, self._complained = mark, False
        self.not_after = self._ends()
        extra = {"event": "certificate-renewed", "detail": f"valid to {self.not_after:%FT%TZ}"}
        logger.info("certificate renewed", extra=extra)
        return True

    def _ends(self) -> datetime.datetime:
        return x509.load_pem_x509_certificate(self._certificate.read_bytes()).not_valid_after_utc

    def _mark(self) -> tuple[tuple[int, int], ...]:
        stats = (self._certificate.stat(), self._key.stat())
        return tuple((each.st_mtime_ns, each.st_ino) for each in stats)


def names_of(certificate: dict[str, Any]) -> set[str]:
    """DNS names that a peer's certificate stands for; its common name counts for nothing."""
    return {value for kind, value in certificate.get("subjectAltName", ()) if kind == "DNS"}


def protocol_for(clients: Iterable[str]) -> type[H11Protocol]:
    """HTTP for peers whose certificate names one of these clients; others are hung up on.

    The authority signs servers and other clients too: its signature alone lets in too many.
    """
    wanted = frozenset(clients)

    class NamedClients(H11Protocol):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            peer = transport.get_extra_info("peercert")  # the handshake demands one
            if peer and not names_of(peer) & wanted and not defects.on("any-client-name"):
                extra = {"event": "client-refused", "detail": ",".join(sorted(names_of(peer)))}
                logger.warning("client certificate of a stranger", extra=extra)
                transport.abort()

    return NamedClients
