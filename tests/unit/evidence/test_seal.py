from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fireproof.errors import EvidenceError, MalformedError
from fireproof.evidence import EvidenceRoot, Sealed, bundle_folder, seal_bundle, sign_plan
from support.evidence import RUN, Bench, plan

NOBODY = 65534


def tree(folder: Path) -> dict[str, bytes | None]:
    """Everything below a folder, to compare before and after."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


@contextmanager
def left_as_found(bag: Path) -> Iterator[None]:
    """Sealing in the block fails and changes nothing."""
    before = tree(bag)
    yield
    assert tree(bag) == before


def test_a_sealed_bundle_lies_in_its_place_and_verifies(bench: Bench) -> None:
    """The month is that of the plan, so a run over midnight is found where it began."""
    bag = bench.record()
    sealed = bench.seal(bag)

    assert sealed.path == bench.root.bundles / "2026/03" / RUN
    assert (
        sealed.identity
        == hashlib.sha256((sealed.path / "tagmanifest-sha256.txt").read_bytes()).hexdigest()
    )
    assert not bag.exists()
    assert sorted(os.listdir(sealed.path)) == sorted(
        [
            "VERIFY.md",
            "bag-info.txt",
            "bagit.txt",
            "data",
            "manifest-sha256.txt",
            "plan.json",
            "plan.sigstore.json",
            "run.json",
            "run.sigstore.json",
            "tagmanifest-sha256.txt",
            "test-result.sigstore.json",
            "verify.sh",
        ]
    )
    assert bench.verify(sealed.path).ok


@pytest.mark.parametrize("outcome", ["failed", "aborted", "aborted-dirty", "inconclusive"])
def test_a_run_that_did_not_pass_is_sealed_like_any_other(bench: Bench, outcome: str) -> None:
    """Evidence that only exists for good news is not evidence."""
    report = bench.verify(bench.sealed(outcome=outcome).path)

    assert report.ok, report.problems
    assert report.outcome == outcome


def test_empty_folders_are_dropped_and_a_killed_attempt_is_repeated(bench: Bench) -> None:
    """ansible-runner leaves empty folders; a kill leaves half a bag."""
    bag = bench.record()
    (bag / "data/artifacts/fact_cache/deep").mkdir(parents=True)
    for name in ("run.json", "bagit.txt", "manifest-sha256.txt", "run.sigstore.json", "verify.sh"):
        (bag / name).write_bytes(b"half")

    assert bench.verify(bench.seal(bag).path).ok


def test_a_failed_seal_leaves_the_folder_as_it_was(bench: Bench) -> None:
    """What was recorded is never lost, and the next attempt starts from the same place."""
    bag = bench.record()
    (bag / "data/hollow").mkdir()
    (bag / "verify.sh").write_bytes(b"half")
    (bag / "data/link").symlink_to("samples.csv")

    with (
        left_as_found(bag),
        pytest.raises(EvidenceError, match=r"(?s)not sealed.*data/link.*the records are in"),
    ):
        bench.seal(bag)

    (bag / "data/link").unlink()
    assert bench.verify(bench.seal(bag).path).ok


def test_a_bundle_is_never_replaced(bench: Bench) -> None:
    """Sealing twice under one name would rewrite history."""
    first = bench.sealed()
    shutil.rmtree(bench.root.runs / RUN)
    bag = bench.record()
    before = tree(first.path)

    with left_as_found(bag), pytest.raises(EvidenceError, match="never replaced"):
        bench.seal(bag)
    assert tree(first.path) == before


@pytest.mark.parametrize("name", ["plan.json", "plan.sigstore.json", "data"])
def test_a_folder_without_its_plan_is_not_sealed(bench: Bench, name: str) -> None:
    """A plan that is signed afterwards proves nothing about before."""
    bag = bench.record()
    record = bench.run_record(bag)
    if name == "data":
        shutil.rmtree(bag / "data")
    else:
        (bag / name).unlink()

    with left_as_found(bag), pytest.raises(EvidenceError, match="not sealed"):
        seal_bundle(bag, bench.root.bundles, RUN, signer=bench.signer, run_record=record)


def test_what_is_about_another_run_is_not_sealed(bench: Bench) -> None:
    """Mixed-up folders must not become evidence of either run."""
    bag = bench.record()

    with left_as_found(bag), pytest.raises(EvidenceError, match="is the plan of"):
        bench.seal(bag, "another")
    with left_as_found(bag), pytest.raises(EvidenceError, match="another run or plan"):
        bench.seal(bag, plan_sha256="0" * 64)
    with left_as_found(bag), pytest.raises(EvidenceError, match=r"not sealed: run\.json"):
        seal_bundle(bag, bench.root.bundles, RUN, signer=bench.signer, run_record={})
    with left_as_found(bag), pytest.raises(EvidenceError, match=r"run\.json"):
        seal_bundle(bag, bench.root.bundles, RUN, signer=bench.signer)  # no run.json there

    other = bench.record("other")
    (bag / "plan.sigstore.json").write_bytes((other / "plan.sigstore.json").read_bytes())
    with left_as_found(bag), pytest.raises(EvidenceError, match="made for another plan"):
        bench.seal(bag)


def test_a_folder_that_is_not_there_says_so(bench: Bench, tmp_path: Path) -> None:
    """No traceback, whatever the engine passes."""
    with pytest.raises(EvidenceError, match="not sealed"):
        seal_bundle(tmp_path / "no", bench.root.bundles, RUN, signer=bench.signer)
    with pytest.raises(EvidenceError, match="plan cannot be written"):
        sign_plan(tmp_path / "no", plan(), bench.signer)


class Breaking:
    """A signer that is gone when it is needed, or writes garbage into the bag meanwhile."""

    def __init__(self, bench: Bench, spoil: Path | None = None) -> None:
        self.key_id = bench.signer.key_id
        self._bench, self._spoil = bench, spoil

    def sign(self, payload_type: str, payload: bytes) -> bytes:
        if self._spoil is None:
            raise EvidenceError("the signer process is gone")
        self._spoil.write_bytes(b"changed while sealing")
        return self._bench.signer.sign(payload_type, payload)

    def close(self) -> None:
        """Nothing."""


def test_a_signer_that_is_gone_costs_no_record(bench: Bench) -> None:
    """The key may be in a cloud that is down."""
    bag = bench.record()
    record = bench.run_record(bag)

    with left_as_found(bag), pytest.raises(EvidenceError, match="signer process is gone"):
        seal_bundle(bag, bench.root.bundles, RUN, signer=Breaking(bench), run_record=record)


@pytest.mark.parametrize("name", ["data/samples.csv", "run.json", "bagit.txt", "data/new"])
def test_a_change_between_hashing_and_sealing_is_noticed(bench: Bench, name: str) -> None:
    """What is sealed is what was read back from disk, not what was meant."""
    bag = bench.record()
    record = bench.run_record(bag)
    signer = Breaking(bench, bag / name)

    with pytest.raises(EvidenceError, match=f"(?s)read back is wrong.*{name}"):
        seal_bundle(bag, bench.root.bundles, RUN, signer=signer, run_record=record)
    assert not list(bench.root.bundles.glob("*/*/*"))


def test_bundles_that_cannot_be_written_are_an_evidence_error(bench: Bench) -> None:
    """Exit 5 with a place to look, not a traceback."""
    bag = bench.record()
    bench.root.bundles.write_text("a file in the way")

    with left_as_found(bag), pytest.raises(EvidenceError, match=r"bundles.*the records are in"):
        bench.seal(bag)


@pytest.mark.skipif(os.getuid() != 0, reason="needs to give up root to meet a permission")
def test_a_read_only_destination_is_an_evidence_error_for_root_s_others() -> None:
    """Run as root, permissions do not bind; drop to nobody for the length of the call."""
    place = Path(tempfile.mkdtemp(prefix="fp-seal-"))
    try:
        bench = Bench(EvidenceRoot(place / "evidence"))
        bag = bench.record()
        bench.root.bundles.mkdir()
        for path in [place, *place.rglob("*")]:
            os.chown(path, NOBODY, NOBODY)
        bench.root.bundles.chmod(0o555)
        os.seteuid(NOBODY)
        try:
            with left_as_found(bag), pytest.raises(EvidenceError, match="Permission denied"):
                bench.seal(bag)
        finally:
            os.seteuid(0)
    finally:
        shutil.rmtree(place)


@pytest.mark.skipif(os.getuid() == 0, reason="root is bound by no permission")
def test_a_read_only_destination_is_an_evidence_error(bench: Bench) -> None:
    """The evidence folder may be mounted read-only."""
    bag = bench.record()
    bench.root.bundles.mkdir()
    bench.root.bundles.chmod(0o555)

    with left_as_found(bag), pytest.raises(EvidenceError, match="Permission denied"):
        bench.seal(bag)


def test_a_full_disk_or_another_file_system_is_an_evidence_error(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel's answer comes last, and the folder is brought back all the same."""
    bag = bench.record()

    for number, text in ((errno.EXDEV, "another file system"), (errno.ENOSPC, "No space left")):

        def refuse(*_: object, number: int = number) -> None:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr("fireproof.evidence.seal.os.rename", refuse)
        with left_as_found(bag), pytest.raises(EvidenceError, match=text):
            bench.seal(bag)


