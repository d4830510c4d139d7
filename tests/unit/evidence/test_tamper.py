from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from support.evidence import Bench, copy_of

Sealed = tuple[Path, Bench]

# Flipping each byte of these would take minutes and hits the same digest each time.
SPARSE = {"VERIFY.md": 97, "verify.sh": 197, "data/journal.jsonl": 3}
FILES = [
    "VERIFY.md",
    "bag-info.txt",
    "bagit.txt",
    "data/journal.jsonl",
    "data/outputs/verify-00/100% of größe.txt",
    "data/samples.csv",
    "manifest-sha256.txt",
    "plan.json",
    "plan.sigstore.json",
    "run.json",
    "run.sigstore.json",
    "tagmanifest-sha256.txt",
    "test-result.sigstore.json",
    "verify.sh",
]


def fifo(path: Path) -> Path:
    made = path.with_name("fifo")
    os.mkfifo(made)
    return made


def test_the_list_is_complete(bundle: Sealed) -> None:
    """A file left out here would be a file nobody tampers with."""
    folder, _ = bundle
    there = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}

    assert there == set(FILES)


@pytest.mark.parametrize("name", FILES)
def test_any_byte_changed_is_refused_and_the_file_is_named(
    bundle: Sealed, tmp_path: Path, name: str
) -> None:
    """One byte is enough to turn 5 s into 3 s."""
    folder, bench = bundle
    copy = copy_of(folder, tmp_path)
    path = copy / name
    content = path.read_bytes()
    unnoticed = []
    for at in range(0, len(content), SPARSE.get(name, 1)):
        changed = bytearray(content)
        changed[at] ^= 1 << (at % 8)
        path.write_bytes(changed)
        report = bench.verify(copy)
        if report.ok or not any(name in problem for problem in report.problems):
            unnoticed.append(at)

    assert unnoticed == []


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.write_bytes(path.read_bytes() + b"\n"),
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
        lambda path: path.write_bytes(b""),
        lambda path: path.unlink(),
        lambda path: path.rename(path.with_name("renamed")),
        lambda path: (path.rename(path.with_name("real")), path.symlink_to("real")),
        lambda path: (path.unlink(), path.symlink_to("/etc/hostname")),
        lambda path: (path.unlink(), path.mkdir()),
        lambda path: fifo(path).replace(path),
    ],
    ids=["longer", "shorter", "emptied", "removed", "renamed", "linked", "out", "folder", "fifo"],
)
def test_whatever_happens_to_a_file_is_refused_and_it_is_named(
    bundle: Sealed, tmp_path: Path, name: str, change: Callable[[Path], object]
) -> None:
    """Whoever may write into the store may do all of these."""
    folder, bench = bundle
    copy = copy_of(folder, tmp_path)
    change(copy / name)

    report = bench.verify(copy)
    assert not report.ok
    assert any(name in problem for problem in report.problems), report.problems


@pytest.mark.parametrize(
    "name",
    ["extra", "data/extra", "data/outputs/extra/deep", ".hidden", "extra.sigstore.json", "a/b"],
)
def test_an_added_file_is_refused_and_named(bundle: Sealed, tmp_path: Path, name: str) -> None:
    """Anything inside a verified bundle is taken for verified."""
    folder, bench = bundle
    copy = copy_of(folder, tmp_path)
    (copy / name).parent.mkdir(parents=True, exist_ok=True)
    (copy / name).write_text("x")

    assert any(name in problem for problem in bench.verify(copy).problems)


@pytest.mark.parametrize("name", ["manifest-sha256.txt", "tagmanifest-sha256.txt"])
@pytest.mark.parametrize("path", ["../../../../etc/hostname", "/etc/hostname", "data/../plan.json"])
def test_a_path_that_climbs_out_is_refused_and_named(
    bundle: Sealed, tmp_path: Path, name: str, path: str
) -> None:
    """A verifier that follows it can be made to vouch for, or leak, another file."""
    folder, bench = bundle
    copy = copy_of(folder, tmp_path)
    with open(copy / name, "a") as file:
        file.write(f"{'0' * 64}  {path}\n")

    problems = bench.verify(copy).problems
    assert any(path in problem and "path" in problem for problem in problems), problems


def test_a_tampered_bundle_that_is_bagged_anew_lacks_the_signature(
    bundle: Sealed, tmp_path: Path
) -> None:
    """Manifests can be rewritten by anybody; that is what the key is for."""
    from fireproof.evidence import write_bag

    folder, bench = bundle
    copy = copy_of(folder, tmp_path)
    samples = copy / "data/samples.csv"
    samples.write_bytes(samples.read_bytes() + b"\nmore")
    write_bag(copy, {})

    report = bench.verify(copy)
    assert [step.name for step in report.steps if step.ok][:2] == ["structure", "digests"]
    assert any("run.sigstore.json: is not about this" in p for p in report.problems)


def test_a_whole_folder_may_not_be_swapped_by_a_link(bundle: Sealed, tmp_path: Path) -> None:
    """The same bytes today, others tomorrow."""
    folder, bench = bundle
    copy = copy_of(folder, tmp_path)
    shutil.move(copy / "data", tmp_path / "data")
    (copy / "data").symlink_to(tmp_path / "data")

    assert any(p.startswith("data: a symlink") for p in bench.verify(copy).problems)
