"""Each defect of the guards is seen: the same question, a healthy ledger and a broken one."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from proving_ground.ledger.shared_secret import HEADER, sign
from support.guarded import Guarded, act, beside, reaches_mtls
from support.small_lab import small_lab

pytestmark = [pytest.mark.component, pytest.mark.full]
Question = Callable[[Guarded, dict[str, Any], Path], bool]


@pytest.fixture(scope="module")
def components() -> Iterator[dict[str, Any]]:
    """A lab without a database: the guards are the same before the memory driver."""
    with small_lab("ledger-memory") as lab:
        found: dict[str, Any] = lab.environment()["components"]
        yield found


def refuses(kind: str) -> Question:
    """Whether a bad token gets 401 beside a good one that is let in."""

    def ask(guarded: Guarded, _: dict[str, Any], __: Path) -> bool:
        good = guarded.append(guarded.token(tier="premium")).status_code
        return (good, guarded.append(guarded.token(kind)).status_code) == (201, 401)

    return ask


def rotate(components: dict[str, Any], folder: Path, *verbs: str) -> None:
    for verb in verbs:
        act(folder, "rotate_keys.py", identity=components["identity"], verb=verb, algorithm="ES256")


def new_key_is_learned(guarded: Guarded, components: dict[str, Any], folder: Path) -> bool:
    guarded.append(guarded.token(tier="premium"))
    rotate(components, folder, "publish", "sign-with-new")
    time.sleep(float(guarded.says["jwks-cooldown-s"]) + 0.2)
    return guarded.append(guarded.token(tier="premium")).status_code == 201


def retired_key_is_refused(guarded: Guarded, components: dict[str, Any], folder: Path) -> bool:
    rotate(components, folder, "publish")  # so that the one which signs is not the last
    old = guarded.token(tier="premium")
    assert guarded.append(old).status_code == 201
    rotate(components, folder, "sign-with-new")
    for kid, state in guarded.identity.states().items():
        if state == "published":
            guarded.identity.ask("POST", f"/keys/{kid}/retire")
    time.sleep(float(guarded.says["jwks-ttl-s"]) + 0.3)
    return guarded.append(old).status_code == 401


def refresh_refuses_nobody(guarded: Guarded, _: dict[str, Any], __: Path) -> bool:
    """The provider goes away just when somebody's junk makes the service look again."""
    good = guarded.token(tier="premium")
    assert guarded.append(good).status_code == 201
    junk = guarded.token("junk-kid")
    with paused(guarded, _):
        time.sleep(float(guarded.says["jwks-cooldown-s"]) + 0.1)
        guarded.append(junk)
        return guarded.append(good).status_code == 201


def paused(guarded: Guarded, components: dict[str, Any]) -> Any:
    import os
    import signal

    @contextlib.contextmanager
    def hold() -> Iterator[None]:
        pid = int(Path(components["identity"]["control"]["pid-file"]).read_text("ascii"))
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    return hold()


def junk_costs_one_fetch(guarded: Guarded, _: dict[str, Any], __: Path) -> bool:
    guarded.append(guarded.token(tier="premium"))
    before = guarded.metric("ledger_jwks_fetches")
    for token in [guarded.token("junk-kid") for _ in range(6)]:
        guarded.append(token)
    return guarded.metric("ledger_jwks_fetches") - before <= 2


def reader_may_not_write(guarded: Guarded, _: dict[str, Any], __: Path) -> bool:
    return guarded.append(guarded.token(roles=["reader"])).status_code == 403


def path_is_not_believed(guarded: Guarded, _: dict[str, Any], __: Path) -> bool:
    return guarded.append(guarded.token(tenant="other"), tenant="acme").status_code == 403


def header_is_not_believed(guarded: Guarded, _: dict[str, Any], __: Path) -> bool:
    token = guarded.token(tenant="other")
    return guarded.append(token, headers={"x-tenant": "acme"}).status_code == 403


