"""What the lab's two Redis stores have in common."""

from __future__ import annotations

from proving_ground.components.site import Built, Component, Site, sha256
from proving_ground.providers.redis import make_redis


def redis_store(name: str, policy: str) -> Component:
    """A component of its own server; ``policy`` says what goes when the memory is full."""

    def build(site: Site) -> Built:
        port = site.port(name)
        redis = make_redis(site.folder, name, port, policy)
        site.start(redis.server)
        says = {
            "kind": "redis",
            "url": redis.url,
            "host": "127.0.0.1",
            "port": str(port),
            "password-file": str(redis.password_file),
            **site.common(name),
            "faults": ["kill", "pause"],
        }
        record = {"redis": redis.version, "redis-sha256": sha256(redis.binary)}
        return Built(says, port, record=record)

    return Component(name, build, ports=(name,))
