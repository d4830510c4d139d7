"""The TCP proxy and the faults it carries, on real sockets."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fireproof.errors import EnvironmentRefusal, StepError, UndoError
from fireproof.faults import load_faults
from fireproof.model.ports import StepContext
from support.postgres import free_port
from support.proxy import Proxied, echoing, proxied
from support.scenario import Scenario
from support.steps import step_context

pytestmark = pytest.mark.component

KINDS: dict[str, dict[str, Any]] = {
    "latency": {"delay": "150ms"},
    "stall": {},
    "black-hole": {},
    "throttle": {"rate": "20kB"},
    "reset": {},
}
FAULTS = load_faults(KINDS)


@pytest.fixture
def link() -> Iterator[Proxied]:
    with echoing() as port, proxied(port) as found:
        yield found


def say(line: socket.socket, data: bytes) -> float:
    """Seconds until it came back whole."""
    began = time.monotonic()
    line.sendall(data)
    left = len(data)
    while left:
        part = line.recv(65536)
        if not part:
            raise ConnectionResetError("closed early")
        left -= len(part)
    return time.monotonic() - began


def say_twice(line: socket.socket) -> None:
    """The first write after a reset may still be taken by the kernel."""
    say(line, b"x")
    say(line, b"x")


def test_bytes_go_through_whole_in_both_directions(link: Proxied) -> None:
    """A proxy that harms without being told would be blamed on the service."""
    data = os.urandom(3_000_000)
    with link.connect() as line:
        line.setblocking(False)
        got, sent = bytearray(), 0
        give_up_at = time.monotonic() + 10
        while len(got) < len(data) and time.monotonic() < give_up_at:
            with contextlib.suppress(BlockingIOError):
                sent += line.send(data[sent : sent + 65536])
            with contextlib.suppress(BlockingIOError):
                got += line.recv(65536)
        line.setblocking(True)
        line.shutdown(socket.SHUT_WR)

        assert bytes(got) == data
        assert line.recv(1) == b""


def test_latency_delays_and_its_end_is_felt_at_once(link: Proxied) -> None:
    """The injected delay is what the drill's numbers are compared with."""
    with link.connect() as line:
        assert say(line, b"x") < 0.05
        link.add("latency", attributes={"latency": 120})
        slow = say(line, b"x")
        link.ask("DELETE", "/proxies/link/toxics/latency_downstream")
        fast = say(line, b"x")

    assert 0.12 <= slow < 0.3
    assert fast < 0.05


def test_a_stall_holds_everything_and_loses_nothing(link: Proxied) -> None:
    """A network that comes back delivers what waited."""
    with link.connect() as line:
        link.add("stall", stream="upstream")
        line.sendall(b"hello")
        line.settimeout(0.3)
        with pytest.raises(TimeoutError):
            line.recv(10)
        line.settimeout(5)
        link.ask("DELETE", "/proxies/link/toxics/stall_upstream")

        assert line.recv(10) == b"hello"


def test_a_black_hole_loses_bytes_and_never_pretends_otherwise(link: Proxied) -> None:
    """A stream with a hole in it must not go on as if it were whole."""
    with link.connect() as line, link.connect() as idle:
        assert say(line, b"x") + say(idle, b"x") < 1
        link.add("timeout", stream="upstream")
        line.sendall(b"hello")
        line.settimeout(0.3)
        with pytest.raises(TimeoutError):
            line.recv(10)
        line.settimeout(5)
        link.ask("DELETE", "/proxies/link/toxics/timeout_upstream")
        with pytest.raises(ConnectionResetError):
            line.recv(10)

        assert say(idle, b"x") < 1  # nothing of this one was lost


def test_a_throttle_lets_through_what_it_says(link: Proxied) -> None:
    """Half the promised rate would double the outage it is to show."""
    link.add("bandwidth", attributes={"rate": 100})
    with link.connect() as line:
        took = say(line, bytes(50_000))

    assert 0.45 <= took < 1.0


def test_a_reset_strikes_old_and_new_connections(link: Proxied) -> None:
    """A client sees ECONNRESET, not an orderly end."""
    with link.connect() as line:
        assert say(line, b"x") < 1
        link.add("reset_peer")
        with pytest.raises(ConnectionResetError):
            say_twice(line)
    with pytest.raises(ConnectionResetError), link.connect() as line:
        say_twice(line)


def test_a_toxic_goes_by_itself_when_its_time_is_over(link: Proxied) -> None:
    """Whoever added it may be dead, and the host it ran on too."""
    link.add("stall", expires_ms=300, name="mine")
    with link.connect() as line:
        took = say(line, b"x")

    assert 0.15 < took < 1.0
    assert link.toxics() == []


def test_no_toxic_is_for_ever(link: Proxied) -> None:
    """Toxiproxy's own clients know no expiry; they get one all the same."""
    link.add("latency", attributes={"latency": 1})

    toxic = link.ask("GET", "/proxies/link/toxics/latency_downstream")[1]
    assert 0 < toxic["expires_in_ms"] <= 600_000