def number_of_another_is_unknown(guarded: Guarded, _: dict[str, Any], __: Path) -> bool:
    seq = guarded.append(guarded.token(tier="premium")).json()["seq"]
    other = guarded.token(tenant="other")
    return guarded.ask("GET", f"/v1/other/events/{seq}", other).status_code == 404


def refusal_is_remembered(guarded: Guarded, _: dict[str, Any], __: Path) -> bool:
    wanted = uuid.uuid4().hex
    guarded.append(guarded.token("expired"), headers={"x-request-id": wanted})
    entries = guarded.ask("GET", "/v1/acme/audit", guarded.token(roles=["auditor"])).json()
    return any(entry["request_id"] == wanted for entry in entries["entries"])


def burst(guarded: Guarded, count: int, tier: str = "free") -> list[httpx.Response]:
    name = f"t{uuid.uuid4().hex[:8]}"
    token = guarded.token(tenant=name, roles=["reader"], tier=tier)
    return [guarded.ask("GET", f"/v1/{name}/events", token) for _ in range(count)]


def passed(answers: list[httpx.Response]) -> int:
    return sum(answer.status_code == 200 for answer in answers)


def retry_after_is_true(guarded: Guarded, _: dict[str, Any], __: Path) -> bool:
    refused = next(each for each in reversed(burst(guarded, 80)) if each.status_code == 429)
    return int(refused.headers["retry-after"]) >= 1


def neighbour_notices_nothing(guarded: Guarded, _: dict[str, Any], __: Path) -> bool:
    burst(guarded, 80)
    return passed(burst(guarded, 20)) == 20


def limit_is_shared(guarded: Guarded, components: dict[str, Any], _: Path) -> bool:
    name = f"t{uuid.uuid4().hex[:8]}"
    token = guarded.token(tenant=name, roles=["reader"], tier="free")
    with contextlib.closing(Guarded(components, "ledger-memory")) as other:
        both = [guarded, other] * 60
        answers = [each.ask("GET", f"/v1/{name}/events", token) for each in both]
    return passed(answers) < 90


def limit_holds_without_its_store(guarded: Guarded, components: dict[str, Any], _: Path) -> bool:
    import subprocess

    control = components["limiter-store"]["control"]
    subprocess.run(control["stop"], check=True, capture_output=True)
    try:
        return passed(burst(guarded, 90)) < 85
    finally:
        subprocess.run(control["start"], check=True, capture_output=True)
        time.sleep(0.6)


def premium_is_more_than_standard(guarded: Guarded, _: dict[str, Any], __: Path) -> bool:
    return burst(guarded, 1, "premium")[0].headers["x-ratelimit-limit"] == "5000"


def refill_is_as_declared(guarded: Guarded, _: dict[str, Any], __: Path) -> bool:
    began = time.monotonic()
    count = passed(burst(guarded, 400, "standard"))
    return count <= 200 + (time.monotonic() - began) * 20 + 2


def refusal_is_logged(guarded: Guarded, _: dict[str, Any], __: Path) -> bool:
    burst(guarded, 80)
    return any(line.get("event") == "rate-limited" for line in guarded.log_lines())


def token_stays_out_of_the_log(guarded: Guarded, _: dict[str, Any], __: Path) -> bool:
    token = guarded.token("expired")
    guarded.append(token)
    return token[:200] not in Path(guarded.says["log"]).read_text("utf-8")


def headers_are_there(guarded: Guarded, _: dict[str, Any], __: Path) -> bool:
    return "x-frame-options" in guarded.http.get("/healthz").headers


def client_must_show_a_certificate(guarded: Guarded, _: dict[str, Any], __: Path) -> bool:
    """Any name counts here: without a certificate there is none to look at."""
    return reaches_mtls(guarded, guarded.says["client"]) and not reaches_mtls(guarded)


def client_must_be_the_named_one(guarded: Guarded, _: dict[str, Any], __: Path) -> bool:
    stranger = reaches_mtls(guarded, guarded.says["client-stranger"])
    return reaches_mtls(guarded, guarded.says["client"]) and not stranger


