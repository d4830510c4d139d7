from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from fireproof.errors import StepError
from fireproof.evidence import EvidenceRoot, canonical_bytes, verify_bundle
from fireproof.journal.reader import read_journal
from fireproof.model.record import Record
from support.evidence import CREATED, RUN, Bench, copy_of, journal, judge, plan, recompute

Sealed = tuple[Path, Bench]


def test_a_good_bundle_says_what_was_looked_at(bundle: Sealed) -> None:
    """An auditor files this report."""
    folder, bench = bundle
    report = bench.verify(folder)

    assert [step.name for step in report.steps] == [
        "structure",
        "digests",
        "signatures",
        "consistency",
        "recompute",
        "residue",
    ]
    assert report.ok
    assert report.problems == ()
    assert (report.run, report.outcome) == (RUN, "passed")
    assert "1 objective and 2 checks recomputed" in report.steps[4].detail
    assert json.loads(json.dumps(report.to_json()))["ok"] is True


def test_a_bundle_is_found_through_a_symlink(bundle: Sealed, tmp_path: Path) -> None:
    """``latest`` must verify like what it points to."""
    folder, bench = bundle
    (tmp_path / "latest").symlink_to(folder)

    assert bench.verify(tmp_path / "latest").ok


def test_another_key_is_not_enough(bundle: Sealed, tmp_path: Path) -> None:
    """Anybody can sign; the question is who."""
    folder, bench = bundle
    other = Bench(EvidenceRoot(tmp_path / "other"))
    assert other.signer.key_id != bench.signer.key_id

    for keys in (other.keys, {}):
        report = bench.verify(folder, keys)
        assert not report.ok
        assert [step.name for step in report.steps if not step.ok] == ["signatures"]
        assert sum("is not trusted" in problem for problem in report.problems) == 3


def test_a_forger_who_seals_with_a_key_of_his_own_and_ships_it_gains_nothing(
    bundle: Sealed, tmp_path: Path
) -> None:
    """A key offered beside the signature is exactly what a forger would offer."""
    _, bench = bundle
    forger = Bench(EvidenceRoot(tmp_path / "forger"))
    pem = {}
    _ = forger.signer
    pem["data/signer.pub.pem"] = forger.root.public_key.read_bytes()
    forged = forger.sealed(extra=pem).path

    assert forger.verify(forged).ok
    assert not bench.verify(forged).ok


def test_a_folder_that_is_no_bundle_is_a_report_not_a_crash(bundle: Sealed, tmp_path: Path) -> None:
    """Exit 5 with a sentence."""
    _, bench = bundle
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    for name in ("nothing", "file", "empty"):
        report = bench.verify(tmp_path / name)
        assert not report.ok
        assert not any(step.ok for step in report.steps)
        assert not any("crashed" in problem for problem in report.problems), report.problems


def rebuild(bench: Bench, content: bytes, run: str = RUN) -> Path:
    """A bundle that the right key signed, around another journal."""
    return bench.sealed(run, extra={"data/journal.jsonl": content}).path


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (lambda digest: journal(RUN, digest, last="recovered"), "does not end with the residue"),
        (lambda digest: journal("other", digest), "is about run 'other'"),
        (lambda digest: journal(RUN, "0" * 64), "names another plan"),
        (lambda digest: journal(RUN, digest)[:-1], "last line has no end"),
        (lambda digest: journal(RUN, digest) + b"{}\n", "journal line 4"),
        (lambda digest: b"", "empty"),
        (
            lambda digest: b"".join(journal(RUN, digest).splitlines(keepends=True)[1:]),
            "journal line 1",
        ),
        (lambda digest: journal(RUN, digest).replace(b"restored", b"restorex"), "journal line 2"),
        (
            lambda digest: journal(RUN, digest, clean=False),
            "not clean, yet the outcome is 'passed'",
        ),
    ],
)
def test_a_signed_journal_must_hold_and_be_whole(
    bench: Bench, content: Callable[[str], bytes], text: str
) -> None:
    """A runner that signs a shortened or foreign journal is noticed by its own evidence."""
    import hashlib

    digest = hashlib.sha256(canonical_bytes(plan())).hexdigest()
    report = bench.verify(rebuild(bench, content(digest)))

    assert not report.ok
    assert [step.ok for step in report.steps[:3]] == [True, True, True], report.problems
    assert any(text in problem for problem in report.problems), report.problems


def test_a_reader_that_hides_a_torn_tail_is_noticed(bundle: Sealed) -> None:
    """The check does not rest on the reader alone."""
    folder, bench = bundle

    def verify_with(read: Callable[[Path], list[Record]]) -> tuple[str, ...]:
        return verify_bundle(folder, bench.keys, recompute, read).problems

    records = list(read_journal(folder / "data/journal.jsonl"))
    assert verify_with(lambda _: records) == ()
    assert any("3 lines, but 2 records" in p for p in verify_with(lambda _: records[:-1]))
    assert any("does not follow" in p for p in verify_with(lambda _: [*records[1:], records[0]]))
    assert any("holds no record" in p for p in verify_with(lambda _: []))
    first = replace(records[0], kind="phase")
    assert any("begins with 'phase'" in p for p in verify_with(lambda _: [first, *records[1:]]))


