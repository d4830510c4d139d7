"""The shipped drills, and where each is killed: at random, at edges, in the middle of a step."""

from __future__ import annotations

from dataclasses import dataclass

from support.killing import NAMED


@dataclass(frozen=True)
class Drilled:
    """A shipped drill, how often it is killed at random, and where it is killed by name."""

    name: str
    at_random: int
    points: tuple[str, ...]


# Points of the journal, and moments ("seen:") in which the lab looks like that.
RECOVER, VERIFY = "step-start.recover:after", "step-start.verify:after"
DRILLS = (
    Drilled(
        "backup-restore",
        120,
        (
            *(*NAMED, "move:before", "move:after", "move#2:before", "canary-read:after"),
            *("intent#2:before", "intent#2:after", "seen:backup-half-uploaded"),
        ),
    ),
    Drilled("auth-failfast", 2, (VERIFY,)),
    Drilled("backup-restore-synchronous", 2, ("seen:receiver-runs", "injected:after", VERIFY)),
    Drilled("blue-green", 2, ("seen:moved", "injected:after", "step-start.recover#2:after")),
    Drilled("cache-loss", 2, ("injected:after", "seen:cache-stopped", VERIFY)),
    Drilled("cert-rotation", 2, ("injected:after", RECOVER, VERIFY)),
    Drilled(
        "corrupt-store",
        2,
        (
            *("intent#3:after", "seen:database-stopped", "seen:data-aside"),
            *("seen:restored-beside-aside", "seen:half-discarded", "revert-begin:after"),
        ),
    ),
    Drilled("crash-durability", 2, ("injected:after", "injected#2:after", "reverted:before")),
    Drilled("drain", 2, ("injected:after", "seen:replica-stopped", VERIFY)),
    Drilled("engine-hang", 2, ("injected:after", "seen:engine-stopped", VERIFY)),
    Drilled("engine-outage", 2, ("injected:after", RECOVER, "revert-begin:after")),
    Drilled(
        "failover",
        2,
        (
            *("seen:standby-waited-for", "injected:after", "seen:standby-promoted"),
            *("seen:switching-back", VERIFY, "revert-begin:after"),
        ),
    ),
    Drilled("jwks-outage", 2, ("injected:after", RECOVER, VERIFY)),
    Drilled("key-rotation", 2, ("intent:after", "seen:two-keys", VERIFY)),
    Drilled("migration", 2, ("injected:after", "injected#2:after", "step-start.recover#3:after")),
    Drilled("observability", 2, ("injected#2:after", RECOVER, "seen:logs-errors-alone")),
    Drilled("pool-exhaustion", 2, ("injected:after", RECOVER, VERIFY)),
    Drilled("provider-failover", 2, ("injected#2:after", "seen:providers-refuse", VERIFY)),
    Drilled("rate-limit", 2, ("injected:after", "seen:limiter-stopped", VERIFY)),
    Drilled("replay", 2, ("injected:after", VERIFY)),
    Drilled("replica-loss", 2, ("injected#2:after", VERIFY)),
    Drilled("restore-and-replay", 2, ("seen:receiver-runs", RECOVER, VERIFY)),
    Drilled(
        "rollback",
        2,
        ("seen:v2-runs", "seen:v2-serves", "injected:after", "step-start.recover#2:after"),
    ),
    Drilled(
        "secret-rotation",
        2,
        ("seen:two-secrets", "seen:two-logins", "step-start.verify#2:after", "revert-begin:after"),
    ),
    Drilled("soak", 2, ("phase.verify:after",)),
    Drilled("spike", 2, (VERIFY,)),
    Drilled("tenant-isolation", 2, (VERIFY,)),
    Drilled("tenant-isolation-restored", 2, ("seen:receiver-runs", "injected:after", VERIFY)),
)
