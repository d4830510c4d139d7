"""Journal and samples in, numbers and verdicts out: pure functions, nothing is asked of anyone."""

from __future__ import annotations

from fireproof.judge.gameday import judge_gameday
from fireproof.judge.run import judge_run

__all__ = ["judge_gameday", "judge_run"]
