"""What a person or a program reads of a run: one event stream, three renderers."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
from pathlib import Path
from typing import Any, Protocol, TextIO

from fireproof.clock import monotonic_ns
from fireproof.model.drill import DEFAULT_STEP_TIMEOUT_NS
from fireproof.model.plan import Plan
from fireproof.model.quantity import format_seconds
from fireproof.model.record import Record

HEARTBEAT_S = 60.0
_MARK = {"met": "met", "missed": "MISSED", "inconclusive": "UNKNOWN"}
_COLOUR = {"met": "32", "passed": "32;1", "inconclusive": "33;1"}
# Kinds that say more than their first number.
_TOLD = ("rpo", "slo", "requests", "growth", "timeline")
_PHASES = {
    "preflight": "before anything is touched",
    "baseline": "watching the healthy system",
    "fault": "harm begins",
    "recover": "bringing it back",
    "verify": "is it really back?",
    "refuse": "known-bad inputs must be refused",
    "revert": "undoing what is left of the fault",
}


class Renderer(Protocol):
    """Told of the plan, of each durable record, and of the result."""

    def begin(self, plan: Plan) -> None: ...
    def on_record(self, record: Record) -> None: ...
    def finish(self, result: dict[str, Any]) -> None: ...


def make_renderer(output: str) -> Renderer:
    """The renderer of ``--json``, ``--quiet`` or neither."""
    if output == "json":
        return JsonLines(sys.stdout)
    return Quiet() if output == "quiet" else Plain(sys.stderr)


def colourful(stream: TextIO) -> bool:
    """Colour only where somebody looks: a terminal that is not dumb, no NO_COLOR, no CI."""
    asked_not = any(os.environ.get(name) for name in ("NO_COLOR", "CI"))
    return stream.isatty() and os.environ.get("TERM") != "dumb" and not asked_not


def write_line(stream: TextIO, line: str) -> None:
    """Write and flush; a reader that is gone, or a full disk, changes nothing in the run."""
    with contextlib.suppress(OSError, ValueError):
        stream.write(line + "\n")
        stream.flush()


def shorten(text: str, width: int = 240) -> str:
    """One line, not endless."""
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 1] + "…"


class Quiet:
    """Nothing but the bundle's path on stdout."""

    def begin(self, plan: Plan) -> None: ...

    def on_record(self, record: Record) -> None: ...

    def finish(self, result: dict[str, Any]) -> None:
        if result["bundle"]:
            write_line(sys.stdout, nearby(result["bundle"]))
        else:
            write_line(sys.stderr, f"fireproof: not sealed: {result.get('unsealed')}")


