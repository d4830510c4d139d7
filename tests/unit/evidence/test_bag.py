from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from fireproof.errors import EvidenceError
from fireproof.evidence import Bag, read_bag, write_bag
from fireproof.evidence.bag import DECLARATION, identity_of
from fireproof.evidence.digest import digest_files
from fireproof.evidence.manifest import encode_manifest, parse_manifest

FILES = {"data/a.txt": b"a", "data/deep/er/ß 100%.txt": b"b", "plan.json": b"{}"}


def fill(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "bag"
    fill(folder, FILES)
    return folder


@pytest.fixture
def bag(folder: Path) -> Bag:
    return write_bag(folder, {"External-Identifier": "r1"})


def texts(bag: Bag) -> str:
    return "\n".join(f"{problem.kind}: {problem}" for problem in bag.problems)


def test_a_bag_is_bagit_1_0(folder: Path, bag: Bag) -> None:
    """Archives and other tools read it without us."""
    assert (folder / "bagit.txt").read_bytes() == DECLARATION
    assert (folder / "bag-info.txt").read_text() == ("External-Identifier: r1\nPayload-Oxum: 2.2\n")
    manifest = (folder / "manifest-sha256.txt").read_text("utf-8").splitlines()
    assert manifest == [
        f"{hashlib.sha256(b'a').hexdigest()}  data/a.txt",
        f"{hashlib.sha256(b'b').hexdigest()}  data/deep/er/ß 100%25.txt",
    ]
    tags = (folder / "tagmanifest-sha256.txt").read_bytes()
    assert [line[66:] for line in tags.decode().splitlines()] == [
        "bag-info.txt",
        "bagit.txt",
        "manifest-sha256.txt",
        "plan.json",
    ]
    assert bag.identity == hashlib.sha256(tags).hexdigest() == identity_of(folder)


def test_what_was_written_reads_back_without_problems(folder: Path, bag: Bag) -> None:
    """Otherwise sealing would refuse its own work."""
    found = read_bag(folder, required=["data/a.txt"])

    assert found.problems == ()
    assert (found.identity, found.digests) == (bag.identity, bag.digests)


@pytest.mark.parametrize("name", ["run.sigstore.json", "plan.sigstore.json"])
def test_envelopes_stand_beside_the_bag(folder: Path, bag: Bag, name: str) -> None:
    """They sign the tag manifest, so it cannot list them; nothing else may stand there."""
    (folder / name).write_text("")
    assert read_bag(folder).problems == ()

    (folder / f"other-{name}").write_text("")
    assert texts(read_bag(folder)) == (
        f"unexpected: other-{name}: unexpected; no manifest lists it"
    )


def test_bagging_again_gives_the_same_bag(folder: Path, bag: Bag) -> None:
    """A seal that was killed midway is simply repeated."""
    assert write_bag(folder, {"External-Identifier": "r1"}).identity == bag.identity


def test_every_problem_is_named_at_once(folder: Path, bag: Bag) -> None:
    """An investigator wants the whole list, not its first line."""
    fill(folder, {"data/more.txt": b"c", "data/new": b"n", "data/deep/er/gone": b"g"})
    write_bag(folder, {})
    (folder / "data/a.txt").write_bytes(b"A")
    (folder / "data/more.txt").rename(folder / "data/moved.txt")
    (folder / "data/new").unlink()
    (folder / "data/new").symlink_to("/etc/passwd")
    (folder / "data/deep/er/gone").unlink()
    (folder / "data/hollow").mkdir()
    (folder / "data/link").symlink_to(".")
    os.mkfifo(folder / "data/fifo")
    (folder / "extra").write_bytes(b"")
    (folder / "data/two\nlines").write_bytes(b"")

    found = {(problem.kind, problem.file) for problem in read_bag(folder).problems}
    assert found == {
        ("changed", "data/a.txt"),
        ("renamed", "data/more.txt"),
        ("unexpected", "data/moved.txt"),
        ("symlink", "data/new"),
        ("missing", "data/new"),
        ("missing", "data/deep/er/gone"),
        ("unexpected", "data/hollow"),
        ("symlink", "data/link"),
        ("special", "data/fifo"),
        ("unexpected", "extra"),
        ("path", "data/two\nlines"),
    }
    lines = texts(read_bag(folder))
    assert "renamed to data/moved.txt" in lines
    assert "'data/two\\nlines': a name with a control" in lines


def test_a_bag_may_be_reached_by_a_symlink_but_holds_none(folder: Path, bag: Bag) -> None:
    """``latest`` is a convenience of the reader; a link inside shows another machine's file."""
    latest = folder.parent / "latest"
    latest.symlink_to(folder)
    assert read_bag(latest).problems == ()

    (folder / "data").rename(folder.parent / "data")
    (folder / "data").symlink_to(folder.parent / "data")
    assert "symlink: data: a symlink" in texts(read_bag(latest))


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/etc/passwd", "path"),
        ("data/../../../etc/passwd", "path"),
        ("data//a.txt", "path"),
        ("data/./a.txt", "path"),
        ("data\\a.txt", "path"),
        ("data/a.txt ", "path"),
        ("plan.json", "manifest"),
        ("../data/a.txt", "path"),
    ],
)
def test_a_listed_path_that_climbs_or_wanders_is_refused(
    folder: Path, bag: Bag, path: str, kind: str
) -> None:
    """A manifest must not make the verifier read, or vouch for, what lies elsewhere."""
    manifest = folder / "manifest-sha256.txt"
    manifest.write_bytes(manifest.read_bytes() + f"{'0' * 64}  {path}\n".encode())

    problems = read_bag(folder).problems
    assert any(problem.kind == kind and problem.file == path for problem in problems), problems


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        (b"  data/a", b" *data/a", "two spaces"),
        (b"  data/a", b" data/a", "two spaces"),
        (b"  data/a", b"\tdata/a", "two spaces"),
        (b"ca97", b"CA97", "two spaces"),
        (b"%25", b"%", "must be written %25"),
        (b"%25", b"%2525%0A", "must be written %25"),
        (b"txt\n", b"txt\r\n", "control character"),
        (b"data/a.txt\n", b"data/a.txt\n\n", "line 2"),
        (b"data/a.txt", b"data/a\xff", "not UTF-8"),
    ],
)
def test_a_manifest_has_one_spelling(
    folder: Path, bag: Bag, old: bytes, new: bytes, text: str
) -> None:
    """Any byte that may change unnoticed is a place to hide."""
    manifest = (folder / "manifest-sha256.txt").read_bytes()
    changed = manifest.replace(old, new, 1)
    assert changed != manifest

    problems = parse_manifest(changed, "manifest-sha256.txt").problems
    assert any(text in problem.text for problem in problems), problems


