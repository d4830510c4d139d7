"""``process``: one command; its output goes straight to files."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from fireproof.errors import StepError
from fireproof.model.drill import StepParams
from fireproof.model.ports import Check, StepContext, StepResult
from fireproof.model.quantity import format_duration
from fireproof.processes import Ended, run_to_end, scrubbed
from fireproof.steps.outputs import (
    collect,
    fill,
    last_line,
    one_line,
    outputs_folder,
    saved_text,
)


class ProcessParams(StepParams):
    """``{process: [argv …], expect-exit: 0, env: {}, cwd: FOLDER}``."""

    process: tuple[str, ...] = Field(min_length=1)
    expect_exit: Annotated[int, Field(ge=0, le=255)] = Field(default=0, alias="expect-exit")
    env: Mapping[str, str] = {}
    cwd: str = "."


def how_it_ended(ended: Ended, timeout_ns: int) -> str:
    """The end of a child in words."""
    if ended.timed_out:
        return f"did not end within {format_duration(timeout_ns)}; killed with its children"
    if ended.returncode >= 0:
        return f"exit {ended.returncode}"
    try:
        return f"ended by {signal.Signals(-ended.returncode).name}"
    except ValueError:
        return f"ended by signal {-ended.returncode}"


class Process:
    """Runs a command with a scrubbed environment; no shell is involved."""

    kind = "process"
    params: type[StepParams] = ProcessParams

    def run(self, params: ProcessParams, context: StepContext) -> StepResult:
        argv = [fill(text, context) for text in params.process]
        env = {name: fill(text, context) for name, text in params.env.items()}
        if any(context.secret(text) for text in argv):
            raise StepError(
                "a secret may not stand on a command line, where every user of the host reads it; "
                "hand it over under `env:`"
            )
        folder = outputs_folder(context)
        out, errors = folder / "stdout.txt", folder / "stderr.txt"
        try:
            with out.open("wb") as stdout, errors.open("wb") as stderr:
                ended = run_to_end(
                    argv,
                    deadline_ns=context.deadline_ns,
                    stdout=stdout,
                    stderr=stderr,
                    env=scrubbed(env),
                    cwd=context.project / fill(params.cwd, context),
                    beat=context.beat,
                )
        except (OSError, ValueError) as err:  # ValueError: a NUL in an argument
            raise StepError(f"cannot start {argv[0]!r}: {err}") from err
        ok = not ended.timed_out and ended.returncode == params.expect_exit
        seen = how_it_ended(ended, params.timeout)
        said = "" if ok else last_line(errors) or last_line(out)
        program = one_line(params.process[0], 80).rpartition("/")[2]
        check = Check(params.title or f"process {program}", ok, f"exit {params.expect_exit}", seen)
        detail = one_line(f"{program}: {seen}" + (f": {said}" if said else ""))
        files, _ = collect(context)
        return StepResult(ok, detail, (check,), saved_text(out), files)
