"""The identity provider over HTTP: who may rotate, and what everybody sees."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from proving_ground.identity.app import Identity
from proving_ground.identity.keyring import Keyring
from proving_ground.identity.mint import KINDS, Mint
from proving_ground.ledger import defects


class AppClient:
    """Asks the application in process, one request at a time."""

    def __init__(self, app: Starlette) -> None:
        self._app = app

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(transport=transport, base_url="https://id") as client:
                return await client.request(method, path, **more)

        return asyncio.run(ask())

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.request("GET", path, **more)

    def post(self, path: str, **more: Any) -> httpx.Response:
        return self.request("POST", path, **more)


SECRET = "s" * 32
LET_IN = {"authorization": f"Bearer {SECRET}"}


@pytest.fixture(autouse=True)
def _off() -> Iterator[None]:
    yield
    defects._on.clear()


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with one key; RSA keys take time to make."""
    path = tmp_path_factory.mktemp("keys") / "keys.json"
    Keyring(path)
    return path


@pytest.fixture
def client(first: Path, tmp_path: Path) -> AppClient:
    path = tmp_path / "keys.json"
    path.write_bytes(first.read_bytes())
    mint = Mint("https://identity.test", "ledger")
    return AppClient(Identity(Keyring(path), mint, SECRET).app())


def published(client: AppClient) -> list[str]:
    return [key["kid"] for key in client.get("/.well-known/jwks.json").json()["keys"]]


def rotate(client: AppClient) -> tuple[str, str, list[list[str]]]:
    """Old and new kid, and the key set after publishing, signing and retiring."""
    old = published(client)[0]
    made = client.post("/keys/publish", headers=LET_IN, json={"algorithm": "ES256"}).json()
    seen = [published(client)]
    client.post(f"/keys/{made['kid']}/sign-with", headers=LET_IN)
    seen.append(published(client))
    client.post(f"/keys/{old}/retire", headers=LET_IN)
    seen.append(published(client))
    return old, made["kid"], seen


def test_a_rotation_overlaps(client: AppClient) -> None:
    """A verifier that reads the set at any moment finds the key of every living token."""
    old, new, seen = rotate(client)

    assert seen == [[old, new], [old, new], [new]]


@pytest.mark.parametrize(("defect", "wrong"), [("retire-keeps-publishing", 2), ("publish-late", 0)])
def test_a_broken_rotation_shows_in_the_key_set(client: AppClient, defect: str, wrong: int) -> None:
    """Each defect at the step that it breaks."""
    defects._on.add(defect)
    old, new, seen = rotate(client)

    assert seen[wrong] != [[old, new], [old, new], [new]][wrong]


def test_private_halves_are_never_published(client: AppClient) -> None:
    """A JWK of a private key looks almost the same."""
    for key in client.get("/.well-known/jwks.json").json()["keys"]:
        assert not set(key) & {"d", "p", "q", "dp", "dq", "qi", "k"}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/keys"),
        ("POST", "/keys/publish"),
        ("POST", "/keys/k1/sign-with"),
        ("POST", "/keys/k1/retire"),
        ("POST", "/tokens"),
    ],
)
def test_only_who_knows_the_secret_may_rotate_or_mint(
    client: AppClient, method: str, path: str
) -> None:
    """Whoever can mint is everybody."""
    wrong = {"authorization": "Bearer " + "x" * 32}

    assert client.request(method, path).status_code == 401
    assert client.request(method, path, headers=wrong).status_code == 401


def test_every_kind_of_token_can_be_had_and_a_wrong_wish_is_explained(client: AppClient) -> None:
    """Drills name kinds; a misspelt one must not become an empty pack."""
    every = client.post("/tokens", headers=LET_IN, json={"kinds": ["every"]}).json()["tokens"]
    wrong = client.post("/tokens", headers=LET_IN, json={"kinds": ["expird"]})
    signing = client.get("/keys", headers=LET_IN).json()["keys"]
    refused = client.post(f"/keys/{next(iter(signing))}/retire", headers=LET_IN)

    assert set(every) == set(KINDS)
    assert wrong.status_code == 422
    assert "no kind 'expird'" in wrong.json()["error"]
    assert refused.status_code == 409
    assert "let another sign first" in refused.json()["error"]
