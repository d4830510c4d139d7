"""What proof costs: digests, sealing, judging again."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from bench.line import Line, row
from bench.measure import Sample, command, in_turns
from bench.peers import HERE, tool
from bench.projects import scratch

BULK_BYTES, BULK_FILES = 1 << 30, 8
FILES, FILE_BYTES = 200, 1 << 18
ROUNDS, SEALS = 3, 15


def fill(folder: Path, files: int, size_bytes: int) -> list[str]:
    """Files of this size, no two the same."""
    folder.mkdir(parents=True, exist_ok=True)
    names = []
    for number in range(files):
        block = hashlib.sha256(f"bench {number}".encode()).digest() * (1 << 13)
        path = folder / f"samples-{number:03d}.csv"
        with path.open("wb") as file:
            for _ in range(size_bytes // len(block)):
                file.write(block)
        names.append(str(path))
    return names


@row("digests")
def digests() -> list[Line]:
    from fireproof.evidence import read_bag, write_bag

    with scratch() as folder:
        names = fill(folder / "data", BULK_FILES, BULK_BYTES // BULK_FILES)

        def bag() -> None:
            for path in folder.glob("*.txt"):
                path.unlink()
            write_bag(folder, {})

        openssl = command(["openssl", "dgst", "-sha256", *names])
        sealed, verified, peer = map(
            Sample.of, in_turns([bag, lambda: read_bag(folder), openssl], ROUNDS)
        )
    shown = peer.show("ms", 1e3)
    return [
        Line(
            f"{what} digests of 1 GiB in {BULK_FILES} files against `openssl dgst -sha256`",
            ours.show("ms", 1e3),
            shown,
            ours.median / peer.median,
            "x",
            0.65,
        )
        for what, ours in (("seal:", sealed), ("verify:", verified))
    ]


@row("seal")
def seal() -> list[Line]:
    """Ours in the run's own process, whose signer is ready; the peer as the command it is."""
    from fireproof.evidence import EvidenceRoot
    from support.evidence import Bench

    with scratch() as folder:
        ours = Bench(EvidenceRoot(folder / "evidence"))
        keep = folder / "recorded"
        shutil.move(ours.record(), keep)
        fill(keep / "data" / "samples", FILES, FILE_BYTES)
        small = folder / "small"
        shutil.copytree(keep, small, ignore=shutil.ignore_patterns("samples"))
        products = folder / "products"
        shutil.copytree(keep / "data", products / "data")
        key = make_key(folder)
        argv = [tool("in-toto", "in-toto-run"), "--step-name", "drill", "--no-command"]
        argv += ["--signing-key", str(key), "--products", "data", "--metadata-directory", "."]
        peer_act = command(argv, products)
        bulky, fixed, peer = [], [], []
        for _ in range(SEALS):
            bulky.append(sealing_s(ours, keep))
            peer += in_turns([peer_act], 1, warm=False)[0]
            fixed.append(sealing_s(ours, small))
    mine, theirs, least = Sample.of(bulky), Sample.of(peer), Sample.of(fixed)
    size = FILES * FILE_BYTES >> 20
    what = f"seal {FILES} files of together {size} MiB against `in-toto-run` over the same"
    return [
        Line(
            what,
            mine.show("ms", 1e3),
            theirs.show("ms", 1e3),
            mine.median / theirs.median,
            "x",
            0.4,
            note="ours also syncs to disk, reads everything back and renames; three signatures",
        ),
        Line(
            "fixed cost of sealing: a run without samples, offline",
            least.show("ms", 1e3),
            "nobody",
            least.median * 1e3,
            "ms",
            15,
        ),
    ]


def sealing_s(bench: object, recorded: Path) -> float:
    """Seconds for one seal of a fresh copy; what was sealed is removed again."""
    import time

    from support.evidence import RUN, Bench

    assert isinstance(bench, Bench)
    bag = bench.root.runs / RUN / "bag"
    shutil.rmtree(bench.root.runs, ignore_errors=True)
    shutil.rmtree(bench.root.bundles, ignore_errors=True)
    bag.parent.mkdir(parents=True)
    shutil.copytree(recorded, bag)
    record = bench.run_record(bag)
    from fireproof.evidence import seal_bundle

    began = time.perf_counter()
    seal_bundle(bag, bench.root.bundles, RUN, signer=bench.signer, run_record=record)
    return time.perf_counter() - began


def make_key(folder: Path) -> Path:
    """A throwaway P-256 key, as PEM."""
    path = folder / "peer.pem"
    command(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-out", str(path)])()  # fmt: skip
    return path


@row("recompute")
def recompute() -> list[Line]:
    from fireproof.cli.recompute import judge_bag

    bundle = next(path for path in (HERE / "evidence" / "sample").iterdir() if path.is_dir())
    rows = sum(
        max(0, len(path.read_bytes().splitlines()) - 1)
        for path in (bundle / "data" / "samples").iterdir()
    )
    (times,) = in_turns([lambda: judge_bag(bundle)], SEALS)
    ours = Sample.of(times)
    what = f"judge the sample bundle again from its {rows} rows of samples"
    return [Line(what, ours.show("ms", 1e3), "nobody", ours.median * 1e6 / rows, "µs a row")]
