"""``pytest``: a folder of the user's tests against the recovered system; each test is a check."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from fireproof.errors import StepError
from fireproof.model.drill import StepParams
from fireproof.model.ports import Check, StepContext, StepResult
from fireproof.model.quantity import format_duration
from fireproof.processes import Ended, run_to_end, scrubbed
from fireproof.steps.junit import read_junit
from fireproof.steps.outputs import collect, fill, last_line, one_line, outputs_folder


class PytestParams(StepParams):
    """``{pytest: tests/restored, timeout: 2m}``."""

    pytest: str

    def procedures(self) -> tuple[str, ...]:
        return (self.pytest,)


def component_variables(context: StepContext) -> dict[str, str]:
    """``FP_<COMPONENT>_<KEY>`` for every text of every component."""
    found: dict[str, str] = {}
    for name, component in context.environment.components.items():
        for key, value in {"kind": component.kind, **(component.model_extra or {})}.items():
            if isinstance(value, str):
                found[f"FP_{name}_{key}".upper().replace("-", "_")] = value
    return found


def judge_tests(
    returncode: int, checks: Sequence[Check] | None, said: str = ""
) -> tuple[bool | None, str]:
    """(ok, why) from the exit code and the report; when the two disagree, nothing is known.

    Exit codes: 0 all passed, 1 some failed, 2 interrupted or not collected, 5 no tests.
    """
    if returncode == 5:
        return None, "no tests collected"
    if checks is None:
        return None, f"no readable report, exit {returncode}" + (f": {said}" if said else "")
    bad = [check for check in checks if check.ok is False]
    unknown = [check for check in checks if check.ok is None]
    counts = f"{len(checks) - len(bad) - len(unknown)} passed, {len(bad)} failed"
    counts += f", {len(unknown)} skipped" if unknown else ""
    if returncode in (1, 2) and bad:
        return False, f"{counts}; {bad[0].name}: {bad[0].observed}"
    if returncode == 0 and checks and not bad:
        return (None if unknown else True), counts
    return None, f"exit {returncode} does not fit the report ({counts})" + (
        f": {said}" if said else ""
    )


class PytestFolder:
    """Runs pytest with none of the project's own configuration, and leaves nothing behind in it."""

    kind = "pytest"
    params: type[StepParams] = PytestParams

    def run(self, params: PytestParams, context: StepContext) -> StepResult:
        folder = (context.project / fill(params.pytest, context)).absolute()
        if not folder.exists():
            raise StepError(f"there is no folder of tests {folder}")
        outputs = outputs_folder(context).absolute()
        mark = f"fireproof-{context.run}-pytest-"
        with tempfile.TemporaryDirectory(prefix=mark, ignore_cleanup_errors=True) as at:
            ended = self._run(folder, outputs, Path(at), context)
        checks = read_junit(outputs / "junit.xml")
        ok: bool | None
        if ended.timed_out:
            ok, why = False, f"did not end within {format_duration(params.timeout)}; killed"
        else:
            ok, why = judge_tests(ended.returncode, checks, last_line(outputs / "pytest.txt"))
        files, _ = collect(context)
        detail = one_line(f"{params.pytest}: {why}")
        return StepResult(ok, detail, tuple(checks or ()), files=files)

    def _run(self, folder: Path, outputs: Path, scratch: Path, context: StepContext) -> Ended:
        root = folder if folder.is_dir() else folder.parent
        argv = [sys.executable, "-m", "pytest", str(folder)]
        argv += ["-c", os.devnull, "--rootdir", str(root), "-p", "no:cacheprovider"]
        argv += [f"--basetemp={scratch / 'tmp'}", f"--junitxml={outputs / 'junit.xml'}"]
        argv += ["-o", "junit_family=xunit1", "--color=no", "--tb=short", "-ra"]
        env = component_variables(context) | {
            "FP_RUN": context.run,
            "FP_OUTPUTS": str(outputs),
            "HOME": str(scratch),
            "HYPOTHESIS_STORAGE_DIRECTORY": str(scratch / "hypothesis"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONSAFEPATH": "1",  # the project's root must not shadow what pytest imports
        }
        try:
            with (outputs / "pytest.txt").open("wb") as said:
                return run_to_end(
                    argv,
                    deadline_ns=context.deadline_ns,
                    stdout=said,
                    stderr=said,
                    env=scrubbed(env),
                    cwd=context.project,
                    beat=context.beat,
                )
        except OSError as err:
            raise StepError(f"cannot start pytest: {err.strerror}") from err
