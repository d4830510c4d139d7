"""Where a lab may lie, and what is never touched."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from fireproof.errors import EnvironmentRefusal
from proving_ground.folder import LabFolder, default_root
from proving_ground.lab import Lab
from proving_ground.ports import free_ports, take_ports


def quiet(_: str) -> None:
    """A report nobody reads."""


@pytest.fixture
def open_path() -> Iterator[Path]:
    """A folder that everybody may enter, as root's labs need it; pytest's own have mode 700."""
    folder = Path(tempfile.mkdtemp(prefix="fireproof-lab-test-", dir="/var/tmp"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


def test_a_folder_with_other_things_in_it_is_left_alone(open_path: Path) -> None:
    """`lab down` removes its folder; it must never be somebody's home."""
    (open_path / "thesis.txt").write_text("years of work", "utf-8")
    lab = Lab(open_path)

    with pytest.raises(EnvironmentRefusal, match="is no lab"):
        lab.up(report=quiet)
    with pytest.raises(EnvironmentRefusal, match="is no lab"):
        lab.down(report=quiet)
    assert (open_path / "thesis.txt").read_text("utf-8") == "years of work"


def test_a_link_in_place_of_the_folder_is_refused(open_path: Path) -> None:
    """In /var/tmp anybody may put one there, pointing wherever they like."""
    (open_path / "real").mkdir()
    (open_path / "lab").symlink_to(open_path / "real")

    with pytest.raises(EnvironmentRefusal, match="not a folder of yours"):
        Lab(open_path / "lab").up(report=quiet)
    with pytest.raises(EnvironmentRefusal, match="not a folder of yours"):
        Lab(open_path / "lab").down(report=quiet)


def test_a_place_in_a_checkout_is_refused(open_path: Path) -> None:
    """A drill must not leave a database in somebody's commit."""
    (open_path / ".git").mkdir()

    with pytest.raises(EnvironmentRefusal, match="may not lie inside the checkout"):
        Lab(open_path / "lab").up(report=quiet)


def test_a_place_that_cannot_be_written_is_told(open_path: Path) -> None:
    """Said before anything runs, with the variable that helps."""
    with pytest.raises(EnvironmentRefusal, match="FIREPROOF_LAB_DIR"):
        Lab(open_path / "missing" / "lab").up(report=quiet)


def test_a_disk_that_is_too_small_is_told_before_it_is_full(open_path: Path) -> None:
    """Half a database on a full disk helps nobody."""
    with pytest.raises(EnvironmentRefusal, match="MiB free and SCALE=1000000 needs"):
        Lab(open_path / "lab").up(scale=1_000_000, report=quiet)
    assert not (open_path / "lab").exists()
    assert not (open_path / "lab.lock").exists()


def test_no_scale_below_one() -> None:
    """An empty database restores fast and proves nothing."""
    with pytest.raises(EnvironmentRefusal, match="SCALE"):
        Lab(Path("/var/tmp/never-made")).up(scale=0, report=quiet)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's servers run as somebody else")
def test_root_is_told_when_nobody_cannot_enter(tmp_path: Path) -> None:
    """Postgres refuses root, so the lab's servers must reach their files as another user."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)

    with pytest.raises(EnvironmentRefusal, match="cannot enter"):
        LabFolder(closed / "lab").refuse_foreign()


def test_checkouts_get_labs_of_their_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Two checkouts drilled side by side must not break each other's database."""
    monkeypatch.delenv("FIREPROOF_LAB_DIR", raising=False)
    roots = set()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        roots.add(default_root())
    monkeypatch.setenv("FIREPROOF_LAB_DIR", "/var/tmp/chosen")

    assert len(roots) == 2
    assert default_root() == Path("/var/tmp/chosen")


def test_ports_are_free_and_not_handed_to_outgoing_connections() -> None:
    """A probe's own connection could otherwise sit on the port that the server comes back to."""
    low = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text("ascii").split()[0])
    ports = free_ports(3)

    assert len(set(ports)) == 3
    for port in ports:
        assert port < low or low <= 11000
        with socket.socket() as line:
            line.bind(("127.0.0.1", port))


def test_no_lab_takes_what_another_has(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other's server may just be down, in a drill: it would come back to a taken port."""
    few = range(20000, 20006)
    monkeypatch.setattr("random.sample", lambda *_: list(few))
    ours = take_ports(2)
    theirs = take_ports(2)
    try:
        assert not set(ours) & set(theirs)
        with pytest.raises(EnvironmentRefusal, match="no 6 free ports"):
            take_ports(6)
    finally:
        for mark in [*ours.values(), *theirs.values()]:
            mark.close()
    assert set(free_ports(2)) == set(ours)  # given back with their marks
