"""Named damage to a lab's archive: what can be wrong with a backup, done on purpose.

``python -m proving_ground damage ROOT NAME`` harms the newest backup or the WAL behind it;
``none`` takes back what is not in the archive. A drill must notice every one of them:
``docs/reference/detection-matrix.md``.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from proving_ground.pages import PAGE_BYTES, page_checksum, stored_checksum, with_checksum

_WITHIN_S = 60
_TABLE, _INDEX = "accounts", "accounts_pkey"  # static: no later WAL mends their pages


class Damager:
    """Does damage to the archive of one lab."""

    def __init__(self, root: Path) -> None:
        facts = json.loads((root / "lab.json").read_text("utf-8"))
        self._components: dict[str, Any] = facts["environment"]["components"]
        self._archive = self._components["archive"]
        self._script = root / "bin" / "restore-wal"
        self._whole = root / "bin" / "restore-wal.whole"

    # -- WAL

    def lose_segment(self) -> str:
        name = self._segment()
        self._rclone("deletefile", f"wal/{name}")
        return f"deleted wal/{name}"

    def flip_in_segment(self) -> str:
        name = self._segment()
        body = bytearray(self._get(f"wal/{name}"))
        at = len(body.rstrip(b"\0")) // 2
        at = next(place for place in range(at, len(body)) if body[place])  # padding has no CRC
        body[at] ^= 1
        self._put(f"wal/{name}", bytes(body))
        return f"flipped a bit of byte {at} of wal/{name}"

    def swap_segment(self) -> str:
        name = self._segment()
        older = [each for each in self._segments() if each < name][-1]
        self._put(f"wal/{name}", self._get(f"wal/{older}"))
        return f"wal/{name} holds the bytes of {older}"

    def empty_segment(self) -> str:
        name = self._segment()
        self._put(f"wal/{name}", b"")
        return f"emptied wal/{name}"

    def fail_restore_command(self, code: int) -> str:
        name = self._segment()
        shutil.copy2(self._script, self._whole)
        words = self._script.read_text("utf-8").replace(
            "set -u\n", f'set -u\ncase "$1" in {name}) exit {code} ;; esac\n', 1
        )
        fresh = self._script.with_suffix(".new")
        fresh.write_text(words, "utf-8")
        fresh.chmod(0o755)
        fresh.replace(self._script)
        return f"restore_command ends with {code} when asked for {name}"

    def repair(self) -> str:
        """What was done outside of the archive is taken back."""
        if self._whole.exists():
            self._whole.replace(self._script)
        return "restore_command is whole"

    # -- the base backup

    def flip_in_piece(self) -> str:
        path = f"base/{self._backup()['name']}/base.tar.0000"
        body = bytearray(self._get(path))
        body[len(body) // 2] ^= 1
        self._put(path, bytes(body))
        return f"flipped a bit of {path}"

    def lose_piece(self) -> str:
        path = f"base/{self._backup()['name']}/base.tar.0000"
        self._rclone("deletefile", path)
        return f"deleted {path}"

    def change_file(
        self, relation: str, change: Callable[[bytes], bytes], *, manifest: bool = False
    ) -> str:
        """Change one file of the base and make the archive's own digests agree with it.

        Args:
            relation: whose first file.
            change: old bytes to new.
            manifest: make the backup's manifest agree too, as if the file had been like this
                before the backup was taken.
        """
        facts, name = self._backup(), self._file_of(relation)
        with tempfile.TemporaryDirectory(prefix="damage-") as place:
            pieces, base = Path(place, "pieces"), Path(place, "base")
            base.mkdir()
            source = f"base/{facts['name']}"
            self._rclone("copy", source, to=str(pieces))
            packed = b"".join(each.read_bytes() for each in sorted(pieces.glob("base.tar.*")))
            subprocess.run(["tar", "-C", base, "-xpf", "-"], input=packed, check=True)
            path = base / name
            old = path.read_bytes()
            new = change(old)
            path.write_bytes(new)
            if manifest:
                text = _with_file((base / "backup_manifest").read_text("utf-8"), name, new)
                (base / "backup_manifest").write_text(text, "utf-8")
                (pieces / "backup_manifest").write_text(text, "utf-8")
            for piece in pieces.glob("base.tar.*"):
                piece.unlink()
            with (pieces / "base.tar.0000").open("wb") as out:
                subprocess.run(["tar", "-C", base, "-cf", "-", "."], stdout=out, check=True)
            (pieces / "backup.json").unlink()
            facts["files"] = {each.name: _sha256(each) for each in sorted(pieces.iterdir())}
            facts["manifest_sha256"] = facts["files"]["backup_manifest"]
            (pieces / "backup.json").write_text(json.dumps(facts, indent=1), "utf-8")
            self._rclone("purge", source)
            self._rclone("copy", source, source=str(pieces))
        return f"changed {sum(a != b for a, b in zip(old, new, strict=False))} bytes of {name}"

    # -- the archive

    def _backup(self) -> dict[str, Any]:
        newest = max(self._rclone("lsf", "base", "--dirs-only").split()).rstrip("/")
        facts: dict[str, Any] = json.loads(self._get(f"base/{newest}/backup.json"))
        return facts

    def _segments(self) -> list[str]:
        names = self._rclone("lsf", "wal").split()
        return sorted(name for name in names if re.fullmatch("[0-9A-F]{24}", name))

    def _segment(self) -> str:
        """The first one behind the newest backup; every later target needs it."""
        facts = self._backup()
        high, _, low = facts["end_lsn"].partition("/")
        number = ((int(high, 16) << 32) + int(low, 16)) // 2**20  # the lab's segments are 1 MiB
        last = f"{facts['timeline']:08X}{number // 4096:08X}{number % 4096:08X}"
        return min(name for name in self._segments() if name > last)

    def _file_of(self, relation: str) -> str:
        psql = [str(Path(self._components["ledger-db"]["bin"]) / "psql"), "-XAtq"]
        dsn = self._components["ledger-db"]["admin-dsn"]
        words = [*psql, dsn, "-c", f"SELECT pg_relation_filepath('{relation}')"]
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()

    def _get(self, path: str) -> bytes:
        return self._call("cat", self._there(path)).stdout

    def _put(self, path: str, body: bytes) -> None:
        self._call("rcat", self._there(path), stdin=body)

    def _rclone(self, act: str, path: str, *flags: str, source: str = "", to: str = "") -> str:
        words = [source] if source else []
        done = self._call(act, *words, self._there(path), *([to] if to else []), *flags)
        return done.stdout.decode()

    def _there(self, path: str) -> str:
        return f"{self._archive['remote']}/{path}"

    def _call(
        self, act: str, *words: str, stdin: bytes = b""
    ) -> subprocess.CompletedProcess[bytes]:
        command = [self._archive["rclone"], "--config", self._archive["rclone-config"], act, *words]
        return subprocess.run(
            command, input=stdin, capture_output=True, check=True, timeout=_WITHIN_S
        )


def _with_file(manifest: str, name: str, body: bytes) -> str:
    """The manifest with another size and digest of one file, and its own digest renewed."""
    lines = manifest.splitlines(keepends=True)
    for place, line in enumerate(lines):
        if f'"Path": "{name}"' in line:
            line = re.sub(r'"Size": \d+', f'"Size": {len(body)}', line)
            digest = hashlib.sha256(body).hexdigest()
            lines[place] = re.sub(r'"Checksum": "[0-9a-f]+"', f'"Checksum": "{digest}"', line)
            break
    else:
        raise ValueError(f"the manifest lists no {name}")
    text = "".join(lines[:-1])
    return text + f'"Manifest-Checksum": "{hashlib.sha256(text.encode()).hexdigest()}"}}\n'


def _in_page(number: int, change: Callable[[bytearray], None], *, sealed: bool = False) -> Any:
    """Change one page; ``sealed`` makes its checksum agree."""

    def act(body: bytes) -> bytes:
        start = number * PAGE_BYTES
        old = body[start : start + PAGE_BYTES]
        if stored_checksum(old) != page_checksum(old, number):
            raise ValueError(f"page {number} was damaged before, or checksums are off")
        page = bytearray(old)
        change(page)
        new = with_checksum(bytes(page), number) if sealed else bytes(page)
        return body[:start] + new + body[start + PAGE_BYTES :]

    return act


def _flip_text(page: bytearray) -> None:
    """A letter of the page's first row, which ends where the page ends."""
    page[len(bytes(page).rstrip(b"\0")) - 1] ^= 1