def test_a_number_that_does_not_follow_from_the_samples_is_named(bench: Bench) -> None:
    """A runner may sign what it likes; the samples say otherwise."""
    bag = bench.record()
    lie = judge(bag)
    lie["objectives"][0]["verdict"] = "missed"
    report = bench.verify(bench.seal(bag, judgement=lie).path)

    assert not report.steps[4].ok
    assert report.problems == (
        "run.json: judgement.objectives.0.verdict: 'missed' is stored, 'met' is recomputed",
    )
    assert report.outcome is None


def test_a_judge_that_crashes_or_speaks_loosely_proves_nothing(bundle: Sealed) -> None:
    """Unknown is never met."""
    folder, bench = bundle

    def crash(_: Path) -> bytes:
        raise ZeroDivisionError("division by zero")

    def refuse(_: Path) -> bytes:
        raise StepError("cannot judge")

    for judging, text in (
        (crash, "recompute crashed: ZeroDivisionError"),
        (refuse, "cannot judge"),
        (lambda at: recompute(at) + b"\n", "not in canonical form"),
        (lambda at: b"{}", "judgement."),
    ):
        report = verify_bundle(folder, bench.keys, judging, read_journal)
        assert [step.name for step in report.steps if not step.ok] == ["recompute"]
        assert text in report.problems[0]


def test_nothing_is_recomputed_from_files_that_are_not_the_sealed_ones(
    bundle: Sealed, tmp_path: Path
) -> None:
    """The judge never reads through a symlink, nor bytes that nobody vouches for."""
    folder, bench = bundle
    copy = copy_of(folder, tmp_path)
    (copy / "data/samples.csv").write_bytes(b"passed\n")

    def never(_: Path) -> bytes:
        raise AssertionError

    report = verify_bundle(copy, bench.keys, never, read_journal)
    assert "not recomputed" in report.steps[4].problems[0]


def test_a_renamed_bundle_is_not_that_run(bundle: Sealed, tmp_path: Path) -> None:
    """A bundle shown as another run's would fill a gap in the record."""
    folder, bench = bundle
    copy = copy_of(folder, tmp_path).rename(tmp_path / "another")

    report = bench.verify(copy)
    assert [step.name for step in report.steps if not step.ok] == ["consistency"]
    assert "the folder is 'another'" in report.problems[0]


def test_envelopes_of_another_run_do_not_fit(bundle: Sealed, tmp_path: Path) -> None:
    """Each was signed by the right key, for something else."""
    folder, bench = bundle
    other = Bench(bench.root)
    second = other.sealed("second").path

    for name in ("plan", "run", "test-result"):
        copy = copy_of(folder, tmp_path / name)
        (copy / f"{name}.sigstore.json").write_bytes(
            (second / f"{name}.sigstore.json").read_bytes()
        )
        report = bench.verify(copy)
        assert [step.name for step in report.steps if not step.ok] == ["signatures"]
        assert "is not about this" in report.problems[0]


def test_a_statement_of_another_type_does_not_fit(bundle: Sealed, tmp_path: Path) -> None:
    """The right bytes under another media type mean something else."""
    folder, bench = bundle
    copy = copy_of(folder, tmp_path)
    from fireproof.evidence import decode_envelope

    path = copy / "plan.sigstore.json"
    payload = decode_envelope(path.read_bytes(), "x").payload
    path.write_bytes(bench.signer.sign("text/plain", payload))

    assert "expected a payload of type" in bench.verify(copy).problems[0]


def test_a_bundle_that_disagrees_with_itself_is_refused(bench: Bench, tmp_path: Path) -> None:
    """run.json and plan.json of two runs, re-bagged and signed with the right key."""
    from fireproof.evidence import write_bag
    from fireproof.evidence.statement import PAYLOAD_TYPE, parse_plan, parse_run, run_statement
    from fireproof.evidence.statement import test_result_statement as result_statement

    folder = bench.sealed().path
    record = json.loads((folder / "run.json").read_bytes())
    record |= {"run": "other", "plan_sha256": "0" * 64}
    (folder / "run.json").write_bytes(canonical_bytes(record))
    bag = write_bag(folder, {})
    parsed = parse_plan((folder / "plan.json").read_bytes()), parse_run(canonical_bytes(record))
    for name, make in (("run", run_statement), ("test-result", result_statement)):
        signed = bench.signer.sign(PAYLOAD_TYPE, make(bag.identity, bag.digests, *parsed))
        (folder / f"{name}.sigstore.json").write_bytes(signed)

    report = bench.verify(folder)
    assert [step.name for step in report.steps if not step.ok] == ["consistency"]
    assert report.problems == (
        f"run.json: is about run 'other', the folder is {RUN!r}",
        "run.json: names another plan than plan.json",
    )
    assert CREATED.startswith("2026")
