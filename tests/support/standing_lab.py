"""What stands in a lab: one line a fact, to be compared before a drill and after it.

Facts are found by what a component says of itself, not by its name. What a rotation rightly
changes is told by what holds of it: one key signs, one secret counts, one role logs in.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fireproof.errors import FireproofError
from fireproof.processes import descendants
from proving_ground import ctl
from proving_ground.lab import Lab
from proving_ground.providers import postgres

_STANDING = {
    "follows": "SELECT pg_is_in_recovery()::text",
    "waits for": "SELECT current_setting('synchronous_standby_names')",
    "databases": "SELECT datname FROM pg_database",
    "roles": "SELECT rolname FROM pg_roles",
    "logins": "SELECT count(*)::text FROM pg_roles WHERE rolcanlogin",
    "slots": "SELECT slot_name FROM pg_replication_slots WHERE NOT temporary",
    "revision": "SELECT version_num FROM alembic_version",
    "columns": "SELECT table_name || '.' || column_name || ' ' || data_type "
    "FROM information_schema.columns WHERE table_schema = 'public'",
}
SETTLES_WITHIN_S = 60.0  # readiness, breakers and tokens come back by themselves
_ASK_S = 5.0
Says = Mapping[str, Any]


def standing(lab: Lab) -> dict[str, str]:
    """Every fact, as ``component: fact``; without the data directory that is served from."""
    facts = json.loads((lab.root / "lab.json").read_text("utf-8"))
    found = {"lab: " + fact: value for fact, value in _files(lab).items()}
    servers = ctl.ask(str(lab.root), {"act": "status"}, _ASK_S)["servers"]
    for name, server in servers.items():
        found |= {f"{name}: {fact}": value for fact, value in _server(server).items()}
    for name, says in facts["environment"]["components"].items():
        runs = servers.get(name, {}).get("pid") is not None
        for look in LOOKS if runs else ():
            found |= {f"{name}: {fact}": value for fact, value in look(says).items()}
    return found


def differences(before: Mapping[str, str], lab: Lab, *, within_s: float) -> list[str]:
    """What is not as it was, once it had the time to become so again."""
    give_up_at = time.monotonic() + within_s
    while wrong := _compare(before, lab):
        if time.monotonic() > give_up_at:
            break
        time.sleep(0.5)
    return wrong


def serving_from(lab: Lab) -> str:
    """The data directory of the database; "" in a lab without one."""
    with contextlib.suppress(OSError, ValueError, KeyError):
        told = (lab.folder.run / "ledger-db.params").read_text("utf-8")
        return str(json.loads(told)["data-directory"])
    return ""


def _compare(before: Mapping[str, str], lab: Lab) -> list[str]:
    try:
        now = standing(lab)
    except (FireproofError, OSError, ValueError, KeyError) as err:
        return [f"the lab cannot be looked at: {err!r}"]
    return [
        f"{fact}: was {before.get(fact, 'not there')}, is {now.get(fact, 'not there')}"
        for fact in sorted({*before, *now})
        if before.get(fact) != now.get(fact)
    ]


def _files(lab: Lab) -> dict[str, str]:
    """Names of secrets, scripts and servers; the specs of the servers, too."""
    found = {}
    for folder in (lab.folder.secrets, lab.folder.bin, lab.folder.servers):
        names = sorted(str(path.relative_to(lab.root)) for path in folder.rglob("*"))
        found[folder.name] = " ".join(names)
    specs = b"".join(path.read_bytes() for path in sorted(lab.folder.servers.glob("*.json")))
    return found | {"server specs": hashlib.sha256(specs).hexdigest()[:16]}


def _server(server: Says) -> dict[str, str]:
    """As the supervisor tells it, and whether any process of it stands still."""
    params = {key: text for key, text in server["params"].items() if key != "data-directory"}
    pid = server["pid"]
    still = [each for each in (pid, *descendants(pid)) if _is_stopped(each)] if pid else []
    return {
        "runs": "yes" if pid else "no",
        "is ready": "yes" if server["ready"] else "no",
        "settings": json.dumps(params, sort_keys=True) if pid else "",
        "stands still": "yes" if still else "no",
    }


def _is_stopped(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
    return False


def _web(says: Says) -> dict[str, str]:
    """Its answers; of one that takes events, whether a new one is taken and read back."""
    if not str(says.get("url", "")).startswith("http"):
        return {}
    found = {path: _told(_ask(says, path)) for path in ("/healthz", "/readyz", "/version")}
    key = str(time.monotonic_ns())
    status, body = _ask(says, "/v1/after-the-kill/events", {"key": key, "body": "still here?"})
    if status == 201:
        read = _ask(says, f"/v1/after-the-kill/events/{json.loads(body)['seq']}")[1]
        found["a write"] = "taken and read" if key in read else f"read as {read[:80]!r}"
    return {**found, "answers a write": _told((status, body))}


def _links(says: Says) -> dict[str, str]:
    if says["kind"] != "tcp-proxy":
        return {}
    proxies = json.loads(_ask({**says, "url": says["api"]}, "/proxies")[1])
    return {"toxics": " ".join(one["name"] for each in proxies.values() for one in each["toxics"])}


def _traffic(says: Says) -> dict[str, str]:
    """Where a switch sends its clients, and whether a deployment is noted."""
    if "slot" not in says or "admin" not in says:
        return {}
    return {
        "slot": Path(says["slot"]).read_text("utf-8").strip(),
        "serves": _ask(says, "/version")[1],
        "configuration": _digest(_ask({**says, "url": says["admin"]}, "/config/")[1]),
        "deployment": "noted" if Path(says["state"]).exists() else "none",
    }


def _database(says: Says) -> dict[str, str]:
    """Schema, roles, databases, slots, settings that were changed while it ran."""
    if "admin-dsn" not in says:
        return {}

    return {fact: _listed(says["admin-dsn"], query) for fact, query in _STANDING.items()}


def _login(says: Says) -> dict[str, str]:
    """Of a service with login roles in turn: one of them works, by the file that it reads."""
    if "logins" not in says:
        return {}
    dsn = Path(says["dsn-file"]).read_text("utf-8")
    try:
        works = "works" if postgres.ask(dsn, "SELECT 1") else "answers nothing"
    except Exception as err:  # whatever a driver says of it
        works = f"is refused: {err}"
    return {"login": works, "passwords": str(len(Path(says["passfile"]).read_text().splitlines()))}


def _secrets(says: Says) -> dict[str, str]:
    """Of secrets that rotate, how many count; of certificates, whether they hold for long."""
    found = {}
    if "event-secret-file" in says:
        found["secrets"] = str(len(Path(says["event-secret-file"]).read_text("ascii").split()))
    if "certificate" in says:
        argv = ["openssl", "x509", "-checkend", "3600", "-noout", "-in", says["certificate"]]
        young = subprocess.run(argv, capture_output=True, check=False).returncode == 0
        found["certificate"] = "holds" if young else "ends within the hour"
    if "identity-ctl" in says:
        argv = [says["identity-ctl"], "keys"]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        states = json.loads(done.stdout)["keys"].values() if done.returncode == 0 else ["?"]
        found["keys"] = " ".join(sorted(state for state in states if state != "retired"))
    return found


def _cache(says: Says) -> dict[str, str]:
    """A store answers; what it holds was written by the version that a lab at rest serves."""
    if says["kind"] != "redis":
        return {}
    from redis import Redis, RedisError

    password = Path(says["password-file"]).read_text("utf-8").strip()
    try:
        with Redis.from_url(says["url"], password=password, socket_timeout=_ASK_S) as store:
            keys = [key.decode("utf-8", "replace") for key in store.scan_iter(count=1000)]
    except RedisError as err:
        return {"answers": f"no: {err}"}
    foreign = sorted({key.partition(":")[0] for key in keys if key.startswith("v")} - {"v1"})
    return {"answers": "yes", "entries of other versions": " ".join(foreign)}


def _archive(says: Says) -> dict[str, str]:
    """Of a bucket: every backup in it is whole."""
    if says["kind"] != "s3":
        return {}
    argv = [says["rclone"], "--config", says["rclone-config"], "lsf", "--recursive", "--files-only"]
    done = subprocess.run(
        [*argv, f"{says['remote']}/base"], capture_output=True, text=True, check=True, timeout=30
    )
    objects = [line.partition("/") for line in done.stdout.splitlines()]
    whole = {name for name, _, path in objects if path == "backup.json"}
    return {"partial backups": " ".join(sorted({name for name, _, _ in objects} - whole))}


LOOKS: tuple[Callable[[Says], dict[str, str]], ...] = (
    *(_web, _links, _traffic, _database, _login, _secrets, _cache, _archive),
)


def _ask(says: Says, path: str, content: Any = None) -> tuple[int, str]:
    """Status and body; 0 and why when there is no answer."""
    trust = ssl.create_default_context(cafile=says["ca"]) if "ca" in says else None
    data = None if content is None else json.dumps(content).encode()
    asked = urllib.request.Request(  # noqa: S310 - the lab's own address
        says["url"] + path, data, {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(asked, timeout=_ASK_S, context=trust) as answer:  # noqa: S310
            return answer.status, answer.read().decode("utf-8", "replace")
    except urllib.error.HTTPError as err:
        with err:
            return err.code, err.read().decode("utf-8", "replace")
    except OSError as err:
        return 0, str(err)


def _told(answer: tuple[int, str]) -> str:
    """The status; of one that says that the server is at fault, why."""
    status, body = answer
    return f"{status} {body[:200]}" if status == 0 or status >= 500 else str(status)


def _listed(dsn: str, query: str) -> str:
    """All rows of one column, in order."""
    rows = f"SELECT string_agg(x, ' ' ORDER BY x) FROM ({query}) rows(x)"
    return postgres.ask(dsn, rows)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
