"""``fireproof init``: the first drill, its environment and its CI job, in a repository of yours."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import click

from fireproof.errors import UsageError

_FILES = {  # in the repository: in this package
    "drills/restart-database.yaml": "drills/restart-database.yaml",
    "playbooks/start.yml": "playbooks/start.yml",
    "environments/mine.yaml": "environments/mine.yaml",
    "fireproof.mk": "fireproof.mk",
    "evidence/.gitignore": "evidence/gitignore",
}
_CI = {
    "github": (".github/workflows/drills.yml", "ci/github.yml"),
    "gitlab": ("fireproof.gitlab-ci.yml", "ci/gitlab.yml"),
}


@click.command()
@click.argument("folder", default=".", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--ci", default="github", show_default=True, type=click.Choice([*_CI, "none"]), help="whose job"
)
def command(folder: Path, ci: str) -> int:
    """Write a drill that works, and what belongs to it, into FOLDER (default: here).

    A file that is there already is never changed.
    """
    wanted = dict(project_files(ci))
    try:
        written = [name for name, text in wanted.items() if write_new(folder / name, text)]
    except OSError as err:
        raise UsageError(
            f"{err.filename}: {(err.strerror or 'cannot be written').lower()}"
        ) from err
    for name in wanted:
        print(f"{'wrote' if name in written else 'kept '}  {folder / name}")
    there = "" if folder == Path(".") else f"cd {folder} && "
    print("next:")
    print(f"  {there}fireproof doctor   # what is missing on this machine")
    print(f"  {there}fireproof run drills/restart-database.yaml --with-lab   # in the built-in lab")
    print("  edit environments/mine.yaml, then: fireproof check -e mine")
    return 0


def project_files(ci: str) -> Iterator[tuple[str, str]]:
    """(name, text) of everything that ``init`` writes."""
    from fireproof.cli.compose import vocabulary
    from fireproof.drillfile import schema

    package = files("fireproof.cli") / "project"
    sources = dict(_FILES) | dict([_CI[ci]] if ci in _CI else [])
    for name, source in sources.items():
        yield name, package.joinpath(source).read_text("utf-8")
    yield (
        "drills/drill.schema.json",
        json.dumps(schema(vocabulary()), indent=2, sort_keys=True) + "\n",
    )


def write_new(path: Path, text: str) -> bool:
    """Write a file that is not there yet; False when something is, which stays as it is."""
    if os.path.lexists(path):
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("x", encoding="utf-8") as file:
        file.write(text)
    return True
