"""The archive: rclone serving S3 from a folder, or an endpoint of the user's own."""

from __future__ import annotations

from typing import Any

from proving_ground.components.site import Built, Component, Site, sha256
from proving_ground.providers import s3


def build(site: Site) -> Built:
    """Running, and holding the mark that tells "no such file" from "no archive"."""
    site.report("archive: starting")
    port = site.port("archive")
    archive = s3.make_archive(site.folder, port, site.user)
    if archive.server:
        site.start(archive.server)
    s3.open_archive(archive)
    says: dict[str, Any] = {
        "kind": "s3",
        "endpoint": archive.endpoint,
        "bucket": archive.bucket,
        "prefix": archive.prefix,
        "region": archive.region,
        "credentials": str(archive.credentials),
        "rclone": str(archive.rclone),
        "rclone-config": str(archive.config),
        "remote": archive.remote,
        "restore-command": str(site.folder.bin / "restore-wal"),
        "faults": [],
    }
    if archive.server:
        says |= {**site.common("archive"), "faults": ["kill", "pause"]}
    record = {
        "rclone": archive.run("version").stdout.partition("\n")[0],
        "rclone-sha256": sha256(archive.rclone),
    }
    return Built(says, port if archive.server else None, record=record)


COMPONENT = Component("archive", build, ports=("archive",))
