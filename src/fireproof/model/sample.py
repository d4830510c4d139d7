"""Sample files: what probes wrote, one CSV row an observation, CLOCK_MONOTONIC nanoseconds.

Their bytes are evidence, so the shapes below are part of the evidence format.
"""

from __future__ import annotations

PROBE_HEADER = "due_ns,sent_ns,connected_ns,done_ns,status,outcome"
"""One row an attempt. ``sent_ns`` is taken just before the connection is opened, ``done_ns`` just
after the last byte or the failure; ``connected_ns`` is taken after the TLS handshake, if any, and
empty if it never connected; a timeout counts from ``due_ns``; ``status`` is empty without an
answer, and always of tcp, sql and plug-in probes (sql: ``connected_ns`` is the end of the login,
and an SQL error is ``error``; plug-in: it equals ``sent_ns``). Outcome: good, bad-status,
bad-content, slow, timeout, refused, reset, error, not-sent. A not-sent row has only ``due_ns``: the
in-flight cap was reached."""

CANARY_HEADER = "event,seq,at_ns,detail"
"""Two rows a write. ``intent``: about to be sent (detail = key). Then one of ``acked`` (2xx read to
its end), ``refused`` (4xx; detail = status), ``unknown`` (timeout, reset, 5xx; detail = why).
``not-sent``: the in-flight cap was reached. ``at_ns`` is just before sending for an intent, just
after the answer for the others."""

PRESENT_HEADER = "key,body_sha256,count"
"""What the store held after recovery: one row a distinct key, the sha256 of its body, how many."""

ALERT_HEADER = "event,alert,before_ns,after_ns,detail"
"""``scrape``: a metrics page was read and its rules evaluated (detail: ok, or why it could not be).
``received``: our webhook read a whole post about an alert (detail: firing or resolved); it came in
between ``before_ns`` and ``after_ns``. Alerts that the probe does not name leave no row."""

RESOURCES_HEADER = "due_ns,sent_ns,done_ns,processes,rss_bytes,handles,threads,connections"
"""One row a look at a component's processes, children included; the counts are empty when none
was there. ``rss_bytes`` counts shared pages once for each process; ``connections`` are established
TCP connections. A not-sent row has only ``due_ns``."""

LOAD_COLUMNS = ("due_ns", "late_us", "latency_us", "status", "outcome", "scenario")
"""Parquet, one row a request that came due. ``late_us``: from due to the instant its user began;
``latency_us``: from due to the end of its last answer; both empty for ``not-sent``. ``status``: of
that answer, 0 without one. Outcome: good, bad, timeout, error, not-sent."""


def canary_key(run: str, seq: int) -> str:
    """Key of the canary write number ``seq`` (from 0) of a run."""
    return f"{run}-{seq:08d}"


def canary_body(run: str, seq: int) -> str:
    """Payload text of that write; the judge recomputes it to tell corruption."""
    return f"canary {run} {seq:08d}"