def renewed_certificate_is_served(guarded: Guarded, _: dict[str, Any], folder: Path) -> bool:
    before = guarded.metric("ledger_certificate_not_after_seconds")
    import subprocess

    names = [word for name in guarded.says["names"].split() for word in ("--name", name)]
    argv = [guarded.says["issue"], "--to", guarded.says["certificate"], "--for-s", "99999"]
    subprocess.run([*argv, *names], check=True, capture_output=True)
    time.sleep(0.8)
    return guarded.metric("ledger_certificate_not_after_seconds") != before


def signed(guarded: Guarded, place: int) -> int:
    """Status of a request signed with that line of the file as it now is, or was."""
    secret = _SECRETS[place]
    body = b'{"key": "signed", "body": "x"}'
    header = sign(secret, "POST", "/v1/acme/events", body, int(time.time()))
    return guarded.ask(
        "POST",
        "/v1/acme/events",
        guarded.token(tier="premium"),
        content=body,
        headers={HEADER: header},
    ).status_code


_SECRETS: list[bytes] = []


def previous_counts_until_dropped(guarded: Guarded, _: dict[str, Any], folder: Path) -> bool:
    path = Path(guarded.says["event-secret-file"])
    _SECRETS[:] = path.read_bytes().split()
    before = signed(guarded, 0)
    act(folder, "rotate_shared_secret.py", service=guarded.says, verb="add")
    during = signed(guarded, 0)
    act(folder, "rotate_shared_secret.py", service=guarded.says, verb="drop")
    return (before // 100, during // 100, signed(guarded, 0)) == (2, 2, 401)


SEEN: dict[str, Question] = {
    "accept-alg-none": refuses("alg-none"),
    "accept-missing-kid": refuses("no-kid"),
    "skip-signature": refuses("forged"),
    "ignore-aud": refuses("wrong-aud"),
    "ignore-iss": refuses("wrong-iss"),
    "ignore-exp": refuses("expired"),
    "ignore-nbf": refuses("not-yet"),
    "malformed-token-crashes": refuses("garbage"),
    "keys-never-refreshed": new_key_is_learned,
    "keys-never-expire": retired_key_is_refused,
    "empty-keys-while-refreshing": refresh_refuses_nobody,
    "no-refresh-cooldown": junk_costs_one_fetch,
    "skip-role-check": reader_may_not_write,
    "forbidden-as-unauthorised": reader_may_not_write,
    "tenant-from-path": path_is_not_believed,
    "tenant-from-header": header_is_not_believed,
    "read-across-tenants": number_of_another_is_unknown,
    "silent-refusals": refusal_is_remembered,
    "audit-without-id": refusal_is_remembered,
    "wrong-retry-after": retry_after_is_true,
    "one-bucket-for-all": neighbour_notices_nothing,
    "limit-per-instance": limit_is_shared,
    "limiter-fails-open": limit_holds_without_its_store,
    "ignore-tiers": premium_is_more_than_standard,
    "refill-too-fast": refill_is_as_declared,
    "unlogged-refusals": refusal_is_logged,
    "client-certificate-optional": client_must_show_a_certificate,
    "any-client-name": client_must_be_the_named_one,
    "certificate-never-renewed": renewed_certificate_is_served,
    "previous-secret-forever": previous_counts_until_dropped,
    "current-secret-only": previous_counts_until_dropped,
    "leak-token-in-log": token_stays_out_of_the_log,
    "no-security-headers": headers_are_there,
}


@pytest.mark.parametrize("name", SEEN)
def test_a_defect_is_seen_and_only_with_it(
    components: dict[str, Any], tmp_path: Path, name: str
) -> None:
    """A question that cannot be answered wrongly asks nothing."""
    ask = SEEN[name]
    with beside(components, "ledger-memory", tmp_path / "healthy.log") as healthy:
        well = ask(healthy, components, tmp_path)
    with beside(components, "ledger-memory", tmp_path / "broken.log", name) as broken:
        ill = ask(broken, components, tmp_path)

    assert (well, ill) == (True, False)
