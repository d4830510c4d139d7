"""The cache of the replicas. When it is full, the least used entries go."""

from __future__ import annotations

from proving_ground.components.redis_store import redis_store

COMPONENT = redis_store("cache-store", "allkeys-lru")
