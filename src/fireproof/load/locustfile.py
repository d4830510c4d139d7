"""A user's locustfile: its classes as scenarios, or why it cannot be run.

Only ever imported in a child: it runs whatever the file says.
"""

from __future__ import annotations

import linecache
import os
import re
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from locust import TaskSet, User
from locust.util.load_locustfile import load_locustfile


class Unusable(Exception):
    """What is wrong with a locustfile, with the place where the file itself says it."""

    def __init__(self, text: str, file: str, line: int = 1) -> None:
        self.text, self.file, self.line = text, file, line
        super().__init__(f"{file}:{line}: {text}")


def scenario_name(plain: type[User]) -> str:
    """What a drill calls a class: its ``scenario``, or its name as words, without ``User``."""
    given = getattr(plain, "scenario", None)
    if isinstance(given, str):
        return given
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", plain.__name__).lower().replace("_", "-")
    return words.removesuffix("-user") or words


def read(path: str) -> dict[str, type[User]]:
    """Runnable classes by scenario.

    Raises:
        Unusable: when the file raises, holds none, or one that open arrival cannot drive.
    """
    try:
        found, shapes = load_locustfile(os.path.abspath(path))
    except SystemExit as end:
        raise Unusable(f"ends the process, with {end.code!r}", path) from None
    except SyntaxError as error:
        file = error.filename or path
        raise Unusable(f"SyntaxError: {error.msg}", _near(file, path), error.lineno or 1) from None
    except BaseException as error:
        raise _raised(error, path) from None
    if not found:
        raise Unusable("holds no Locust user class that can run", path)
    if shapes:
        text = "holds a LoadTestShape; the profile of the drill says when requests are due"
        raise Unusable(text, path)
    classes: dict[str, type[User]] = {}
    for plain in found.values():
        name = scenario_name(plain)
        if name in classes:
            text = f"{plain.__name__} and {classes[name].__name__} are both scenario {name!r}"
            raise Unusable(text, path, _line(path, plain.__name__))
        _drivable(plain, path)
        classes[name] = plain
    return classes


def choose(
    classes: Mapping[str, type[User]], asked: Mapping[str, int], path: str
) -> dict[str, int]:
    """Weights of the scenarios that the drill names, or of all by their classes' own.

    Raises:
        Unusable: when the file has no such scenario.
    """
    unknown = [name for name in asked if name not in classes]
    if unknown:
        raise Unusable(f"has no scenario {unknown[0]!r}; it has {', '.join(sorted(classes))}", path)
    return dict(asked) or {name: max(1, round(one.weight)) for name, one in classes.items()}


def _drivable(plain: type[User], path: str) -> None:
    line = _line(path, plain.__name__)
    if not plain.tasks:
        raise Unusable(f"{plain.__name__} has no task", path, line)
    for task in plain.tasks:
        if isinstance(task, type) and issubclass(task, TaskSet):
            text = (
                f"{plain.__name__} runs the TaskSet {task.__name__}, which waits by its own clock; "
                "under open arrival tasks are functions: move them to the user class"
            )
            raise Unusable(text, path, line)


def _raised(error: BaseException, path: str) -> Unusable:
    """The innermost place in the file's own project that the exception passed."""
    ours = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if _near(frame.filename, path) != frame.filename or frame.filename == path
    ]
    place = ours[-1] if ours else None
    text = f"{type(error).__name__}: {error}".splitlines()[0]
    file = _near(place.filename, path) if place else path
    return Unusable(f"raises {text}", file, (place.lineno or 1) if place else 1)


def _near(file: str, path: str) -> str:
    """A file of the project as the drill would name it; any other as it is."""
    found = Path(file)
    inside = found.is_absolute() and found.is_relative_to(Path.cwd())
    library = "site-packages" in found.parts
    return str(found.relative_to(Path.cwd())) if inside and not library else file


def _line(path: str, name: str) -> int:
    """Line of a class in the file, as far as it can be told."""
    for number, text in enumerate(linecache.getlines(os.path.abspath(path)), start=1):
        if re.match(rf"class {name}\b", text):
            return number
    return 1


def parsed_options(options: Mapping[str, str]) -> Any:
    """What Locust's command line would hand to the file, its own arguments included.

    Raises:
        ValueError: when the file knows no such option.
    """
    from locust.argument_parser import get_parser

    parser = get_parser(default_config_files=[])
    known = {word for action in parser._actions for word in action.option_strings}
    unknown = [name for name in options if f"--{name}" not in known]
    if unknown:
        raise ValueError(f"knows no option {unknown[0]!r}")
    argv = [word for name, value in options.items() for word in (f"--{name}", value)]
    return parser.parse_args(args=argv)
