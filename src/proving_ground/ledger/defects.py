"""Known defects that can be switched on, so that the drills themselves can be tested.

Each stands here once, and once in the code as ``if defects.on(NAME)``. Stdlib only.
"""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from fireproof.errors import EnvironmentRefusal


@dataclass(frozen=True, slots=True)
class Defect:
    """One way to be wrong."""

    process: str  # the part of ``python -m proving_ground PART`` it lives in
    breaks: str
    noticed_by: str  # the behaviour that a drill must find broken, with its checklist row


DEFECTS: dict[str, Defect] = {
    # ledger: topology
    "ready-without-database": Defect(
        "ledger", "readyz says ready without asking the database", "readiness tells the truth (125)"
    ),
    "no-request-id": Defect(
        "ledger", "each request gets a new id, whatever the client sent", "correlation ids (132)"
    ),
    "alive-needs-database": Defect(
        "ledger", "healthz fails when the database does", "liveness is the process alone (125)"
    ),
    "ready-while-draining": Defect(
        "ledger", "it stays ready and in service after SIGTERM", "readiness turns first (32)"
    ),
    "drops-requests-on-shutdown": Defect(
        "ledger", "SIGTERM ends it at once, requests and all", "in-flight requests finish (32)"
    ),
    "ignores-slot": Defect(
        "ledger", "it is in service whatever the slot file says", "the switch moves all (27, 28)"
    ),
    "hides-version": Defect("ledger", "every answer says v1", "the served version is known (23)"),
    "spoils-appends": Defect(
        "ledger", "what fails reads fails appends, too", "no append fails (28)"
    ),
    "shared-cache-keys": Defect(
        "ledger", "versions share their cache entries", "no stale entry after rollback (23)"
    ),
    "cache-without-tenant": Defect(
        "ledger", "tenants share their cache entries", "tenants are kept apart (67)"
    ),
    "cache-outage-is-fatal": Defect(
        "ledger", "without its cache a read fails", "correct answers when it is lost (80)"
    ),
    "pool-without-bound": Defect(
        "ledger", "requests wait a minute for a connection", "clear, quick refusals (79)"
    ),
    "pool-leaks": Defect(
        "ledger", "a timed-out statement keeps its connection", "recovers without restart (79)"
    ),
    "fails-when-cold": Defect(
        "ledger", "a replica's first ten appends fail", "no failed request in a switch (28)"
    ),
    "knows-one-database": Defect(
        "ledger", "of several databases it only tries the first", "it follows a failover (8)"
    ),
    "acknowledges-unstored": Defect(
        "ledger", "one append in fifty is acknowledged and not stored", "no data loss (4, 8, 11)"
    ),
    "cache-given-up": Defect(
        "ledger", "a cache that failed is never asked again", "the cache warms up again (80)"
    ),
    "cuts-what-was-begun": Defect(
        "ledger", "after the drain it ends in the middle of requests", "requests finish (32)"
    ),
    "refuses-while-draining": Defect(
        "ledger", "it refuses as soon as it drains", "no client fails (32)"
    ),
    "leaves-late": Defect("ledger", "it drains for twelve seconds", "it leaves in time (32)"),
    "log-level-ignored": Defect("ledger", "every level is logged", "the level filter works (131)"),
    "loses-line-at-rotation": Defect(
        "ledger", "the line that finds its file renamed is dropped", "no line is lost (131)"
    ),
    "metrics-malformed": Defect(
        "ledger", "a line of /metrics is no Prometheus text", "metrics can be read (126)"
    ),
    "milliseconds-as-seconds": Defect(
        "ledger", "the histogram is told milliseconds", "histograms agree with clients (127)"
    ),
    "logs-bodies": Defect("ledger", "bodies stand in the log", "no secret in a log line (131)"),
    "leaks-memory": Defect(
        "ledger", "each appended event keeps 256 KiB for ever", "memory does not grow (86)"
    ),
    "leaks-handles": Defect(
        "ledger", "each appended event keeps a file open", "handles do not grow (86)"
    ),
    "slow-reads": Defect("ledger", "every read waits 1.5 s", "percentiles hold under load (88)"),
    # ledger: access
    "accept-alg-none": Defect("ledger", "a token without signature is believed", "row 43"),
    "accept-missing-kid": Defect("ledger", "a token that names no key is tried with one", "row 42"),
    "skip-signature": Defect("ledger", "signatures of tokens are not checked", "row 43"),
    "ignore-aud": Defect("ledger", "tokens for other services are believed", "row 43"),
    "ignore-iss": Defect("ledger", "tokens of other issuers are believed", "row 43"),
    "ignore-exp": Defect("ledger", "expired tokens are believed", "row 43"),
    "ignore-nbf": Defect("ledger", "tokens of tomorrow are believed today", "row 43"),
    "malformed-token-crashes": Defect("ledger", "garbage for a token gives 500", "row 43"),
    "keys-never-refreshed": Defect("ledger", "a new signing key is never learned", "row 40"),
    "keys-never-expire": Defect("ledger", "a retired key is believed for ever", "rows 39, 40"),
    "keys-kept-briefly": Defect(
        "ledger", "the key set is believed for a quarter of its time", "row 39"
    ),
    "provider-given-up": Defect(
        "ledger", "a provider that failed once is never asked again", "row 39"
    ),
    "provider-failure-escapes": Defect(
        "ledger", "an unknown key gives 500 while the provider is away", "row 39"
    ),
    "empty-keys-while-refreshing": Defect(
        "ledger", "valid tokens are refused while the key set is read", "row 41"
    ),
    "no-refresh-cooldown": Defect(
        "ledger", "every junk kid makes the provider serve its keys", "row 40"
    ),
    "skip-role-check": Defect("ledger", "every role may do everything", "rows 44, 69"),
    "forbidden-as-unauthorised": Defect("ledger", "403 is answered as 401", "row 45"),
    "tenant-from-path": Defect("ledger", "the path's tenant counts, not the token's", "row 67"),
    "tenant-from-header": Defect("ledger", "X-Tenant overrides the token's tenant", "row 68"),
    "read-across-tenants": Defect(
        "ledger", "an event is found by its number whoever owns it", "row 67"
    ),
    "refusal-tells-by-time": Defect(
        "ledger", "404 takes longer for an event that another tenant has", "row 70"
    ),
    "silent-refusals": Defect("ledger", "refusals leave no audit entry", "row 52"),
    "audit-without-id": Defect("ledger", "audit entries hold no correlation id", "rows 52, 132"),
    "wrong-retry-after": Defect("ledger", "Retry-After says 0 on an empty bucket", "row 54"),
    "one-bucket-for-all": Defect("ledger", "tenants share one bucket", "row 55"),
    "limit-per-instance": Defect(
        "ledger", "each instance has a bucket of its own in the shared store", "row 56"
    ),
    "limiter-fails-open": Defect("ledger", "no limit while the store is away", "row 57"),
    "ignore-tiers": Defect("ledger", "above the smallest, every tier has one limit", "row 58"),
    "refill-too-fast": Defect(
        "ledger", "buckets above the smallest fill four times as fast", "row 53"
    ),
    "store-loss-unlogged": Defect("ledger", "the loss of the store is in no log", "row 57"),
    "unlogged-refusals": Defect("ledger", "a 429 leaves no line in the log", "row 59"),
    "uncounted-refusals": Defect("ledger", "a refusal is not seen in the metrics", "row 104"),
    "client-certificate-optional": Defect(
        "ledger", "the mTLS listener takes clients without a certificate", "row 61"
    ),
    "any-client-name": Defect(
        "ledger", "any certificate of the authority opens the mTLS listener", "row 61"
    ),
    "certificate-never-renewed": Defect("ledger", "a renewed certificate is not seen", "row 63"),
    "accept-readable-key": Defect("ledger", "a key that others can read is served", "row 64"),
    "accept-http-urls": Defect("ledger", "production starts with http:// URLs", "row 60"),
    "start-without-auth": Defect("ledger", "production starts without its JWT settings", "row 46"),
    "start-without-limiter": Defect(
        "ledger", "production starts without the store of its limits", "refused at the start"
    ),
    "ends-late": Defect(
        "ledger", "with wrong settings it takes six seconds to end", "who deploys need not wait"
    ),
    "previous-secret-forever": Defect(
        "ledger", "a dropped shared secret is still accepted", "row 51"
    ),
    "current-secret-only": Defect(
        "ledger", "the previous shared secret is refused at once", "row 51"
    ),
    "signatures-never-end": Defect(
        "ledger", "a recorded signed request may be sent again for ever", "row 50"
    ),
    "login-never-renewed": Defect(
        "ledger", "connections keep the login role they began with", "secret rotation"
    ),
    "leak-token-in-log": Defect("ledger", "a refused token is written to the log", "row 73"),
    "no-security-headers": Defect("ledger", "answers carry no security headers", "row 66"),
    # ledger: engine
    "duplicate-booked-twice": Defect(
        "ledger", "the same key is a new event each time", "an effect happens once (20)"
    ),
    "duplicate-refused": Defect(
        "ledger", "a duplicate inside the window is refused", "a duplicate gets its answer (20)"
    ),
    "window-never-ends": Defect(
        "ledger", "a duplicate long after is answered as before", "late duplicates refused (20)"
    ),
    "breaker-never-opens": Defect(
        "ledger", "no number of failures opens it", "opens after exactly N failures (74)"
    ),
    "breaker-never-closes": Defect(
        "ledger", "once open it stays open", "closes again by itself (75)"
    ),
    "half-open-floods": Defect(
        "ledger", "everybody is let through while half-open", "one probe decides (75)"
    ),
    "breaker-counts-4xx": Defect(
        "ledger", "an answer 4xx of the engine is its failure", "4xx never counts (76)"
    ),
    "breaker-silent": Defect(
        "ledger", "transitions are neither logged nor counted", "transitions are seen (82)"
    ),
    "breaker-unlogged": Defect(
        "ledger", "transitions are counted and not logged", "transitions are seen (82)"
    ),
    "breaker-order-lost": Defect(
        "ledger", "every transition is counted as the first", "transitions are seen (82)"
    ),
    "retries-in-step": Defect(
        "ledger", "pauses between attempts have no jitter", "retries vary (77)"
    ),
    "retries-too-soon": Defect(
        "ledger", "pauses between attempts are a tenth of the policy's", "retries back off (77)"
    ),
    "retry-storm": Defect(
        "ledger", "forty attempts at once instead of three", "attempts and gaps are bounded (77)"
    ),
    "proofs-unchecked": Defect(
        "ledger", "a proof is handed on as the engine gave it", "no false proof arrives (21)"
    ),
    "backlog-reads-zero": Defect(
        "ledger", "backlog and lag are always 0", "backlog and freshness are seen (95, 105)"
    ),
    "ingest-waits-for-engine": Defect(
        "ledger", "an append asks the engine first", "ingest goes on without the engine (105)"
    ),
    "never-sheds": Defect(
        "ledger", "no limit on requests in flight", "load is shed at the limit (104)"
    ),
    "sheds-early": Defect(
        "ledger", "it refuses at a quarter of its limit", "a hundred are served at once (87)"
    ),
    "sheds-with-500": Defect(
        "ledger", "at its limit it breaks instead of refusing", "a spike is shed, no 5xx crash (90)"
    ),
    "sheds-on": Defect(
        "ledger", "after 150 refusals it refuses for ten seconds", "well again after a spike (90)"
    ),
    "refusal-counts": Defect(
        "ledger", "an answer 4xx of a provider is its failure", "4xx never counts (76)"
    ),
    "chain-backwards": Defect(
        "ledger", "providers are tried last first", "providers are tried in order (78)"
    ),
    "chain-goes-on": Defect(
        "ledger", "after the first provider took it the next gets it, too", "one delivery (78)"
    ),
    "chain-gives-up": Defect(
        "ledger", "after the first failure no other is tried", "the chain fails over (78)"
    ),
    # switch
    "switch-leaves-late": Defect(
        "switch", "a dead replica is chosen for ten seconds more", "a dead one gets no traffic (33)"
    ),
    "switch-returns-late": Defect(
        "switch", "a replica that is back waits six seconds", "it gets traffic again (33)"
    ),
    # migrate
    "holds-its-lock": Defect(
        "migrate", "a step up keeps the table to itself for 0.6 s", "lock time (36)"
    ),
    "leaves-column-behind": Defect(
        "migrate", "a step down leaves a column", "the schema comes back (36)"
    ),
    # identity
    "retire-keeps-publishing": Defect(
        "identity", "a retired key stays in the published set", "row 40"
    ),
    "publish-late": Defect(
        "identity", "a key signs before it stands in the published set", "row 41"
    ),
    # engine
    "reader-gap": Defect(
        "engine", "one event of each batch is left out of the tree", "every event is proved (17)"
    ),
    "restarts-slowly": Defect(
        "engine", "started again it takes 22 s to live", "mitigated soon after the alert (106)"
    ),
    "last-event-waits": Defect(
        "engine", "the newest event waits for the next one", "the backlog is drained (105)"
    ),
    "drains-slowly": Defect("engine", "one event a round", "the backlog is drained in time (105)"),
    "wrong-root": Defect(
        "engine", "checkpoints state another root", "roots are recomputed (17, 21)"
    ),
    "signs-with-another-key": Defect(
        "engine", "checkpoints are signed by a key nobody trusts", "signatures are checked (21)"
    ),
    "checkpoints-unlinked": Defect(
        "engine", "no checkpoint names the one before", "a missing checkpoint is noticed (21)"
    ),
    "checkpoints-stop": Defect(
        "engine", "after the first no checkpoint is made", "checkpoints are fresh (95, 105)"
    ),
    "checkpoint-before-commit": Defect(
        "engine", "shown a second before it is stored", "what was shown survives a kill (11)"
    ),
    "trusts-what-is-stored": Defect(
        "engine", "builds upon a tampered log after a restart", "a changed event is found (7, 21)"
    ),
    "proof-of-neighbour": Defect(
        "engine", "one proof in 64 is that of the next event", "every proof verifies (105)"
    ),
    "engine-answers-500": Defect(
        "engine", "every proof is answered 500", "5xx counts as a failure (76)"
    ),
    "engine-slow": Defect("engine", "every proof takes 5 s", "a timeout counts as a failure (76)"),
    # cross-sign
    "signature-ignored": Defect(
        "cross-sign", "an event's signature is believed unseen", "signatures are checked (50)"
    ),
    "names-by-character": Defect(
        "cross-sign", "one way sorts names by characters, not by UTF-16 units", "signed alike (49)"
    ),
    # replay
    "refusal-ends-with-0": Defect(
        "replay", "a refused log ends the command with 0", "it fails on a difference (18)"
    ),
    "known-unread": Defect(
        "replay", "checkpoints seen elsewhere are not looked for", "a cut log is refused (21)"
    ),
    # storage
    "batch-unguarded": Defect(
        "storage", "a batch is stored whoever sends it", "storage refuses, too (69)"
    ),
    # audit
    "audit-digests-unread": Defect(
        "audit", "the digests of the audit log are not recomputed", "tampering is noticed (133)"
    ),
    # provision
    "audit-rewritable": Defect(
        "provision", "entries of the audit log can be changed", "it only grows (133)"
    ),
    "service-rewrites-events": Defect(
        "provision", "the service's role may change events", "the database refuses, too (69)"
    ),
    # notify
    "delivers-too-late": Defect(
        "notify", "a notice is delivered after its deadline", "exactly one delivery (78)"
    ),
    "delivers-again": Defect(
        "notify", "a notice sent twice is delivered twice", "exactly one delivery (78)"
    ),
    "answers-error-after-delivery": Defect(
        "notify", "says 500 for a notice that it delivered", "exactly one delivery (78)"
    ),
}

