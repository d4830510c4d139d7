"""What deploy, rollback and verification share: the switch, its replicas, what is served."""

from __future__ import annotations

import collections
import http.client
import json
import os
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from archive import Stop, last_words, run

ANSWER_WITHIN_S = 5.0
SWITCHED_WITHIN_S = 15.0
IN_A_ROW = 20  # answers that must agree before the traffic counts as moved
STARTS_WITHIN_S = 10
TENANT = "deployment"  # whose events prove that a replica writes and reads


class NotMoved(Stop):
    """The switch goes on sending clients elsewhere."""


class Deployment:
    """The lab's switch, the replicas behind it and what they share."""

    def __init__(self, wanted: dict[str, Any]) -> None:
        components = wanted["components"]
        self.switch: dict[str, Any] = components["switch"]
        self.database: dict[str, Any] = components["ledger-db"]
        self.cache: dict[str, Any] = components["cache-store"]
        names = self.switch["replicas"].split()
        self.replicas: dict[str, dict[str, Any]] = {
            name: components[name] for name in names if name in components
        }
        self.version = str(wanted.get("version", ""))
        self.releases: dict[str, Any] = json.loads(
            Path(__file__).with_name("releases.json").read_text("utf-8")
        )

    # -- what is

    def in_service(self) -> list[str]:
        """Names in the slot file."""
        return Path(self.switch["slot"]).read_text("utf-8").split()

    def idle(self) -> str:
        """The first replica that serves nobody."""
        busy = self.in_service()
        found = next((name for name in self.replicas if name not in busy), None)
        if found is None:
            raise Stop(
                f"every replica is in service ({', '.join(busy)}); none is free to deploy to"
            )
        return found

    def state(self) -> dict[str, Any] | None:
        """What the last deployment wrote down."""
        try:
            found: dict[str, Any] = json.loads(Path(self.switch["state"]).read_text("utf-8"))
        except FileNotFoundError:
            return None
        return found

    def note(self, state: dict[str, Any]) -> None:
        """Durable before anything moves, so that a rollback finds its way whoever died."""
        path = Path(self.switch["state"])
        fresh = path.with_name(path.name + ".new")
        with fresh.open("w", encoding="utf-8") as file:
            json.dump(state, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, path)

    def about(self, url: str) -> dict[str, Any]:
        """Version, instance and schema revision that ``url`` serves."""
        status, _, body = ask_http(url, "GET", "/version")
        if status != 200:
            raise Stop(f"{url}/version answers {status}: {body[:200]!r}")
        found: dict[str, Any] = json.loads(body)
        return found

    def served(self, count: int) -> collections.Counter[tuple[str, str]]:
        """Instance and version of so many answers of the switch, by their headers."""
        found: collections.Counter[tuple[str, str]] = collections.Counter()
        for _ in range(count):
            status, headers, _ = ask_http(self.switch["url"], "GET", "/version")
            if status != 200:
                raise Stop(f"the switch answers {status}")
            found[(headers["x-ledger-instance"], headers["x-ledger-version"])] += 1
        return found

    def schema(self) -> dict[str, Any]:
        """Revision and digest of the database's schema."""
        found: dict[str, Any] = json.loads(run([self.database["migrate"], "show"], "migrate show"))
        return found

    # -- what is done

    def migrate(self, way: str, revision: str | None) -> dict[str, Any]:
        """The schema there; without a revision, the trunk's newest."""
        argv = [self.database["migrate"], way, *(["--to", revision] if revision else [])]
        found: dict[str, Any] = json.loads(run(argv, f"migrate {way}"))
        return found

    def start(self, name: str, version: str) -> None:
        """The replica, ready, as that version; one that runs as another is ended first."""
        argv = [self.switch["ctl"], "start", name, f"version={version}"]
        argv += [f"within={STARTS_WITHIN_S}"]
        done = subprocess.run(argv, capture_output=True, text=True, errors="replace", check=False)
        if done.returncode != 0:
            first = (done.stderr.splitlines() or ["no words"])[0]
            raise Stop(f"{name} does not become {version}: {first}")

    def put_in_service(self, *names: str) -> None:
        """Move the traffic: first old and new, and once the new ones answer, only they. At no
        moment is nobody in service.
        """
        unknown = [name for name in names if name not in self.replicas]
        if unknown or not names:
            known = ", ".join(self.replicas)
            raise Stop(f"to: expected some of {known}, got {' '.join(names) or 'nothing'!r}")
        self.write_slot([*(each for each in self.in_service() if each not in names), *names])
        self._until(lambda seen: set(names) <= {one for one, _ in seen}, "the new ones join")
        self.write_slot(names)
        self._until(lambda seen: {one for one, _ in seen} == set(names), "the new ones alone")

    def write_slot(self, names: Sequence[str]) -> None:
        """Who is in service, at once; ``put_in_service`` takes care of clients."""
        run([self.switch["set-slot"], *names], "the slot file")

    def _until(self, good: Callable[[Any], bool], what: str) -> None:
        give_up_at = time.monotonic() + SWITCHED_WITHIN_S
        while not good(seen := self.served(IN_A_ROW)):
            if time.monotonic() > give_up_at:
                raise NotMoved(f"the switch never showed {what}; it shows {dict(seen)}")
            time.sleep(0.05)

    def redis(self) -> Any:
        """A client of the cache."""
        from redis import Redis

        password = Path(self.cache["password-file"]).read_text("utf-8").strip()
        return Redis.from_url(self.cache["url"], password=password, socket_timeout=ANSWER_WITHIN_S)

    def foreign_keys(self, version: str) -> list[bytes]:
        """Cache entries that this version did not write."""
        own = f"{version}:".encode()
        return [key for key in self.redis().scan_iter(count=1000) if not key.startswith(own)]

    def psql(self, sql: str) -> str:
        """What the database itself says."""
        argv = [str(Path(self.database["bin"]) / "psql"), "-XAtq", "-v", "ON_ERROR_STOP=1"]
        return run([*argv, self.database["dsn"], "-c", sql], "psql").strip()


def ask_http(
    url: str,
    act: str,
    path: str,
    content: Any = None,
    headers: Mapping[str, str] | None = None,
) -> tuple[int, dict[str, str], str]:
    """Status, headers by lower-case name, body; a connection of its own each time."""
    line = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=ANSWER_WITHIN_S)
    try:
        line.request(act, path, content and json.dumps(content), dict(headers or {}))
        answer = line.getresponse()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, found, answer.read().decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as err:
        raise Stop(f"{url}{path}: {last_words(str(err))}") from err
    finally:
        line.close()
