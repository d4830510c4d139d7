"""A certificate authority of one run: trust limited to it ends with the lab's folder."""

from __future__ import annotations

import datetime
import ipaddress
import os
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_SKEW = datetime.timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Authority:
    """Its key and certificate."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @staticmethod
    def make(name: str, valid_for_s: float = 30 * 86400) -> Authority:
        """A new one, unrelated to any other."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _name(name)
        builder = _builder(subject, subject, key.public_key(), valid_for_s)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        builder = builder.add_extension(_usage(is_ca=True), True)
        builder = builder.add_extension(
            x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False
        )
        return Authority(key, builder.sign(key, hashes.SHA256()))

    @staticmethod
    def load(folder: Path) -> Authority:
        """The one that ``save`` wrote there."""
        key = serialization.load_pem_private_key((folder / "ca-key.pem").read_bytes(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ValueError(f"{folder}: the authority's key is of another kind")
        return Authority(key, x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes()))

    def save(self, folder: Path) -> Path:
        """Certificate and key into the folder; returns the certificate's path."""
        _write(folder / "ca-key.pem", _pem(self.key), 0o600)
        _write(folder / "ca.pem", self.pem(), 0o644)
        return folder / "ca.pem"

    def pem(self) -> bytes:
        """The certificate, for those who shall trust it."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def issue(
        self,
        path: Path,
        names: list[str],
        *,
        valid_for_s: float = 86400.0,
        for_client: bool = False,
    ) -> Path:
        """Certificate and key of a server (or client), in one file, so that replacing it is atomic.

        Args:
            path: the file, mode 0600.
            names: DNS names or addresses it stands for.
            valid_for_s: from now; a negative one is expired from the start.
            for_client: it opens connections instead of taking them.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _name(names[0])
        issuer = self.certificate.subject
        builder = _builder(subject, issuer, key.public_key(), valid_for_s)
        kind = ExtendedKeyUsageOID.CLIENT_AUTH if for_client else ExtendedKeyUsageOID.SERVER_AUTH
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        builder = builder.add_extension(_usage(is_ca=False), True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([kind]), False)
        builder = builder.add_extension(x509.SubjectAlternativeName(_alternatives(names)), False)
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), False
        )
        certificate = builder.sign(self.key, hashes.SHA256())
        text = certificate.public_bytes(serialization.Encoding.PEM) + _pem(key)
        _write(path, text, 0o600)
        return path


def expires_at(path: Path) -> datetime.datetime:
    """When the first certificate in the file ends (UTC)."""
    return x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc


def _builder(
    subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey, valid_for_s: float
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    ends = now + datetime.timedelta(seconds=valid_for_s)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(now, ends) - _SKEW)
        .not_valid_after(ends)
    )


def _usage(*, is_ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_ca,
        crl_sign=is_ca,
        encipher_only=False,
        decipher_only=False,
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _alternatives(names: list[str]) -> list[x509.GeneralName]:
    found: list[x509.GeneralName] = []
    for name in names:
        try:
            found.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            found.append(x509.DNSName(name))
    return found


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _write(path: Path, content: bytes, mode: int) -> None:
    """Whole or not at all, and never readable by others for an instant."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(fresh, path)