def test_manifest_lines_stand_once_and_in_order() -> None:
    """Two digests for one file would let the reader choose."""
    a, b = (f"{'0' * 64}  data/{name}\n".encode() for name in "ab")

    assert parse_manifest(a + b, "m").problems == []
    assert "listed twice" in str(parse_manifest(a + a, "m").problems[0])
    assert "canonical form" in str(parse_manifest(b + a, "m").problems[0])
    assert "does not end" in str(parse_manifest(a + b[:-1], "m").problems[0])


def test_the_tag_manifest_lists_neither_payload_nor_itself(folder: Path, bag: Bag) -> None:
    """Each file is listed in one place only."""
    listed = dict.fromkeys(["data/a.txt", "tagmanifest-sha256.txt", "run.sigstore.json"], "0" * 64)
    (folder / "tagmanifest-sha256.txt").write_bytes(encode_manifest(listed))

    named = {p.file for p in read_bag(folder).problems if "must not be listed" in p.text}
    assert named == set(listed)


def test_a_bag_without_manifests_is_all_unexpected(folder: Path) -> None:
    """Nothing listed is nothing proved."""
    found = texts(read_bag(folder, required=["run.json"]))

    assert "missing: tagmanifest-sha256.txt" in found
    assert "missing: manifest-sha256.txt" in found
    assert "missing: run.json: missing; every bundle has it" in found
    assert "unexpected: data/a.txt" in found


@pytest.mark.parametrize("name", ["manifest-sha256.txt", "tagmanifest-sha256.txt"])
def test_a_manifest_that_cannot_be_read_is_named(folder: Path, bag: Bag, name: str) -> None:
    """A folder, a FIFO or a symlink in its place must not crash or hang."""
    (folder / name).unlink()
    os.mkfifo(folder / name)

    assert f"special: {name}" in texts(read_bag(folder))


