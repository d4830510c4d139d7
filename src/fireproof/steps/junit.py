"""pytest's JUnit file as checks: each test by a name that stays the same between runs."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

from fireproof.model.ports import Check
from fireproof.steps.outputs import one_line, read_plain

_MAX_BYTES = 64 * 2**20


def _name(case: ET.Element) -> str:
    """``sub/test_x::TestClass::test_y[param]``, from xunit1's file and classname."""
    file, name = case.get("file", ""), case.get("name", "")
    stem = file.removesuffix(".py")
    dotted = case.get("classname", "")
    if not stem:  # a module that could not be collected is named by classname or name alone
        return "::".join(
            part for part in (dotted.replace(".", "/"), name.replace(".", "/")) if part
        )
    module = stem.replace("/", ".")
    if not f"{dotted}.".startswith(f"{module}."):  # imported: it ran where classname says
        return f"{dotted.replace('.', '/')}::{name}"
    inner = dotted.removeprefix(module).strip(".")
    return "::".join([stem, *(part for part in inner.split(".") if part), name])


def _verdict(case: ET.Element) -> tuple[bool | None, str]:
    """(ok, what was observed) of one test case."""
    for tag, ok, word in (("error", False, "error"), ("failure", False, "failed")):
        if (found := case.find(tag)) is not None:
            said = (found.get("message") or found.text or "").strip().splitlines()
            return ok, one_line(f"{word}: {said[0] if said else 'no message'}", 200)
    if (found := case.find("skipped")) is not None:
        return None, one_line(f"skipped: {found.get('message') or 'no reason given'}", 200)
    try:
        took = f"{float(case.get('time', '')):.2f} s"
    except ValueError:
        return None, "no duration in the report"
    return True, f"passed in {took}"


def _measured(case: ET.Element, ok: bool | None, said: str) -> tuple[str, str]:
    """(expected, observed): what ``record_property`` told under these names, else the verdict."""
    told = {
        found.get("name"): one_line(found.get("value", ""), 400)
        for found in case.iterfind("properties/property")
    }
    observed = told.get("observed", said)
    if "observed" in told and ok is not True:
        observed = f"{observed}; {said}"
    return told.get("expected", "passes"), observed


def read_junit(path: Path) -> tuple[Check, ...] | None:
    """One check a test, in the order they ran; None when the file is missing, torn or not JUnit.

    A test reported twice (its teardown failed after it passed) is one check with the worse end.
    """
    data = read_plain(path, _MAX_BYTES)
    try:
        root = None if data is None else ET.fromstring(data)  # noqa: S314 (expat >= 2.4.1 refuses entity bombs itself)
    except ET.ParseError:
        return None
    if root is None or root.tag != "testsuites":
        return None
    checks: dict[str, Check] = {}
    rank = (True, None, False)
    for case in root.iter("testcase"):
        if not case.get("name"):
            return None  # pytest.exit() within a test leaves it nameless and without a failure
        name = _name(case)
        ok, observed = _verdict(case)
        before = checks.get(name)
        if before is None or rank.index(ok) > rank.index(before.ok):
            checks[name] = Check(name, ok, *_measured(case, ok, observed))
    return tuple(checks.values())
