"""``corrupt-file``: bytes of a component's file are inverted in silence, and inverted back.

Modification times stay as they were, as they do when a disk rots. It carries no expiry on the
target: bytes written into a file that a recovery may meanwhile have replaced or rewritten would be
a second fault; only an undo that holds the component's lease may look and decide.
"""

from __future__ import annotations

import os
import random
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fireproof.errors import EnvironmentRefusal, FireproofError, StepError, UndoError
from fireproof.faults.base import LateParams, Undo, allowed_component, recorded

if TYPE_CHECKING:
    from fireproof.faults.params import CorruptFileParams
    from fireproof.model.environment import Component
    from fireproof.model.ports import StepContext

_INVERTED = bytes(255 - byte for byte in range(256))
_MAX_BYTES = 4096  # they stand in the journal, in the clear


class CorruptFile(LateParams):
    """Inverts bytes; its undo touches only bytes that still are what the fault made of them."""

    kind = "corrupt-file"

    def component(self, params: CorruptFileParams) -> str:
        return params.corrupt_file

    def prepare(self, params: CorruptFileParams, context: StepContext) -> dict[str, Any]:
        from fireproof.model.environment import resolve  # loads pydantic, which an undo must not

        name = params.corrupt_file
        component = allowed_component(self.kind, name, context)
        file = resolve(params.file, context.environment, context.saved)
        path = _file_of(component, file, name)
        if params.places * params.length > _MAX_BYTES:
            raise EnvironmentRefusal(
                f"{name}: expected at most {_MAX_BYTES} bytes, got {params.places} places of "
                f"{params.length}"
            )
        try:
            with _opened(str(path), os.O_RDWR) as fd:
                facts = os.fstat(fd)
                places = [
                    [offset, os.pread(fd, params.length, offset).hex()]
                    for offset in _offsets(params, facts.st_size, str(path))
                ]
        except (OSError, FireproofError) as err:
            raise EnvironmentRefusal(f"{name}: {_words(err)}") from err
        return {
            "kind": self.kind,
            "component": name,
            "run": context.run,
            "path": str(path),
            "identity": [facts.st_dev, facts.st_ino],
            "places": places,  # offset, and what stood there in hexadecimal
            "expires_ns": params.expires,
        }

    def apply(self, undo: Undo, context: StepContext) -> str:
        name, path, places = recorded(undo, "component"), recorded(undo, "path"), _places(undo)
        try:
            with _opened(path, os.O_RDWR) as fd:
                if not _same(fd, undo):
                    raise StepError(f"{name}: {path} was replaced meanwhile; nothing was changed")
                for offset, good in places:
                    if os.pread(fd, len(good), offset) != good:
                        raise StepError(
                            f"{name}: {path} has changed at {offset}; nothing was changed"
                        )
                _write(fd, [(offset, good.translate(_INVERTED)) for offset, good in places])
        except OSError as err:
            raise StepError(f"{name}: {_words(err)}") from err
        count = sum(len(good) for _, good in places)
        return f"inverted {count} bytes of {path} at {', '.join(str(at) for at, _ in places)}"

    def undo(self, undo: Undo, *, recovered: bool, deadline_ns: int) -> str:
        path, places = recorded(undo, "path"), _places(undo)
        try:
            with _opened(path, os.O_RDWR) as fd:
                if not _same(fd, undo):
                    return f"nothing to restore: {path} was replaced by another file"
                wrong = list(_standing(fd, places))
                _write(fd, wrong)
        except FileNotFoundError:
            return f"nothing to restore: there is no {path}"
        except OSError as err:
            raise UndoError(f"{recorded(undo, 'component')}: {_words(err)}") from err
        return f"restored {len(wrong)} bytes of {path}" if wrong else f"{path} is as it was"

    def present(self, undo: Undo, *, recovered: bool) -> str | None:
        path, places = recorded(undo, "path"), _places(undo)
        try:
            with _opened(path, os.O_RDONLY) as fd:
                if not _same(fd, undo):
                    return None
                wrong = [offset for offset, _ in _standing(fd, places)]
        except FileNotFoundError:
            return None
        return f"{path} is corrupt at {', '.join(map(str, wrong))}" if wrong else None

    def by_hand(self, undo: Undo) -> str:
        import shlex

        writes = "; ".join(
            f"os.pwrite(f, bytes.fromhex({good.hex()!r}), {at})" for at, good in _places(undo)
        )
        path = recorded(undo, "path")
        program = f"import os; f = os.open({path!r}, os.O_RDWR); {writes}; os.fsync(f)"
        return shlex.join(["python3", "-c", program])


def _file_of(component: Component, file: str, name: str) -> Path:
    """The file, below its data directory or below a path that the component states as its own."""
    stated = [
        Path(value)
        for value in (component.model_extra or {}).values()
        if isinstance(value, str) and value.startswith("/") and value.strip("/")
    ]
    base = component.get("data-directory")
    if not os.path.isabs(file) and not base:
        raise EnvironmentRefusal(
            f"{name} has no `data-directory`, so `file` must be absolute, got {file!r}"
        )
    path = Path(os.path.realpath(os.path.join(base or "/", file)))
    if not any(path.is_relative_to(os.path.realpath(own)) for own in stated):
        raise EnvironmentRefusal(f"{str(path)!r} lies in no path that {name} states as its own")
    return path


def _offsets(params: CorruptFileParams, size: int, path: str) -> list[int]:
    if params.at is not None:
        if params.at + params.length > size:
            raise StepError(f"{path} has {size} bytes, and {params.at}+{params.length} is beyond")
        return [params.at]
    slots = size // params.length  # places never overlap
    if slots < params.places:
        raise StepError(
            f"{path} has {size} bytes, too few for {params.places} places of {params.length}"
        )
    chosen = random.Random(params.seed).sample(range(slots), params.places)  # noqa: S311
    return sorted(slot * params.length for slot in chosen)


@contextmanager
def _opened(path: str, flags: int) -> Iterator[int]:
    fd = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(f"{path} is not a plain file")
        yield fd
    finally:
        os.close(fd)


def _same(fd: int, undo: Undo) -> bool:
    """Whether this is the very file of the fault; a file in its place is somebody's recovery."""
    facts = os.fstat(fd)
    return [facts.st_dev, facts.st_ino] == undo.get("identity")


def _standing(fd: int, places: list[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
    """(offset, right byte) wherever the inverted byte still stands."""
    for start, good in places:
        found = os.pread(fd, len(good), start)
        for index, (now, right) in enumerate(zip(found, good, strict=False)):
            if now == 255 - right:
                yield start + index, bytes([right])


def _write(fd: int, changes: list[tuple[int, bytes]]) -> None:
    """Write, durably, with the file's times kept."""
    if not changes:
        return
    times = os.fstat(fd)
    for offset, data in changes:
        os.pwrite(fd, data, offset)
    os.utime(fd, ns=(times.st_atime_ns, times.st_mtime_ns))
    os.fsync(fd)


def _places(undo: Undo) -> list[tuple[int, bytes]]:
    try:
        found = [(int(offset), bytes.fromhex(good)) for offset, good in undo["places"]]
    except (KeyError, TypeError, ValueError):
        found = []
    if not found:
        raise UndoError("the recorded undo has no 'places'; it cannot be carried out")
    return found


def _words(err: Exception) -> str:
    if isinstance(err, OSError) and err.strerror:
        return f"{err.filename or 'its file'}: {err.strerror}"
    return str(err)
