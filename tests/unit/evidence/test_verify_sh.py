from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from fireproof.evidence import EvidenceRoot
from support.evidence import Bench, copy_of

Sealed = tuple[Path, Bench]
SHELLS = [shell for shell in ("dash", "bash") if shutil.which(shell)] or ["sh"]
OURS = Path(__file__).parents[3] / "src/fireproof/evidence/verify.sh"
LISTED = [
    "VERIFY.md",
    "bag-info.txt",
    "bagit.txt",
    "data/journal.jsonl",
    "data/outputs/verify-00/100% of größe.txt",
    "data/samples.csv",
    "manifest-sha256.txt",
    "plan.json",
    "run.json",
    "verify.sh",
]


def run(bundle: Path, key: Path, shell: str = SHELLS[0]) -> subprocess.CompletedProcess[str]:
    """Our copy of the script over a bundle that may be damaged."""
    return subprocess.run(
        [shell, str(OURS), str(key), str(bundle)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("shell", SHELLS)
def test_a_good_bundle_passes_in_every_shell(bundle: Sealed, shell: str) -> None:
    """An auditor has whatever shell the auditor has."""
    folder, bench = bundle
    done = run(folder, bench.root.public_key, shell)

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert done.stdout.count("ok     ") == 6
    assert str(bench.verify(folder).identity) in done.stdout
    assert "'fireproof verify' does" in done.stdout


def test_the_script_in_the_bundle_runs_from_inside_and_outside(bundle: Sealed) -> None:
    """``sh verify.sh KEY`` is what VERIFY.md says."""
    folder, bench = bundle
    key = os.path.relpath(bench.root.public_key, folder)
    inside = subprocess.run([SHELLS[0], "verify.sh", key], cwd=folder, check=False)
    outside = subprocess.run(
        [SHELLS[0], folder / "verify.sh", bench.root.public_key], cwd="/", check=False
    )

    assert (inside.returncode, outside.returncode) == (0, 0)
    assert OURS.read_bytes() == (folder / "verify.sh").read_bytes()


@pytest.mark.parametrize("name", LISTED)
def test_it_agrees_on_every_listed_file(bundle: Sealed, tmp_path: Path, name: str) -> None:
    """Two verifiers that share no code, one answer."""
    folder, bench = bundle
    copy = copy_of(folder, tmp_path)
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 4
    (copy / name).write_bytes(content)

    done = run(copy, bench.root.public_key)
    assert done.returncode == 5
    assert name in done.stdout
    assert not bench.verify(copy).ok


@pytest.mark.parametrize("name", ["plan.sigstore.json", "run.sigstore.json"])
def test_it_agrees_on_every_part_of_an_envelope(bundle: Sealed, tmp_path: Path, name: str) -> None:
    """Names, payload, signature, hint: each has one spelling here too."""
    folder, bench = bundle
    copy = copy_of(folder, tmp_path)
    content = (copy / name).read_bytes()
    for at in [*range(0, len(content), len(content) // 12), len(content) - 1]:
        changed = bytearray(content)
        changed[at] ^= 1
        (copy / name).write_bytes(changed)
        done = run(copy, bench.root.public_key)
        assert done.returncode == 5, at
        assert f"WRONG  {name}" in done.stdout


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        (lambda b: (b / "data/extra").write_text(""), "data/extra: unexpected"),
        (lambda b: (b / ".hidden").write_text(""), ".hidden: unexpected"),
        (lambda b: (b / "more.sigstore.json").write_text(""), "more.sigstore.json: unexpected"),
        (lambda b: (b / "data/two\nlines").write_text(""), "line break"),
        (lambda b: (b / "data/hollow").mkdir(), "data/hollow/: an empty folder"),
        (lambda b: (b / "data/l").symlink_to("/etc/passwd"), "data/l: a symlink"),
        (lambda b: (b / "data/m").symlink_to("nowhere"), "data/m: a symlink"),
        (lambda b: os.mkfifo(b / "data/f"), "data/f: neither"),
        (lambda b: (b / "plan.json").unlink(), "plan.json: missing"),
        (lambda b: (b / "run.sigstore.json").unlink(), "run.sigstore.json: missing"),
        (lambda b: (b / "manifest-sha256.txt").unlink(), "manifest-sha256.txt: missing"),
        (lambda b: (b / "plan.json").rename(b / "p.json"), "p.json: unexpected"),
        (
            lambda b: (b / "manifest-sha256.txt").open("a").write(f"{'0' * 64}  /dev/zero\n"),
            "/dev/zero: missing, or not a path inside",
        ),
        (
            lambda b: (b / "manifest-sha256.txt").open("a").write(f"{'0' * 64}  ../x\n"),
            "../x: missing, or not a path inside",
        ),
        (lambda b: (b / "tagmanifest-sha256.txt").write_text(""), "lists nothing"),
    ],
)
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_it_names_what_does_not_belong(
    bundle: Sealed, tmp_path: Path, damage: Callable[[Path], object], text: str
) -> None:
    """``sha256sum -c`` alone is blind to added files."""
    folder, bench = bundle
    copy = copy_of(folder, tmp_path)
    damage(copy)

    done = run(copy, bench.root.public_key)
    assert done.returncode == 5
    assert text in done.stdout
    assert "Do not rely on this bundle" in done.stdout


def test_another_key_is_refused(bundle: Sealed, tmp_path: Path) -> None:
    """The key is the whole point."""
    folder, _ = bundle
    other = Bench(EvidenceRoot(tmp_path / "other"))
    assert other.signer.key_id

    done = run(folder, other.root.public_key)
    assert done.returncode == 5
    assert done.stdout.count("not signed by this key") == 3


def test_an_envelope_for_another_bag_is_refused(bundle: Sealed, tmp_path: Path) -> None:
    """Signed by the right key, about something else."""
    folder, bench = bundle
    copy = copy_of(folder, tmp_path)
    shutil.copy(copy / "run.sigstore.json", copy / "test-result.sigstore.json")

    done = run(copy, bench.root.public_key)
    assert done.returncode == 5
    assert "test-result.sigstore.json: signed by this key, but for another" in done.stdout


def test_a_key_from_the_bundle_or_no_key_at_all_is_refused(bundle: Sealed, tmp_path: Path) -> None:
    """A key that comes with the bundle proves nothing."""
    folder, bench = bundle
    copy = copy_of(folder, tmp_path)
    shutil.copy(bench.root.public_key, copy / "key.pem")
    (tmp_path / "text").write_text("not a key")

    assert "should vouch for" in run(copy, copy / "key.pem").stdout
    for key in (copy / "key.pem", tmp_path / "text", tmp_path / "nothing", tmp_path):
        assert run(folder if key.name != "key.pem" else copy, key).returncode == 5
    assert run(tmp_path / "no-bundle", bench.root.public_key).returncode == 5
    usage = subprocess.run([SHELLS[0], OURS], capture_output=True, text=True, check=False)
    assert (usage.returncode, usage.stdout) == (2, "")


def test_a_bundle_of_many_files_passes(bench: Bench) -> None:
    """ansible-runner leaves a file an event; the statement then lists hundreds."""
    sealed = bench.sealed(extra={f"data/events/{n}.json": b"%d" % n for n in range(700)})

    done = run(sealed.path, bench.root.public_key)
    assert done.returncode == 0, done.stdout