def test_proxies_come_and_go_by_the_api_of_toxiproxy(link: Proxied) -> None:
    """Clients that exist already are to work."""
    upstream = link.ask("GET", "/proxies")[1]["link"]["upstream"]
    body = {"name": "other", "listen": "127.0.0.1:0", "upstream": upstream}

    status, made = link.ask("POST", "/proxies", body)

    port = int(made["listen"].rpartition(":")[2])
    assert (status, made["enabled"], made["toxics"]) == (201, True, [])
    with socket.create_connection(("127.0.0.1", port), 5) as line:
        assert say(line, b"x") < 1
        assert link.ask("POST", "/proxies/other", {"enabled": False})[0] == 200
        with pytest.raises(ConnectionError):
            say_twice(line)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 5)
    assert link.ask("DELETE", "/proxies/other")[0] == 204
    assert set(link.ask("GET", "/proxies")[1]) == {"link"}
    link.add("stall")
    assert link.ask("POST", "/reset") == (204, None)
    assert link.toxics() == []


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/proxies/gone/toxics", {"type": "latency"}, 404),
        ("DELETE", "/proxies/link/toxics/gone", None, 404),
        ("POST", "/proxies/link/toxics", {"type": "laser"}, 400),
        ("POST", "/proxies/link/toxics", {"type": "latency", "stream": "sideways"}, 400),
        ("POST", "/proxies/link/toxics", {"type": "latency", "expires_ms": 0}, 400),
        ("POST", "/proxies/link/toxics", {"type": "latency", "toxicity": 2}, 400),
        ("POST", "/proxies/link/toxics", {"type": "latency", "attributes": {"lag": 1}}, 400),
        ("POST", "/proxies/link/toxics", {"type": "bandwidth"}, 400),
        ("POST", "/proxies", {"name": "link", "listen": "127.0.0.1:0", "upstream": "x:1"}, 409),
        ("POST", "/proxies", {"name": "x", "listen": "nowhere", "upstream": "x:1"}, 400),
        ("GET", "/", None, 404),
    ],
)
def test_a_wrong_request_is_told_what_was_expected(
    link: Proxied, method: str, path: str, body: Any, status: int
) -> None:
    """A toxic that was taken for another would be believed to be there."""
    found, said = link.ask(method, path, body)

    assert (found, said["status"]) == (status, status)
    assert said["error"]
    assert link.toxics() == []


def test_a_web_page_cannot_reach_the_api(link: Proxied) -> None:
    """Somebody's browser on the same host must not break their database."""
    body = {"type": "stall"}
    assert link.ask("POST", "/proxies/link/toxics", body, Origin="http://evil.example")[0] == 403
    assert link.ask("POST", "/proxies/link/toxics", body, Host="evil.example")[0] == 403
    assert link.toxics() == []


def test_the_way_through_costs_little(link: Proxied) -> None:
    """Measured each time, bounded loosely here; the number stands in docs/reference/faults.md."""
    direct = int(link.ask("GET", "/proxies/link")[1]["upstream"].rpartition(":")[2])

    def median_us(line: socket.socket) -> float:
        with line:
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return statistics.median(say(line, b"x") for _ in range(1500)) * 1e6

    bare = median_us(socket.create_connection(("127.0.0.1", direct), 5))
    through = median_us(link.connect())
    print(f"round trip: {bare:.0f} µs bare, {through:.0f} µs through, +{through - bare:.0f} µs")

    assert through - bare < 1000


# the faults


def context(api: str, faults: tuple[str, ...] = tuple(KINDS)) -> StepContext:
    component = {"kind": "tcp-proxy", "api": api, "faults": list(faults)}
    return step_context(Path("/tmp"), {"link": component})


def prepared(link: Proxied, kind: str, **more: Any) -> dict[str, Any]:
    params = FAULTS[kind].params.model_validate({kind: "link", **KINDS[kind], **more})
    undo: dict[str, Any] = json.loads(json.dumps(FAULTS[kind].prepare(params, context(link.api))))
    return undo