_on: set[str] = set()


def on(name: str) -> bool:
    """Whether this process has the defect."""
    if name not in DEFECTS:
        raise KeyError(name)
    return name in _on


@contextlib.contextmanager
def taken(words: Iterable[str], process: str) -> Iterator[None]:
    """As ``take``, for the length of the block: for a part that is no process of its own."""
    before = set(_on)
    take(list(words), process)
    try:
        yield
    finally:
        _on.intersection_update(before)


def take(argv: list[str], process: str) -> list[str]:
    """Switch on what ``--defect NAME`` names; the other words.

    Raises:
        SystemExit: 2, with the nearest name, for one that such a process does not have.
    """
    rest: list[str] = []
    words = iter(argv)
    for word in words:
        if word != "--defect":
            rest.append(word)
            continue
        name = next(words, "")
        ours = sorted(each for each, defect in DEFECTS.items() if defect.process == process)
        if name not in ours:
            raise SystemExit(_complain(f"{process}: --defect", name, ours))
        _on.add(name)
    return rest


def parse_list(text: str, where: str) -> list[str]:
    """Names of a list such as ``a,b``, sorted, each once.

    Raises:
        EnvironmentRefusal: for a name that no process has.
    """
    names = sorted({word.strip() for word in text.split(",") if word.strip()})
    wrong = [_words(where, name, sorted(DEFECTS)) for name in names if name not in DEFECTS]
    if wrong:
        raise EnvironmentRefusal("; ".join(wrong))
    return names


def _words(where: str, name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean {near[0]!r}?" if near else "known are " + ", ".join(known)
    return f"{where}: {name!r} is not a known defect; {hint}"


def _complain(where: str, name: str, known: list[str]) -> int:
    import sys

    print(_words(where, name, known), file=sys.stderr)
    return 2
