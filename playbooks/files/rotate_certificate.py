"""A new certificate in the place of the old one, and on every listener."""

from __future__ import annotations

import hashlib
import socket
import ssl
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from archive import Checks, obey, run

SERVED_WITHIN_S = 10.0


def rotate(wanted: dict[str, Any], checks: Checks) -> None:
    """Issue, replace in one step, wait until each listener serves it."""
    service = wanted["service"]
    path = Path(service["certificate"])
    listeners = {"https": int(service["port"]), "mtls": int(service["mtls-port"])}
    before = fingerprint(path)
    argv = [service["issue"], "--to", str(path), "--for-s", str(float(wanted["valid_for_s"]))]
    for name in service["names"].split():
        argv += ["--name", name]
    said = run(argv, "issuing the certificate")
    after = fingerprint(path)
    checks.must("certificate-new", after != before, f"another one than {before[:16]}", after[:16])
    for name, port in listeners.items():
        give_up_at = time.monotonic() + SERVED_WITHIN_S
        while (seen := served(port, service)) != after and time.monotonic() < give_up_at:
            time.sleep(0.05)
        checks.must(f"certificate-served:{name}", seen == after, after[:16], seen[:16] or "none")
    checks.save(said.strip())


def fingerprint(path: Path) -> str:
    """Of the first certificate in the file."""
    text = path.read_text("ascii")
    begin = text.index("-----BEGIN CERTIFICATE-----")
    end = text.index("-----END CERTIFICATE-----") + len("-----END CERTIFICATE-----")
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(text[begin:end])).hexdigest()


def served(port: int, service: dict[str, str]) -> str:
    """Fingerprint of what the listener shows to a client who trusts the authority."""
    trust = ssl.create_default_context(cafile=service["ca"])
    trust.load_cert_chain(service["client"])
    try:
        with (
            socket.create_connection(("127.0.0.1", port), timeout=5) as line,
            trust.wrap_socket(line, server_hostname="ledger.test") as tls,
        ):
            return hashlib.sha256(tls.getpeercert(binary_form=True) or b"").hexdigest()
    except OSError:
        return ""


if __name__ == "__main__":
    obey(rotate)
