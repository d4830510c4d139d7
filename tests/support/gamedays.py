"""Game days of tiny drills: two that break nothing and one that kills the service."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from support.scenario import Ran, Scenario

WAIT = {"smoke": "10ms", "full": "30s"}


class GameDays:
    """Writes drills and game days into a scenario, and runs them."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        scenario.others = {"other": {"kind": "http", "url": f"http://127.0.0.1:{scenario.port}"}}
        self.write("looks", ["tiny"])
        # Asks nothing of the service, which `kills` takes away beside it.
        space = {"check": "disk-free", "at-least": "1kB", "title": "it answers"}
        self.write("watches", ["other"], params={"wait": WAIT}, verify=[space])
        kills = scenario.drill() | {"drill": "kills", "baseline": {"for": "200ms"}}
        scenario.write(kills)

    def write(self, name: str, components: list[str], **more: Any) -> None:
        """A drill that asks once, and holds when the answer is the param ``status``."""
        answers = {"http": "{tiny.url}/", "status": "{param.status}", "timeout": "5s"}
        drill = {
            "drill": name,
            "title": f"{name} and breaks nothing",
            "owner": "platform-team",
            "kind": "component",
            "cadence": "P7D",
            "components": components,
            "hypothesis": "It answers.",
            "params": {"status": 200, "wait": WAIT},
            "objectives": {"answers": {"checks": ["it answers"], "covers": [161, 125]}},
            "baseline": {"for": "{param.wait}"},
            "verify": [answers | {"title": "it answers"}],
        }
        self.scenario.write(drill | more)

    def file(self, *drills: Any, rules: dict[str, Any] | None = None) -> str:
        """A game-day file of these drills; its path."""
        folder = self.scenario.project / "drills" / "gamedays"
        folder.mkdir(exist_ok=True)
        body = {"gameday": "day", "title": "A day", "profile": "smoke", "drills": list(drills)}
        (folder / "day.yaml").write_text(yaml.safe_dump(body | (rules or {}), sort_keys=False))
        return "drills/gamedays/day.yaml"

    def call(
        self, *drills: Any, words: tuple[str, ...] = (), rules: dict[str, Any] | None = None
    ) -> Ran:
        file = self.file(*drills, rules=rules)
        return self.scenario.wait(self.scenario.call(["gameday", file, "-e", "desk.yaml", *words]))

    def bundle(self) -> Path:
        """The game day's bundle."""
        found = [path for path in self.bundles() if self.is_day(path)]
        assert len(found) == 1, found
        return found[0]

    def bundles(self) -> list[Path]:
        return sorted(self.scenario.evidence.glob("bundles/*/*/*"))

    @staticmethod
    def is_day(bundle: Path) -> bool:
        return "gameday" in json.loads((bundle / "plan.json").read_text())

    def judgement(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.bundle() / "run.json").read_text())["judgement"]
        return found

    def ends(self) -> dict[str, tuple[str | None, int | None]]:
        """Outcome and code of each drill, as the game day's bundle says."""
        drills = self.judgement()["drills"]
        return {drill["name"]: (drill["outcome"], drill["exit_code"]) for drill in drills}
