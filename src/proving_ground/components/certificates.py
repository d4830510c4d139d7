"""The lab's authority and what it has signed; made when the first component asks."""

from __future__ import annotations

from pathlib import Path

from proving_ground.authority import Authority
from proving_ground.components.site import Site

SERVER_NAMES = ["ledger.test", "localhost", "127.0.0.1"]
CLIENT = "client.ledger.test"


def authority_folder(site: Site) -> Path:
    """Folder of the authority, with ``ca.pem`` for those who trust it."""
    return _made(site, "authority", "lab authority")


def server_file(site: Site, name: str) -> Path:
    """Certificate and key of a server of the lab."""
    folder = authority_folder(site)
    path = site.folder.secrets / f"{name}.pem"
    if not path.exists():
        Authority.load(folder).issue(path, SERVER_NAMES)
    return path


def client_files(site: Site) -> dict[str, str]:
    """Of a good client, and of those that must be refused: by what a drill may call them."""
    ours = Authority.load(authority_folder(site))
    others = Authority.load(_made(site, "other-authority", "somebody else"))
    folder = site.folder.secrets
    if not (folder / "client.pem").exists():
        ours.issue(folder / "client.pem", [CLIENT], for_client=True)
        ours.issue(folder / "client-expired.pem", [CLIENT], for_client=True, valid_for_s=-60)
        ours.issue(folder / "client-stranger.pem", ["stranger.test"], for_client=True)
        others.issue(folder / "client-other-ca.pem", [CLIENT], for_client=True)
    names = ("client", "client-expired", "client-stranger", "client-other-ca")
    found = {name: str(folder / f"{name}.pem") for name in names}
    return found | {"other-ca": str(folder / "other-authority" / "ca.pem")}


def _made(site: Site, name: str, title: str) -> Path:
    folder = site.folder.secrets / name
    if not (folder / "ca.pem").exists():
        folder.mkdir(mode=0o700, exist_ok=True)
        Authority.make(title).save(folder)
    return folder
