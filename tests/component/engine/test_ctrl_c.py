"""Ctrl-C in a real terminal: once stops and reverts, twice asks, three times abandons."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.scenario import Scenario
from support.terminal import CTRL_C, Terminal

pytestmark = pytest.mark.component


class Held(Scenario):
    """The service is not started again for as long as ``hold`` is there: an undo that hangs."""

    @property
    def hold(self) -> Path:
        return self.service / "hold"

    def environment(self) -> dict[str, Any]:
        body = super().environment()
        waits = f'while [ -e "{self.hold}" ]; do sleep 0.05; done; exec "$@"'
        start = ["sh", "-c", waits, "sh", *self.ctl("start")]
        body["components"]["tiny"]["control"]["start"] = start
        return body

    def undoing(self) -> list[bytes]:
        """Command lines of undos that still wait."""
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                found.append(path.read_bytes())
        return [line for line in found if str(self.hold).encode() in line]

    def drill(self) -> dict[str, Any]:
        return super().drill() | {"recover": [{"process": ["sleep", "30"], "timeout": "60s"}]}

    def gameday(self) -> list[str]:
        """Two drills, the second of which would take a second."""
        self.write(Scenario.drill(self) | {"drill": "second"})
        self.write()
        place = self.project / "drills" / "gamedays" / "day.yaml"
        place.parent.mkdir()
        body = {"gameday": "day", "title": "A day", "drills": ["tiny", "second"]}
        place.write_text(yaml.safe_dump(body))
        return ["gameday", str(place), "-e", "desk.yaml"]


@pytest.fixture
def scenario(tmp_path: Path) -> Iterator[Held]:
    found = Held(tmp_path)
    yield found
    found.hold.unlink(missing_ok=True)
    found.close()


def broken(scenario: Held, words: list[str]) -> Terminal:
    """A run at a terminal, just after its fault, whose undo will hang."""
    scenario.hold.touch()
    terminal = Terminal(words, scenario)
    scenario.wait_for_record("injected")
    return terminal


FULL = pytest.mark.full


@pytest.mark.parametrize("what", ["run", pytest.param("gameday", marks=FULL)])
def test_once_stops_and_reverts(scenario: Held, what: str) -> None:
    """A game day passes on what the terminal has told the run already: still one press."""
    terminal = broken(scenario, scenario.write() if what == "run" else scenario.gameday())
    scenario.hold.unlink()

    terminal.type(CTRL_C)
    code = terminal.end()

    assert code == 130, terminal.seen
    assert terminal.seen.count("what was broken is being undone (Ctrl-C again asks)") == 1
    assert "End it now?" not in terminal.seen
    assert "ABORTED" in terminal.seen
    assert scenario.answers()
    journals = scenario.evidence.glob("bundles/*/*/*/data/journal.jsonl")
    harms = [path.read_text().count('"kind":"injected"') for path in journals]
    assert sum(harms) == 1, "no other drill may begin"


@FULL
def test_twice_asks_and_no_is_the_default(scenario: Held) -> None:
    """An impatient hand may not leave the database down."""
    terminal = broken(scenario, scenario.write())
    terminal.type(CTRL_C)
    terminal.wait_for("being undone")

    terminal.type(CTRL_C)
    terminal.wait_for("this stays broken:\n  kill tiny (component tiny)\nEnd it now? [y/N]")
    terminal.type("\n")
    terminal.wait_for("no; going on with the undo")
    terminal.type(CTRL_C)  # said no, and presses again: asked again
    terminal.wait_for("End it now?", times=2)
    scenario.hold.unlink()
    code = terminal.end()

    assert code == 130, terminal.seen
    assert "ABANDONED" not in terminal.seen
    assert scenario.answers()


@pytest.mark.parametrize(
    "how",
    [
        pytest.param("yes", marks=FULL),
        "three times",
        pytest.param("a game day", marks=FULL),
    ],
)
def test_abandoned_is_loud_and_stays_in_quarantine_until_recovered(
    scenario: Held, how: str
) -> None:
    """Exit 4, the command to type, and nobody drills a broken component meanwhile."""
    words = scenario.gameday() if how == "a game day" else scenario.write()
    terminal = broken(scenario, words)
    terminal.type(CTRL_C)
    terminal.wait_for("being undone")
    terminal.type(CTRL_C)
    terminal.wait_for("End it now?")

    terminal.type("yes\n" if how == "yes" else CTRL_C)
    code = terminal.end()

    assert code == 4, terminal.seen
    folder = next(scenario.evidence.glob("runs/*/abandoned.json")).parent
    assert not scenario.undoing()
    assert "THIS MAY STILL BE BROKEN:\n  kill tiny (component tiny)" in terminal.seen
    assert f"{scenario.service} start" in terminal.seen, "the command to run by hand"
    assert f"fireproof recover {folder}" in terminal.seen
    assert not scenario.answers()
    scenario.hold.unlink()
    refused = scenario.wait(scenario.call(scenario.write()))
    assert refused.code == 3, refused.stderr
    assert "in quarantine" in refused.stderr
    assert f"fireproof recover {folder}" in refused.stderr
    recovered = scenario.wait(scenario.call(["recover"]))
    # 7 when three presses came so fast that the run could not record the first.
    assert (recovered.code in (7, 130), recovered.outcome) == (True, "aborted"), recovered.stderr
    assert scenario.answers()
    assert scenario.verify(recovered.bundle) == 0
    again = scenario.wait(scenario.call(scenario.write(Scenario.drill(scenario))))
    assert again.code == 0, again.stderr


@FULL
def test_a_recovery_after_a_killed_runner_can_be_abandoned_too(scenario: Held) -> None:
    """The undo that hangs is then the fresh process's."""
    terminal = broken(scenario, scenario.write())
    os.kill(scenario.wait_for_record("open")["data"]["pid"], signal.SIGKILL)
    scenario.wait_for_record("revert-begin")

    for text in ("being undone", "End it now?", "ABANDONED"):
        terminal.type(CTRL_C)
        terminal.wait_for(text)

    assert terminal.end() == 4
    assert not scenario.undoing(), "an undo that goes on beside the person who took over"


@FULL
def test_without_a_terminal_the_second_signal_says_how(scenario: Held) -> None:
    """A service manager sends signals and answers no questions."""
    scenario.hold.touch()
    child = subprocess.Popen(
        [sys.executable, "-m", "fireproof", *scenario.write()],
        cwd=scenario.project,
        env=scenario.environ,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    scenario.wait_for_record("injected")
    assert child.stderr is not None
    seen = ""
    for text in ("being undone", "a third SIGINT ends it", "ABANDONED"):
        child.send_signal(signal.SIGINT)
        while text not in seen:
            line = child.stderr.readline()
            assert line, seen
            seen += line
    _, rest = child.communicate(timeout=30)

    assert child.returncode == 4, seen + rest
