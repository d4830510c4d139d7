"""The control of every switch: the same configuration in a switch of its own, moved by reloads."""

from __future__ import annotations

import http.client
import itertools
import json
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from archive import Checks, Stop, obey
from deployment import Deployment, ask_http
from traffic import configuration, dials

CLIENTS, PAUSE_S = 8, 0.005
RELOADS, SETTLES_S, STARTS_WITHIN_S = 12, 0.4, 10.0


class Clients:
    """Keep their connections, write without pause, and never try again."""

    def __init__(self, url: str) -> None:
        self._place = urllib.parse.urlsplit(url).netloc
        self._over = threading.Event()
        self.answered, self.lost = 0, 0
        self._threads = [threading.Thread(target=self._write) for _ in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(10)

    def _write(self) -> None:
        line = http.client.HTTPConnection(self._place, timeout=5)
        for _ in itertools.count():
            if self._over.wait(PAUSE_S):
                break
            try:
                event = json.dumps({"key": uuid.uuid4().hex, "body": "x"})
                line.request("POST", "/v1/deployment/events", event)
                answer = line.getresponse()
                answer.read()
                self.answered += 1
                self.lost += answer.status >= 400
            except (OSError, http.client.HTTPException):
                self.lost += 1
                line.close()
        line.close()


def control(wanted: dict[str, Any], checks: Checks) -> None:
    """Reload there and back under load until a request is lost; the drill's own switch is left
    alone.
    """
    deployment = Deployment(wanted)
    config = json.loads(Path(deployment.switch["config"]).read_text("utf-8"))
    port, admin = _free_port(), _free_port()
    config["admin"]["listen"] = f"127.0.0.1:{admin}"
    (server,) = config["apps"]["http"]["servers"].values()
    server["listen"] = [f"127.0.0.1:{port}"]
    home, names = deployment.switch["home"], list(deployment.replicas)
    deployment.switch = {**deployment.switch, "admin": f"http://127.0.0.1:{admin}"}
    with tempfile.TemporaryDirectory(prefix=f"fireproof-{wanted['run']}-") as folder:
        path = Path(folder, "caddy.json")
        path.write_text(json.dumps(config), "utf-8")
        argv = [deployment.switch["binary"], "run", "--config", str(path)]
        env = {"HOME": folder, "XDG_DATA_HOME": folder, "XDG_CONFIG_HOME": folder}
        with (
            Path(folder, "log").open("wb") as log,
            subprocess.Popen(argv, stdout=log, stderr=log, env=env) as caddy,
        ):
            try:
                clients, reloads = _reload(deployment, f"http://127.0.0.1:{port}", home, names)
            finally:
                caddy.kill()
    checks.must(
        "no-request-lost",
        clients.lost == 0,
        f"0 of {clients.answered} and more requests",
        f"{clients.lost} lost in {reloads} reloads",
    )


def _reload(deployment: Deployment, url: str, home: str, names: list[str]) -> tuple[Clients, int]:
    _until(lambda: ask_http(url, "GET", "/version")[0] == 200)
    clients, reloads = Clients(url), 0
    try:
        for reloads, to in zip(range(1, RELOADS + 1), itertools.cycle(([home], names))):
            time.sleep(SETTLES_S)
            configuration(deployment, "PATCH", dials(deployment, to))
            if clients.lost and reloads > 1:
                break
    finally:
        clients.end()
    return clients, reloads


def _until(good: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + STARTS_WITHIN_S
    while True:
        try:
            if good():
                return
        except Stop:
            pass
        if time.monotonic() > give_up_at:
            raise Stop(f"the control's own switch does not answer within {STARTS_WITHIN_S:g} s")
        time.sleep(0.05)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


if __name__ == "__main__":
    obey(control)
