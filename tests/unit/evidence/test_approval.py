"""Who agreed to a plan: exactly this plan, other people than the runner, each counted once."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from fireproof.evidence import (
    EvidenceRoot,
    LocalSigner,
    VerificationReport,
    approve,
    approved_digest,
    canonical_bytes,
    load_trusted_keys,
    open_signer,
    sign_plan,
    verify_bundle,
)
from fireproof.journal.reader import read_journal
from support.approver import make_approver
from support.evidence import Bench, journal, recompute
from support.evidence import plan as small_plan


def plan(needed: int = 1) -> dict[str, Any]:
    place = {"environment": "shop", "class": "production", "approvals": needed}
    body = small_plan() | {"environment": place, "procedures": {"drills/x.yaml": "00"}}
    body |= {"parameters": {"SCALE": "2"}}
    return body | {"tool": {"fireproof": "0.1.0", "commit": "abc", "dirty": "no"}}


def person(root: EvidenceRoot, name: str) -> LocalSigner:
    return open_signer(root, f"file:{make_approver(root.path, name)}")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(EvidenceRoot(tmp_path / "evidence"))


def sealed(bench: Bench, body: dict[str, Any], envelopes: dict[str, bytes]) -> VerificationReport:
    """What an auditor finds in a bundle whose runner put these envelopes into it."""
    bag = bench.root.runs / body["run"] / "bag"
    (bag / "data" / "approvals").mkdir(parents=True)
    digest = sign_plan(bag, body, bench.signer)
    (bag / "data/journal.jsonl").write_bytes(journal(body["run"], digest))
    (bag / "data/samples.csv").write_bytes(b"passed\nsame digest\nrows")
    for name, data in envelopes.items():
        (bag / "data/approvals" / name).write_bytes(data)
    bundle = bench.seal(bag).path
    approvers = load_trusted_keys(folder=bench.root.approvers)
    return verify_bundle(bundle, bench.keys, recompute, read_journal, approvers)


def named(*paths: Path) -> dict[str, Any]:
    """The plan's own list of the approvals that it rests on."""
    from hashlib import sha256

    keys = {p.name.partition(".")[0]: sha256(p.read_bytes()).hexdigest() for p in paths}
    return {"approvals": keys}


def files(*paths: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in paths}


def test_what_is_only_known_at_the_start_is_not_approved() -> None:
    """An approval that no second run could use would be given blindly."""
    same = plan() | {"run": "other", "created_at": "later", "approvals": {"k": "s"}}
    same["tool"] = same["tool"] | {"commit": "def", "dirty": "yes"}
    same["parameters"] = {"SCALE": "2", "OCCURRENCE": "2026-12-01T00:00:00+00:00"}

    assert approved_digest(same) == approved_digest(plan())


@pytest.mark.parametrize("key", ["drill", "environment", "procedures", "tool", "parameters"])
def test_everything_else_is(key: str) -> None:
    """A nod to one plan is no nod to another."""
    assert approved_digest(plan() | {key: {"changed": "yes"}}) != approved_digest(plan())


def test_an_approved_bundle_verifies_and_says_by_whom(bench: Bench) -> None:
    """The auditor's question: who agreed, and to what?"""
    ada = approve(bench.root, plan(), person(bench.root, "ada"))
    body = plan() | named(ada)

    report = sealed(bench, body, files(ada))

    assert report.ok, report.problems
    assert report.steps[-1].name == "approvals"
    assert report.steps[-1].detail.startswith("1 of 1 needed, of exactly this plan")


def test_two_people_are_two_keys(bench: Bench) -> None:
    """The same hand twice is one hand."""
    ada = approve(bench.root, plan(2), person(bench.root, "ada"))
    body = plan(2) | named(ada)

    report = sealed(bench, body, files(ada) | {"again.sigstore.json": ada.read_bytes()})

    assert report.problems == ("the environment asks for 2 approvals of the plan, 1 hold",)


def test_a_runner_that_left_the_approval_out_is_noticed(bench: Bench) -> None:
    """Whoever holds the runner's key can seal anything; not that others agreed."""
    ada = approve(bench.root, plan(), person(bench.root, "ada"))

    assert not sealed(bench, plan() | named(ada), {}).ok


@pytest.mark.parametrize("how", ["another plan", "itself", "a stranger", "not named", "a note"])
def test_what_is_no_approval_is_not_counted(bench: Bench, how: str) -> None:
    """Each way to look approved without being it."""
    body = plan()
    if how == "itself":
        path = approve(bench.root, body, bench.signer)
        os.makedirs(bench.root.approvers, exist_ok=True)
        (bench.root.approvers / "r.pub.pem").write_bytes(bench.root.public_key.read_bytes())
    elif how == "a stranger":
        path = approve(bench.root, body, person(EvidenceRoot(bench.root.path / "away"), "eve"))
    else:
        other = plan() | {"drill": {"drill": "backup-restore", "title": "before"}}
        about = other if how == "another plan" else body
        path = approve(bench.root, about, person(bench.root, "ada"))
    if how == "a note":
        path.write_bytes(canonical_bytes({"approved": True}))
    if how != "not named":
        body |= named(path)

    report = sealed(bench, body, files(path))

    words = {
        "another plan": "is of another plan",
        "itself": "signed by the runner's own key",
        "a stranger": "which is not trusted",
        "not named": "does not name",
        "a note": "expected the fields",
    }
    assert not report.ok
    assert any(words[how] in problem for problem in report.problems), report.problems


def test_a_need_that_is_no_number_is_not_nothing(bench: Bench) -> None:
    """A bundle is read with suspicion."""
    body = plan()
    body["environment"]["approvals"] = "none"

    assert any("expected a count" in problem for problem in sealed(bench, body, {}).problems)