def bites(link: Proxied) -> bool:
    """Whether a question on a fresh connection is late or lost."""
    try:
        with link.connect(0.1) as line:
            return say(line, bytes(10_000)) > 0.1
    except OSError:
        return True


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_fault_bites_and_its_undo_in_a_bare_process_ends_it(link: Proxied, kind: str) -> None:
    """The guardian's undo has nothing but the record and the standard library."""
    undo, fault = prepared(link, kind), FAULTS[kind]
    assert fault.present(undo, recovered=False) is None
    assert not bites(link)

    fault.apply(undo, context(link.api))

    assert bites(link)
    assert "toxic" in (fault.present(undo, recovered=True) or "")
    program = (
        "import json, sys, time; from fireproof.faults import load_faults;"
        "undo = json.load(sys.stdin); fault = load_faults([undo['kind']])[undo['kind']];"
        "fault.undo(undo, recovered=False, deadline_ns=time.monotonic_ns() + 10**10);"
        "assert fault.present(undo, recovered=False) is None;"
        "assert 'pydantic' not in sys.modules and 'asyncio' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], input=json.dumps(undo), text=True, check=True)
    assert not bites(link)
    assert "no toxic was left" in fault.undo(undo, recovered=True, deadline_ns=0)


def test_a_fault_expires_at_the_proxy(link: Proxied) -> None:
    """Nobody is left to undo it when the host of the runner is lost."""
    undo = prepared(link, "black-hole", expires="400ms")
    FAULTS["black-hole"].apply(undo, context(link.api))
    assert bites(link)
    time.sleep(0.4)

    assert not bites(link)
    assert FAULTS["black-hole"].present(undo, recovered=False) is None


def test_the_command_by_hand_is_whole(link: Proxied) -> None:
    """It is the last line on the screen when everything else has failed."""
    undo = prepared(link, "stall")
    command = FAULTS["stall"].by_hand(undo)

    for toxic in undo["toxics"]:
        assert f"{link.api}/proxies/link/toxics/{toxic['name']}" in command


def test_a_proxy_that_does_not_answer_is_never_taken_for_clean(link: Proxied) -> None:
    """What cannot be asked cannot be said to be gone."""
    undo = prepared(link, "stall")
    link.end()

    assert "does not answer" in (FAULTS["stall"].present(undo, recovered=True) or "")
    with pytest.raises(UndoError, match="does not answer") as caught:
        FAULTS["stall"].undo(undo, recovered=False, deadline_ns=0)
    assert caught.value.command.startswith("curl -X DELETE http://127.0.0.1:")
    with pytest.raises(StepError, match="does not answer"):
        FAULTS["stall"].apply(undo, context(link.api))
    with pytest.raises(UndoError, match="recorded undo"):
        FAULTS["stall"].undo({"kind": "stall", "component": "x"}, recovered=False, deadline_ns=0)


def test_what_cannot_be_harmed_is_refused_before_anything_is_touched(link: Proxied) -> None:
    """No permission, no proxy, another proxy: nothing happens."""
    params = FAULTS["stall"].params.model_validate({"stall": "link"})
    for where, says in (
        (context(link.api, ("latency",)), "does not allow"),
        (context(f"http://127.0.0.1:{free_port()}"), "does not answer"),
        (context("https://127.0.0.1"), "expected http://"),
        (context(""), "no `api`"),
    ):
        with pytest.raises(EnvironmentRefusal, match=says):
            FAULTS["stall"].prepare(params, where)
    assert link.toxics() == []


def test_a_killed_runner_leaves_no_toxic(scenario: Scenario) -> None:
    """The guardian deletes it; nobody waits for the expiry."""
    with proxied(scenario.port) as link:
        scenario.others["link"] = {
            "kind": "tcp-proxy",
            "api": link.api,
            "url": f"http://127.0.0.1:{link.port}",
            "faults": ["stall"],
        }
        drill = scenario.drill()
        drill["components"] = ["link"]
        drill["probes"]["api"]["http"] = "{link.url}/"
        drill["fault"] = [{"stall": "link", "expires": "2m"}]
        drill["recover"] = [{"process": ["sleep", "30"], "timeout": "60s"}]
        child = scenario.start(drill)
        runner = scenario.wait_for_record("open")["data"]["pid"]
        scenario.wait_for_record("injected")
        assert len(link.toxics()) == 2

        os.kill(runner, signal.SIGKILL)
        ran = scenario.wait(child)

        assert (ran.code, ran.outcome) == (7, "aborted"), ran.stderr
        assert link.toxics() == []
        with urllib.request.urlopen(f"http://127.0.0.1:{link.port}/", timeout=2) as answer:
            assert answer.status == 200


def test_a_link_that_recovers_is_measured(scenario: Scenario) -> None:
    """The whole way: harm, seen by the probe, taken away by the recovery, signed."""
    with proxied(scenario.port) as link:
        scenario.others["link"] = {
            "kind": "tcp-proxy",
            "api": link.api,
            "url": f"http://127.0.0.1:{link.port}",
            "faults": ["black-hole"],
        }
        drill = scenario.drill()
        drill["components"] = ["link"]
        drill["probes"]["api"] |= {"http": "{link.url}/", "timeout": "300ms"}
        drill["fault"] = [{"black-hole": "link"}]
        call = (
            f"import urllib.request as u; u.urlopen(u.Request('{link.api}/reset', method='POST'))"
        )
        drill["recover"] = [{"process": [sys.executable, "-c", call], "timeout": "10s"}]
        drill["verify"] = [{"http": "{link.url}/", "status": 200, "timeout": "5s"}]

        ran = scenario.run(drill)

        assert (ran.code, ran.outcome) == (0, "passed"), ran.stderr
        assert scenario.verify(ran.bundle) == 0