class JsonLines:
    """Each record as one JSON line, then the result as the last."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def begin(self, plan: Plan) -> None:
        self._put({"event": "plan", "run": plan.run, "drill": plan.drill.drill})

    def on_record(self, record: Record) -> None:
        body = {"event": record.kind, "seq": record.seq, "at": record.at}
        self._put(body | {"data": record.data})

    def finish(self, result: dict[str, Any]) -> None:
        self._put({"event": "result"} | result)

    def _put(self, body: dict[str, Any]) -> None:
        write_line(self._stream, json.dumps(body, sort_keys=True))


class Plain:
    """Lines for a log or a tired engineer; colour adds nothing that words do not say."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._colour = colourful(stream)
        self._zero_ns: int | None = None
        self._plan: Plan | None = None
        self._doing = "starting"
        self._over = threading.Event()

    def begin(self, plan: Plan) -> None:
        threading.Thread(target=self._beat, name="heartbeat", daemon=True).start()
        drill, self._plan = plan.drill, plan
        self._put(f"{drill.drill} on {plan.environment.environment}: {drill.title}")
        self._put(f"run {plan.run}")

    def on_record(self, record: Record) -> None:
        if self._zero_ns is None:
            self._zero_ns = record.mono_ns
        if record.kind in ("phase", "step-start"):
            self._doing = str(record.data.get("label") or record.data["phase"])
        text = self._describe(record.kind, record.data)
        if text is not None:
            self._put(f"{_clock(record.mono_ns - self._zero_ns)}  {text}")

    def _beat(self) -> None:
        """A line each minute, so that a log that is waited for shows who is being waited for."""
        while not self._over.wait(HEARTBEAT_S):
            since = monotonic_ns() - (self._zero_ns or monotonic_ns())
            self._put(f"{_clock(since)}  … still: {self._doing}")

    def _describe(self, kind: str, data: dict[str, Any]) -> str | None:
        match kind:
            case "phase":
                return self._paint(f"{data['phase'].upper()}  {_PHASES[data['phase']]}", "1")
            case "step-start" if data["kind"] == "manual":
                return f"  {data['label']} … {self._how_to_acknowledge(data)}"
            case "step-start" if data["timeout_ns"] > DEFAULT_STEP_TIMEOUT_NS:
                return f"  {data['label']} …"  # may take its time: say what is being waited for
            case "step-end":
                took = format_seconds((data["after_ns"] - data["before_ns"]) / 1e9)
                if data["ok"] is True:
                    return f"  {self._paint('ok', '32')} {data['label']}  {took}"
                word = "missed" if data["ok"] is False else "inconclusive"
                return f"  {self._verdict(word)} {data['label']}  {took}: {shorten(data['detail'])}"
            case "check" if data["ok"] is not True:
                word = "missed" if data["ok"] is False else "inconclusive"
                seen = f"expected {shorten(data['expected'])}, observed {shorten(data['observed'])}"
                return f"  {self._verdict(word)} check {data['name']}: {seen}"
            case "load-start":
                return f"  load {data['load']} begins: {data['profile']}"
            case "load-minute":
                p99 = "none" if data["p99_ms"] is None else f"{data['p99_ms']} ms"
                bad = f", {data['errors']} bad" if data["errors"] else ""
                return f"  load {data['load']}: {data['rate']}/s, p99 {p99}{bad}"
            case "load-stop":
                said = "" if data["clean"] else ", not in order"
                return f"  load {data['load']} ends: {data['slots']} requests{said}"
            case "injected":
                return f"  broken: {shorten(data['detail'])}"
            case "fault-failed":
                return f"  {self._verdict('missed')} fault: {shorten(data['detail'])}"
            case "recovered":
                return f"  {'service is back' if data['ok'] else 'not back: ' + data['detail']}"
            case "abort":
                return self._paint(f"ABORT  {shorten(data['why'])}", "31;1")
            case "reverted":
                return f"  undone: {shorten(data['observed'])}"
            case "revert-failed":
                by_hand = f"; by hand: {data['command']}" if data["command"] else ""
                return f"  {self._verdict('missed')} undo: {shorten(data['detail'])}{by_hand}"
            case "residue" if data["clean"]:
                return "  nothing of the fault is left"
            case "residue":
                return self._paint(f"  LEFT BEHIND: {'; '.join(data['found'])}", "31;1")
        return None

    def _how_to_acknowledge(self, data: dict[str, Any]) -> str:
        if self._plan is None:
            return ""
        drill, index = self._plan.drill, data["index"]
        steps = drill.baseline.steps if data["phase"] == "baseline" else None
        use = (steps or getattr(drill, data["phase"]))[index]
        step = f"{data['phase']}-{index:02d}"
        return f"fireproof acknowledge {self._plan.run} {step} --as {use.params['role']}"

    def finish(self, result: dict[str, Any]) -> None:
        self._over.set()
        judgement = result["judgement"]
        word = judgement["outcome"].upper()
        colour = _COLOUR.get(judgement["outcome"], "31;1")
        self._put("")
        self._put(f"{self._paint(word, colour)}  {judgement['reason']}")
        self._put("")
        for line in objective_lines(judgement):
            self._put("  " + line)
        for remark in result.get("remarks", ()):
            self._put(f"  note: {remark}")
        self._put("")
        if result["bundle"]:
            self._put(f"  bundle    {nearby(result['bundle'])}")
            self._put(f"  identity  sha256:{result['identity']}")
            self._put(f"  check it  fireproof verify {nearby(result['bundle'])}")
            write_line(sys.stdout, nearby(result["bundle"]))
        else:
            self._put(f"  NOT SEALED: {result.get('unsealed')}")
            self._put(f"  the records are in {result['folder']}; once the cause is gone:")
            self._put(f"  fireproof recover {result['folder']}")
        if result["exit_code"] == 4:
            self._put(self._paint("  THE SYSTEM MAY STILL BE BROKEN; see the undo above", "31;1"))

    def _verdict(self, verdict: str) -> str:
        return self._paint(_MARK[verdict], _COLOUR.get(verdict, "31;1"))

    def _paint(self, text: str, codes: str) -> str:
        return f"\x1b[{codes}m{text}\x1b[0m" if self._colour else text

    def _put(self, line: str) -> None:
        write_line(self._stream, line)


def objective_lines(judgement: dict[str, Any]) -> list[str]:
    """Verdict, name, measured interval and limit of every objective, in columns; then why not."""
    unasked = [
        f"NOT ASKED  {one['name']}: {one['reason']}" for one in judgement.get("not_asked", ())
    ]
    rows = []
    for objective in judgement["objectives"]:
        measured = objective["measured"]
        text = format_measure(measured[0]) if measured else shorten(objective["reason"], 60)
        limit = f"limit {objective['limit']}" if measured else ""
        rows.append((_MARK[objective["verdict"]], objective["name"], text, limit))
    if not rows:
        return ["no objective was judged", *unasked]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = []
    for row, objective in zip(rows, judgement["objectives"], strict=True):
        cells = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        lines.append(cells.rstrip())
        if objective["verdict"] != "met" or objective["kind"] in _TOLD:
            lines.append(" " * (widths[0] + 2) + shorten(objective["reason"]))
    return [*lines, *unasked]


def format_measure(measure: dict[str, Any]) -> str:
    """An interval for people; what could not be told says so."""
    interval = measure["interval"]
    if interval is None:
        return "not measured"

    def bound(text: str | None) -> str:
        if text is None:
            return "never"
        return format_seconds(float(text)) if measure["unit"] == "s" else text

    low, high = bound(interval["lo"]), bound(interval["hi"])
    unit = "" if measure["unit"] == "s" else f" {measure['unit']}"
    return f"{low}{unit}" if low == high else f"{low} to {high}{unit}"


def _clock(ns: int) -> str:
    """Minutes and seconds since the first record."""
    return f"{ns // 60_000_000_000:02d}:{ns / 1e9 % 60:04.1f}"


def nearby(path: str) -> str:
    """Relative to here when it is below here."""
    absolute, here = Path(path), Path.cwd()
    return str(absolute.relative_to(here)) if absolute.is_relative_to(here) else path
