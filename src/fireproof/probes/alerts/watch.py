"""Evaluates rules over a metrics page, posts what changes to the webhook, writes what arrives."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from fireproof.children.status import Status
from fireproof.model.rule import Series, Watched
from fireproof.model.sample import ALERT_HEADER
from fireproof.probes.alerts.webhook import Webhook, body_of
from fireproof.probes.attempt import HttpAttempt, Target
from fireproof.probes.http1 import request
from fireproof.probes.rows import RowWriter


@dataclass(frozen=True, slots=True)
class Page:
    """A metrics page and how often it is read."""

    url: str
    target: Target
    every_ns: int
    timeout_ns: int


class AlertWatch:
    """From ``run`` until ``stop``; every evaluation and every alert received leaves a row."""

    header = ALERT_HEADER

    def __init__(
        self,
        rows: RowWriter,
        status: Status,
        *,
        names: Sequence[str],
        port: int,
        page: Page | None,
        rules: Sequence[Watched],
    ) -> None:
        self._rows, self._status, self._names = rows, status, frozenset(names)
        self._page, self._rules = page, rules
        self._lock = threading.Lock()  # the webhook answers in threads
        self._webhook = Webhook(port, self._received)
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Listen, and evaluate at absolute due times."""
        self._webhook.start()
        if self._page is None:  # somebody else evaluates; that we listen is all we can observe
            self._status.observed(True, time.monotonic_ns())
            await self._stopping.wait()
        else:
            await self._evaluate(self._page)
        self._webhook.stop()
        with self._lock:
            self._rows.close()
            self._status.rows = self._rows.rows

    def stop(self) -> None:
        """Evaluate nothing more, take nothing more."""
        self._stopping.set()

    async def _evaluate(self, page: Page) -> None:
        parts = urlsplit(page.url)
        question = request("GET", parts.path or "/", parts.netloc)
        due_ns = time.monotonic_ns()
        while not self._stopping.is_set():
            asked = await ask(page.target, question, page.timeout_ns)
            whole = asked.end == "answered" and asked.response.status == 200
            series = read_series(asked.response.body) if whole else None
            up: Series = ("up", {}, 1.0 if series is not None else 0.0)
            said = "ok" if series is not None else asked.end if not whole else "malformed"
            self._row("scrape", "", asked.sent_ns, asked.done_ns, said)
            self._status.observed(True, asked.done_ns)
            for rule in self._rules:
                changed = rule.evaluate([*(series or ()), up], time.monotonic_ns())
                if changed is not None:
                    await self._post(rule.name, changed)
            due_ns = max(due_ns + page.every_ns, time.monotonic_ns())
            left_s = (due_ns - time.monotonic_ns()) / 1e9
            try:
                await asyncio.wait_for(self._stopping.wait(), max(0.0, left_s))
            except TimeoutError:
                continue

    async def _post(self, name: str, firing: bool) -> None:
        port = self._webhook.port
        body = body_of(name, firing, {"evaluator": "embedded"})
        question = request("POST", "/", f"127.0.0.1:{port}", body=body)
        await ask(Target("127.0.0.1", port, None), question, 5 * 10**9)

    def _received(self, name: str, firing: bool, before_ns: int, after_ns: int) -> None:
        if name not in self._names:
            return
        self._row("received", name, before_ns, after_ns, "firing" if firing else "resolved")
        if firing:
            self._status.observed(False, after_ns)

    def _row(self, event: str, alert: str, before_ns: int, after_ns: int, detail: str) -> None:
        with self._lock:
            self._rows.add_now(f"{event},{alert},{before_ns},{after_ns},{detail}")


async def ask(target: Target, question: bytes, timeout_ns: int) -> HttpAttempt:
    """One exchange to its end, however it ends."""
    over = asyncio.Event()
    now_ns = time.monotonic_ns()
    attempt = HttpAttempt(
        target,
        question,
        slot=0,
        due_ns=now_ns,
        deadline_ns=now_ns + timeout_ns,
        ended=lambda _: over.set(),
    )
    await over.wait()
    return attempt


def read_series(body: bytes) -> list[Series] | None:
    """Every sample of a page in Prometheus' text format; None when it is none."""
    from prometheus_client.parser import text_string_to_metric_families

    try:
        families = list(text_string_to_metric_families(body.decode("utf-8")))
    except (ValueError, IndexError, KeyError):  # the parser's ways of refusing a line
        return None
    return [
        (sample.name, sample.labels, float(sample.value))
        for family in families
        for sample in family.samples
    ]