def _flip_header(page: bytearray) -> None:
    """A bit of the offset in the first line pointer: the row is looked for elsewhere."""
    page[24] ^= 4


def _flip_key(page: bytearray) -> None:
    """The lowest bit of the key of the index tuple at the page's special end."""
    special = int.from_bytes(page[16:18], "little")
    page[special - 8] ^= 1


def _harms(it: Damager) -> dict[str, Callable[[], str]]:
    """Name: what does it."""
    changed: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
        "heap-bit": (_TABLE, _in_page(3, _flip_text)),
        "index-bit": (_INDEX, _in_page(2, _flip_key)),
        "table-zeroed": (_TABLE, lambda body: bytes(len(body))),
        "table-truncated": (_TABLE, lambda body: b""),
    }
    sealed: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
        "heap-text-bit": (_TABLE, _in_page(3, _flip_text, sealed=True)),
        "heap-pointer-bit": (_TABLE, _in_page(3, _flip_header, sealed=True)),
        "index-key-bit": (_INDEX, _in_page(2, _flip_key, sealed=True)),
    }

    def harm(what: tuple[str, Callable[[bytes], bytes]], *, manifest: bool) -> Callable[[], str]:
        return lambda: it.change_file(*what, manifest=manifest)

    return {
        "none": it.repair,
        "wal-segment-missing": it.lose_segment,
        "wal-bit": it.flip_in_segment,
        "wal-segment-swapped": it.swap_segment,
        "wal-segment-empty": it.empty_segment,
        "restore-command-1": lambda: it.fail_restore_command(1),
        "restore-command-255": lambda: it.fail_restore_command(255),
        "base-bit": it.flip_in_piece,
        "base-piece-missing": it.lose_piece,
        **{f"archived-{name}": harm(what, manifest=False) for name, what in changed.items()},
        **{f"early-{name}": harm(what, manifest=True) for name, what in changed.items()},
        **{f"sealed-{name}": harm(what, manifest=True) for name, what in sealed.items()},
    }


def main(argv: list[str]) -> int:
    """``damage ROOT NAME``: 0 when it is done, with one line on what was."""
    if len(argv) != 2:
        print("usage: python -m proving_ground damage ROOT NAME", file=sys.stderr)
        return 2
    harms = _harms(Damager(Path(argv[0])))
    if argv[1] not in harms:
        print(f"expected one of {', '.join(harms)}; got {argv[1]!r}", file=sys.stderr)
        return 2
    try:
        print(harms[argv[1]]())
    except subprocess.CalledProcessError as err:
        print(f"{argv[1]}: {err}: {err.stderr!r}", file=sys.stderr)
        return 1
    except (OSError, ValueError) as err:
        print(f"{argv[1]}: {err}", file=sys.stderr)
        return 1
    return 0


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