def test_declarations_must_tell_the_truth(folder: Path) -> None:
    """Whoever re-lists a doctored bag must also get its totals right."""
    fill(folder, {"bagit.txt": b"BagIt-Version: 0.97\n", "bag-info.txt": b"Payload-Oxum: 9.9\n"})
    names = ["bagit.txt", "bag-info.txt", "plan.json"]
    payload = [name for name in FILES if name.startswith("data/")]
    sums = {n: d.digest or "" for n, d in digest_files(folder, [*names, *payload]).items()}
    manifest = encode_manifest({name: sums[name] for name in payload})
    tags = {name: sums[name] for name in names}
    tags["manifest-sha256.txt"] = hashlib.sha256(manifest).hexdigest()
    fill(
        folder,
        {"manifest-sha256.txt": manifest, "tagmanifest-sha256.txt": encode_manifest(tags)},
    )

    assert texts(read_bag(folder)).splitlines() == [
        "manifest: bagit.txt: does not declare BagIt 1.0 in UTF-8",
        "manifest: bag-info.txt: expected 'Payload-Oxum: 2.2' (bytes.files of the payload), "
        "got ['Payload-Oxum: 9.9']",
    ]
    (folder / "bagit.txt").write_bytes(b"x" * 5000)
    tags["bagit.txt"] = hashlib.sha256(b"x" * 5000).hexdigest()
    (folder / "tagmanifest-sha256.txt").write_bytes(encode_manifest(tags))
    assert "unreadable: bagit.txt: cannot be read: 5000 bytes" in texts(read_bag(folder))


@pytest.mark.parametrize(
    "name", ["data/two\nlines", "data/back\\slash", "data/end ", "data/\udcff"]
)
def test_what_no_manifest_can_hold_is_refused_before_signing(folder: Path, name: str) -> None:
    """Escapes that two tools read differently have no place in evidence."""
    Path(os.fsdecode(os.fsencode(folder / name))).write_bytes(b"")

    with pytest.raises(EvidenceError, match="cannot be bagged"):
        write_bag(folder, {})


def test_links_and_empty_folders_are_refused_before_signing(folder: Path) -> None:
    """A bag holds files only; sealing what cannot verify would lose the run."""
    (folder / "data/link").symlink_to("a.txt")
    (folder / "data/hollow").mkdir()

    with pytest.raises(EvidenceError, match=r"(?s)data/link: a symlink.*data/hollow: an empty"):
        write_bag(folder, {})


@pytest.mark.parametrize("info", [{"A": "x\ny"}, {"A:": "x"}, {"A": ""}])
def test_a_label_fits_on_one_line(folder: Path, info: dict[str, str]) -> None:
    """A line break would let a value pose as another label."""
    with pytest.raises(EvidenceError, match=r"bag-info\.txt"):
        write_bag(folder, info)


def test_large_files_are_hashed_on_all_cores_and_agree(tmp_path: Path) -> None:
    """Speed must not change a digest."""
    sizes = {f"f{n}": n * 700_001 for n in range(9)}
    fill(tmp_path, {name: os.urandom(size) for name, size in sizes.items()})

    found = digest_files(tmp_path, [*sizes, "nothing"])
    for name in sizes:
        assert found[name].digest == hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()
    assert (found["nothing"].digest, found["nothing"].error) == (None, "No such file or directory")


def test_only_a_file_that_certainly_stayed_the_same_is_spared_a_second_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading back must notice a write between hashing and sealing."""
    fill(tmp_path, {"data/big": b"x" * 2_000_000})
    monkeypatch.setattr("fireproof.evidence.digest._TICK_NS", 10**15)
    fresh = write_bag(tmp_path, {}).read  # "changed" within the tick before it was read
    assert read_bag(tmp_path, known=fresh).read["data/big"] is not fresh["data/big"]

    monkeypatch.setattr("fireproof.evidence.digest._TICK_NS", -(10**15))
    settled = write_bag(tmp_path, {}).read
    assert read_bag(tmp_path, known=settled).read["data/big"] is settled["data/big"]

    with open(tmp_path / "data/big", "r+b") as file:
        file.write(b"y")
    os.utime(tmp_path / "data/big", ns=(1, 1))
    assert "changed: data/big" in texts(read_bag(tmp_path, known=settled))


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    """Whatever takes a file's place between looking and reading is not hashed."""
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("/etc/passwd")

    found = digest_files(tmp_path, ["folder", "fifo", "link"], sync=True)
    assert all(was.digest is None and was.error for was in found.values())