def test_names_and_times_that_would_climb_are_refused(tmp_path: Path) -> None:
    """A run id becomes a folder name."""
    for run in ("../x", "", ".hidden", "a/b", "x" * 200):
        with pytest.raises(MalformedError, match="name of a bundle"):
            bundle_folder(tmp_path, run, "2026-03-02T04:05:06Z")
    for at in ("2026", "../../../etcT0Z", "2026-03-02T04:05:06+01:00"):
        with pytest.raises(MalformedError, match="UTC time"):
            bundle_folder(tmp_path, "r", at)


def test_bag_info_names_run_day_and_tool(bench: Bench) -> None:
    """An archivist reads bag-info.txt first."""
    bag = bench.record()
    record = bench.run_record(bag)
    sealed = seal_bundle(
        bag,
        bench.root.bundles,
        RUN,
        signer=bench.signer,
        run_record=record,
        info={"Contact-Name": "platform-team"},
    )
    lines = (sealed.path / "bag-info.txt").read_text().splitlines()

    assert lines[0].startswith("Bag-Software-Agent: fireproof ")
    assert lines[1:4] == [
        "Bagging-Date: 2026-03-02",
        f"External-Identifier: {RUN}",
        "Contact-Name: platform-team",
    ]


def test_sealing_loads_no_crypto(bench: Bench) -> None:
    """The runner pays nothing for signatures; the signer child does."""
    bag = bench.record()
    (bag.parent / "record.json").write_text(json.dumps(bench.run_record(bag)))
    code = """
import json, sys
from pathlib import Path
from fireproof.evidence import EvidenceRoot, seal_bundle, start_signer
root, bag, run = EvidenceRoot(Path(sys.argv[1])), Path(sys.argv[2]), sys.argv[3]
signer = start_signer(root)
record = json.loads((bag.parent / "record.json").read_bytes())
print(seal_bundle(bag, root.bundles, run, signer=signer, run_record=record).identity)
signer.close()
heavy = {"cryptography", "securesystemslib"} & set(sys.modules)
sys.exit(f"loaded: {heavy}" if heavy else 0)
"""
    argv = [sys.executable, "-c", code, str(bench.root.path), str(bag), RUN]
    identity = subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()
    sealed = Sealed(bundle_folder(bench.root.bundles, RUN, plan()["created_at"]), identity)

    report = bench.verify(sealed.path)
    assert report.ok, report.problems
    assert report.identity == sealed.identity
