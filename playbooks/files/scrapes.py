"""The pages of /metrics while something happens: kept whole, then read as Prometheus reads them."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from archive import Checks, Stop
from beside import Beside
from deployment import ask_http
from prometheus_client.parser import text_string_to_metric_families

EVERY_S = 0.25
FAMILIES = ("ledger_requests", "ledger_request_seconds", "ledger_appends", "ledger_ready")
_NEVER_FALL = ("_total", "_count", "_bucket", "_sum")
_TYPE = "text/plain; version="

Values = dict[tuple[str, tuple[tuple[str, str], ...]], float]


class Scrapes(Beside):
    """Every instance asked four times a second; one that does not answer is a page, too: down."""

    def __init__(self, urls: Mapping[str, str]) -> None:
        super().__init__()
        self._urls = urls
        self.taken: list[dict[str, Any]] = []

    def of(self, name: str) -> list[dict[str, Any]]:
        """Of one instance, oldest first."""
        return [one for one in self.taken if one["instance"] == name]

    def keep(self, outputs: str) -> None:
        """The series as evidence: one JSON line a page."""
        lines = (json.dumps(one) + "\n" for one in self.taken)
        (Path(outputs) / "series.jsonl").write_text("".join(lines), "utf-8")

    def work(self) -> None:
        """Asks each in turn, whoever answers."""
        while True:
            for name, url in self._urls.items():
                at = datetime.now(UTC).isoformat(timespec="milliseconds")
                try:
                    status, headers, page = ask_http(url, "GET", "/metrics")
                except Stop:
                    status, headers, page = 0, {}, ""
                kind = headers.get("content-type", "")
                one = {"at": at, "instance": name, "status": status, "type": kind, "page": page}
                self.taken.append(one)
            if self.over.wait(EVERY_S):
                return


def judge_pages(scrapes: Scrapes, restarted: str, checks: Checks) -> None:
    """Each page parses and is complete; counters only grow; who was away is seen to be away.

    Args:
        scrapes: of several instances.
        restarted: the one whose counters begin anew.
        checks: where the comparisons go.
    """
    up = [one for one in scrapes.taken if one["status"]]
    wrong = [why for one in up if (why := _why_not(one))]
    checks.add(
        "every-page-parses",
        bool(up) and not wrong,
        f"{len(up)} of {len(up)} pages, each with {', '.join(FAMILIES)}",
        "; ".join([f"{len(up) - len(wrong)} of {len(up)} pages", *wrong[:1]]),
    )
    spoiled = {**up[-1], "page": up[-1]["page"] + "ledger_requests_total{route= 1\n"}
    refused = _why_not(spoiled)
    checks.add("spoiled-page-refused", refused is not None, "refused", refused or "it parses")
    if not wrong:
        _judge_counters(scrapes, {one["instance"] for one in up} - {restarted}, checks)
    seen = [
        key for key, _ in itertools.groupby(bool(one["status"]) for one in scrapes.of(restarted))
    ]
    words = ", ".join("up" if key else "down" for key in seen)
    checks.add("outage-in-series", seen == [False, True], f"{restarted}: down, up", words)


def _judge_counters(scrapes: Scrapes, names: Iterable[str], checks: Checks) -> None:
    number, fell = 0, []
    for name in names:
        pages = [_values(one["page"]) for one in scrapes.of(name) if one["status"]]
        number += len(pages[-1])
        fell += _fell(pages)
    good = number > 0 and not fell
    seen = "; ".join(fell[:3]) or f"none of {number} series falls"
    checks.add("counters-never-fall", good, f"none of {number} series falls", seen)


def _why_not(one: Mapping[str, Any]) -> str | None:
    """Why Prometheus would not take the page."""
    if one["status"] != 200 or not one["type"].startswith(_TYPE):
        return f"answered {one['status']}, {one['type']!r}"
    try:
        names = {family.name for family in text_string_to_metric_families(one["page"])}
    except (ValueError, IndexError, KeyError) as err:
        return f"no Prometheus text: {err}"
    missing = [name for name in FAMILIES if name not in names]
    return f"without {', '.join(missing)}" if missing else None


def _values(page: str) -> Values:
    """What may only grow."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if family.type in ("counter", "histogram") and sample.name.endswith(_NEVER_FALL)
    }


def _fell(pages: list[Values]) -> list[str]:
    return [
        f"{name} {dict(labels)} from {old[name, labels]:g} to {new.get((name, labels), 0):g}"
        for old, new in itertools.pairwise(pages)
        for name, labels in old
        if new.get((name, labels), 0) < old[name, labels]
    ]
