"""What is served now, looked at from outside: version, schema, cache."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from archive import Checks, Stop, obey
from deployment import Deployment, ask_http

ANSWERS = 50
EVENTS = 20
_SAMPLE = """
SELECT json_build_array(tenant, seq, digest) FROM events
WHERE seq > (SELECT coalesce(max(seq), 0) FROM events) - 200 ORDER BY random() LIMIT 20
"""


def verify(wanted: dict[str, Any], checks: Checks) -> None:
    """Each difference is a check of its own; all are looked at."""
    deployment = Deployment(wanted)
    version = deployment.version
    if version not in deployment.releases:
        raise Stop(f"version: expected one of {', '.join(deployment.releases)}, got {version!r}")
    seen = {found for _, found in deployment.served(ANSWERS)}
    said = deployment.about(deployment.switch["url"])["version"]
    checks.add(
        "served-version",
        seen == {version} and said == version,
        f"{version} in {ANSWERS} of {ANSWERS} answers",
        f"{', '.join(sorted(seen))} by header, {said} by /version",
    )
    revision = deployment.schema()["revision"]
    release = deployment.releases[version]["revision"]
    # A release without a revision of its own runs on the trunk, whose names begin with a number.
    fits = revision == release if release else str(revision)[:1].isdigit()
    checks.add("schema-version", fits, release or "the trunk's newest", str(revision))
    foreign = deployment.foreign_keys(version)
    checks.add(
        "no-stale-cache-entry",
        not foreign,
        f"only entries of {version}",
        f"{len(foreign)} others" + (f", such as {foreign[0].decode()!r}" if foreign else ""),
    )
    rows = [json.loads(line) for line in deployment.psql(_SAMPLE).splitlines()]
    wrong = [row for row in rows for _ in range(2) if not _same(deployment, *row)]
    checks.add(
        "answers-equal-database",
        not wrong if rows else None,
        f"{len(rows)} events read twice through the switch as the database holds them",
        f"{len(wrong)} differ" if rows else "no event to compare",
    )


def tell_apart(wanted: dict[str, Any], checks: Checks) -> None:
    """By the header of its answers."""
    deployment = Deployment(wanted)
    seen = ", ".join(sorted({found for _, found in deployment.served(ANSWERS)}))
    version = deployment.version
    checks.add(f"{version}-is-told-apart", seen == version, f"{version} by header", seen)


def _same(deployment: Deployment, tenant: str, seq: int, digest: str) -> bool:
    status, _, body = ask_http(deployment.switch["url"], "GET", f"/v1/{tenant}/events/{seq}")
    if status != 200:
        return False
    event = json.loads(body)
    return isinstance(event, dict) and event.get("digest") == digest


ACTS = {"verify": verify, "tell-apart": tell_apart}


if __name__ == "__main__":
    obey(ACTS[sys.argv[1]])
