"""The JSON Schema, asked by the language server that editors run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.editor

SERVER = "yaml-language-server@1.25.0"
GOOD = Path(__file__).parents[3] / "src/fireproof/cli/project/drills/restart-database.yaml"
LIMIT_S = 60


@pytest.fixture(scope="module")
def server() -> Iterator[Path]:
    """The server's program, installed into a folder of its own."""
    npm = shutil.which("npm")
    if npm is None:
        if os.environ.get("CI"):
            pytest.fail("npm is missing; install it: apt-get install npm")
        pytest.skip("npm is missing")
    folder = Path(tempfile.mkdtemp(prefix="fp-editor-"))
    try:
        argv = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--silent", SERVER]
        done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=180)
        if done.returncode != 0:
            said = (done.stderr or done.stdout)[-300:]
            if os.environ.get("CI"):
                pytest.fail(f"npm could not install {SERVER}: {said}")
            pytest.skip(f"npm could not install {SERVER}")
        yield folder / "node_modules" / "yaml-language-server" / "bin" / "yaml-language-server"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Editor:
    """Speaks the Language Server Protocol over the server's stdin and stdout."""

    def __init__(self, program: Path, folder: Path) -> None:
        self._folder = folder
        self._next = 0
        self._child = subprocess.Popen(
            ["node", str(program), "--stdio"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self.request(
            "initialize",
            {"processId": None, "rootUri": folder.as_uri(), "capabilities": {}},
        )
        self._send({"method": "initialized", "params": {}})

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0"} | message).encode()
        assert self._child.stdin is not None
        self._child.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        self._child.stdin.flush()

    def _receive(self) -> dict[str, Any]:
        assert self._child.stdout is not None
        length = 0
        while line := self._child.stdout.readline().strip():
            name, _, value = line.decode().partition(":")
            length = int(value) if name.lower() == "content-length" else length
        assert length, "the language server went away"
        found: dict[str, Any] = json.loads(self._child.stdout.read(length))
        if "method" in found and "id" in found:  # a question of its own: no settings, thank you
            items = (found.get("params") or {}).get("items") or []
            self._send({"id": found["id"], "result": [None] * len(items)})
        return found

    def request(self, method: str, params: dict[str, Any]) -> Any:
        self._next += 1
        self._send({"id": self._next, "method": method, "params": params})
        while True:
            found = self._receive()
            if found.get("id") == self._next and "method" not in found:
                assert "error" not in found, found
                return found["result"]

    def opened(self, name: str, text: str) -> tuple[str, list[dict[str, Any]]]:
        """(address, problems) of a file as it is shown in the editor."""
        path = self._folder / name
        path.write_text(text)
        document = {"uri": path.as_uri(), "languageId": "yaml", "version": 1, "text": text}
        self._send({"method": "textDocument/didOpen", "params": {"textDocument": document}})
        while True:
            found = self._receive()
            if found.get("method") == "textDocument/publishDiagnostics":
                params = found["params"]
                if params["uri"] == document["uri"]:
                    return path.as_uri(), params["diagnostics"]

    def close(self) -> None:
        self._child.kill()
        self._child.wait()
        for stream in (self._child.stdin, self._child.stdout):
            if stream is not None:
                stream.close()


@pytest.fixture
def editor(server: Path, tmp_path: Path) -> Iterator[Editor]:
    done = subprocess.run(
        [sys.executable, "-m", "fireproof", "schema"], capture_output=True, check=True
    )
    (tmp_path / "drill.schema.json").write_bytes(done.stdout)
    made = Editor(server, tmp_path)
    try:
        yield made
    finally:
        made.close()


@pytest.mark.timeout(240)
def test_the_editor_is_content_with_a_good_drill(editor: Editor) -> None:
    """A schema that cries at good files is switched off on the first day."""
    _, problems = editor.opened("restart-database.yaml", GOOD.read_text())

    assert problems == []


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("good", "bad", "line"),
    [
        ("cadence: P30D", "cadense: P30D", 9),
        ("kind: component", "kind: componant", 8),
        ("rto: 1m", "rto: quickly", 18),
        ("every: 20ms", "evry: 20ms", 15),
        ("{kill: ledger-db}", "{kil: ledger-db}", 22),
        ('expect: "1"', "expect: 1", 25),
    ],
)
def test_the_editor_marks_what_check_refuses(
    editor: Editor, good: str, bad: str, line: int
) -> None:
    """People see the mistake while they type it, at the same line."""
    text = GOOD.read_text()
    assert good in text

    _, problems = editor.opened("restart-database.yaml", text.replace(good, bad))

    assert line in {problem["range"]["start"]["line"] + 1 for problem in problems} | {
        problem["range"]["end"]["line"] + 1 for problem in problems
    }, problems


@pytest.mark.timeout(240)
def test_the_editor_offers_the_keys_there_are(editor: Editor) -> None:
    """Nobody remembers how acknowledged-writes is spelt."""
    uri, _ = editor.opened("restart-database.yaml", GOOD.read_text() + "\nab")
    line = GOOD.read_text().count("\n") + 1

    offered = editor.request(
        "textDocument/completion",
        {"textDocument": {"uri": uri}, "position": {"line": line, "character": 2}},
    )

    items = offered["items"] if isinstance(offered, dict) else offered
    assert "abort" in {item["label"] for item in items}
