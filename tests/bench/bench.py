"""``make bench``: our times beside a peer's, in one run on one machine, as ratios.

Peers live in venvs of their own below ``.bench/``. Nothing here decides whether a test passes.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parents[2]
PEER = HERE / ".bench" / "chaostoolkit"
PEER_PIN = "chaostoolkit==1.19.0"
TABLE = HERE / "docs" / "reference" / "benchmarks.md"
ROUNDS = 15
BULK_BYTES = 1 << 30

sys.path.insert(0, str(HERE / "tests"))


@dataclass(frozen=True)
class Row:
    what: str
    ours_s: float
    peer: str
    peer_s: float
    budget: float

    def cells(self) -> tuple[str, ...]:
        ratio = self.ours_s / self.peer_s
        word = "within" if ratio <= self.budget else "MISSED"
        ours, peer = f"{self.ours_s * 1000:.1f} ms", f"{self.peer_s * 1000:.1f} ms ({self.peer})"
        return self.what, ours, peer, f"{ratio:.2f}x", f"≤ {self.budget}x", word


def interleaved(
    ours: Callable[[], None], peer: Callable[[], None], rounds: int
) -> tuple[float, float]:
    """Median seconds of both, taken in turns so that a noisy minute hits both."""
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(rounds + 1):
        for index, act in enumerate((ours, peer)):
            start = time.perf_counter()
            act()
            if number:  # the first round warms the caches
                times[index].append(time.perf_counter() - start)
    return statistics.median(times[0]), statistics.median(times[1])


def quiet(argv: list[str], cwd: Path | None = None) -> Callable[[], None]:
    def act() -> None:
        done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"bench: {argv[:4]} exits {done.returncode}: {done.stderr[-2000:]}")

    return act


def peer_tool(name: str) -> str:
    if not (PEER / "bin" / name).exists():
        subprocess.run([sys.executable, "-m", "venv", str(PEER)], check=True)
        pip = [str(PEER / "bin" / "python"), "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, "--disable-pip-version-check", PEER_PIN], check=True)
    return str(PEER / "bin" / name)


def help_row(fireproof: str) -> Row:
    ours, peer = interleaved(
        quiet([fireproof, "--help"]), quiet([peer_tool("chaos"), "--help"]), ROUNDS
    )
    return Row("`fireproof --help`", ours, "chaos --help", peer, 0.5)


def digest_rows() -> list[Row]:
    from fireproof.evidence import read_bag, write_bag

    folder = Path(tempfile.mkdtemp(prefix="fp-bench-", dir="/var/tmp"))
    try:
        (folder / "data").mkdir()
        block = hashlib.sha256(b"bench").digest() * 32768
        names = []
        for number in range(8):
            path = folder / "data" / f"samples-{number}.csv"
            with path.open("wb") as file:
                for _ in range(BULK_BYTES // 8 // len(block)):
                    file.write(block)
            names.append(str(path))
        write_bag(folder, {})
        ours, peer = interleaved(
            lambda: _ignore(read_bag(folder)), quiet(["openssl", "dgst", "-sha256", *names]), 3
        )
        return [Row("verify digests, 1 GiB in 8 files", ours, "openssl dgst", peer, 0.65)]
    finally:
        shutil.rmtree(folder)


def _ignore(value: object) -> None:
    """Results do not matter here."""


def run_row(fireproof: str) -> Row:
    from support.scenario import Scenario

    project = Path(tempfile.mkdtemp(prefix="fp-bench-"))
    experiment = {
        "title": "one step",
        "description": "one process action",
        "method": [
            {
                "type": "action",
                "name": "true",
                "provider": {"type": "process", "path": "true", "arguments": ""},
            }
        ],
    }
    (project / "experiment.json").write_text(json.dumps(experiment))
    scenario = Scenario(project)
    try:
        drill = scenario.drill()
        drill |= {"probes": {}, "baseline": {"for": "0s"}, "recover": []}
        drill["objectives"] = {"one": {"checks": ["exit-code"]}}
        drill["fault"] = [{"pause": "tiny"}]
        drill["verify"] = [{"process": ["true"], "timeout": "5s"}]
        words = scenario.write(drill)
        ours, peer = interleaved(
            lambda: _ignore(scenario.wait(scenario.call(words))),
            quiet([peer_tool("chaos"), "run", "experiment.json"], project),
            ROUNDS,
        )
    finally:
        scenario.close()
        shutil.rmtree(project)
    return Row("a run with one fault and one step, signed", ours, "chaos run, unsigned", peer, 1.0)


def main() -> None:
    fireproof = str(Path(sys.executable).with_name("fireproof"))
    rows = [help_row(fireproof), run_row(fireproof), *digest_rows()]
    head = ("what", "ours", "peer", "ratio", "budget", "")
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    lines += ["| " + " | ".join(row.cells()) + " |" for row in rows]
    table = "\n".join(lines)
    print(table)
    commit = subprocess.run(
        ["git", "-C", str(HERE), "rev-parse", "--short", "HEAD"], capture_output=True, text=True
    ).stdout.strip()
    TABLE.write_text(
        "# Benchmarks\n\nWritten by `make bench`; medians, ours and the peer's in turns.\n\n"
        f"Machine: {os.cpu_count()} cores, {platform.machine()}, Linux {platform.release()}, "
        f"Python {platform.python_version()}; {PEER_PIN}; commit {commit}.\n\n{table}\n"
    )


if __name__ == "__main__":
    main()
