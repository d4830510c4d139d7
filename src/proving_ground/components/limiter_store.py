"""The counts that instances share to limit rates. When it is full, writes fail."""

from __future__ import annotations

from proving_ground.components.redis_store import redis_store

COMPONENT = redis_store("limiter-store", "noeviction")
