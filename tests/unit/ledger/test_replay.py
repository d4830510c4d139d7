"""A replay agrees with what was stored, and with nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from proving_ground.merkle import replay_command
from proving_ground.merkle.log import LoggedNote, StoredLog, read_file, write_file
from proving_ground.merkle.note import ORIGIN, verify_note
from proving_ground.merkle.refusal import Refused
from proving_ground.merkle.replay import Replayed, replay
from proving_ground.merkle.spoil import SPOILS, spoil
from support.logs import KEY, stored_log

BODIES = [
    "",
    "plain",
    "ä 1:x 你好 \U0001f525",
    "%s %I",
    "\n\t\\u0000",
    "{}",
    "last but one",
    "last",
]
LOG = stored_log(BODIES, [1, 3, 4, 7])


def replayed(log: StoredLog, *known: LoggedNote) -> Replayed:
    return replay(log, KEY.public_key(), ORIGIN, [each.note for each in known])


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "engine.pub.pem"
    pem = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    path.write_bytes(pem)
    return path


def test_two_replays_of_one_log_come_to_the_same() -> None:
    """A time, a float or an order of hashing in the digest would show here."""
    first, second = replayed(LOG), replayed(stored_log(BODIES, [1, 3, 4, 7]))

    assert first == second
    assert (first.events, first.checkpoints, first.proved) == (8, 4, 7)


@given(bodies=st.lists(st.text(), min_size=1, max_size=40), data=st.data())
def test_a_changed_body_never_has_the_same_state(bodies: list[str], data: st.DataObject) -> None:
    """Also one behind the newest checkpoint."""
    place = data.draw(st.integers(0, len(bodies) - 1))
    changed = [*bodies[:place], bodies[place] + "x", *bodies[place + 1 :]]
    sizes = sorted(data.draw(st.sets(st.integers(1, len(bodies)))))

    one, other = (replayed(stored_log(each, sizes)) for each in (bodies, changed))

    assert one.state != other.state


@pytest.mark.parametrize("kind", SPOILS)
def test_a_spoiled_log_is_refused_for_its_own_reason(kind: str) -> None:
    """A replay that believes one of these proves nothing about any."""
    with pytest.raises(Refused) as refused:
        replayed(spoil(LOG, kind), LOG.notes[-1])

    assert refused.value.reason == SPOILS[kind][1]


def test_a_clean_cut_is_noticed_only_by_who_remembers() -> None:
    """What is left is a valid older log; docs and drills must not claim more."""
    cut = spoil(LOG, "cut-clean")

    assert replayed(cut).checkpoints == 3
    with pytest.raises(Refused, match=r"^truncated: checkpoint 4 of size 7 is gone"):
        replayed(cut, LOG.notes[-1])


def test_a_second_history_signed_by_the_engine_itself_is_refused() -> None:
    """The engine's key is no excuse for two truths."""
    other = stored_log([*BODIES[:-1], "another"], [1, 3, 4, 8])
    mine = stored_log(BODIES, [1, 3, 4, 8])

    with pytest.raises(Refused, match=r"^root: another checkpoint 4"):
        replayed(mine, other.notes[-1])


def test_checkpoints_that_go_back_are_refused() -> None:
    """Signed and in sequence, and still no append-only log."""
    with pytest.raises(Refused, match=r"^order: checkpoint 3 is of size 2 after 3"):
        replayed(stored_log(BODIES, [1, 3, 2]))


def test_a_log_without_checkpoints_proves_nothing_and_says_so() -> None:
    """0 checkpoints compared must not read as "all equal"."""
    found = replayed(stored_log(BODIES, []))

    assert (found.checkpoints, found.proved) == (0, 0)


def test_a_file_holds_the_log_as_it_was(tmp_path: Path) -> None:
    """Export, carry away, replay elsewhere."""
    path = tmp_path / "log.jsonl"

    write_file(LOG, path)

    assert replayed(read_file(path)) == replayed(LOG)


DAMAGES: dict[str, Callable[[str], str]] = {
    "torn": lambda text: text[:-1],
    "no-json": lambda text: text + "x\n",
    "number-as-text": lambda text: text.replace('"seq": 1', '"seq": "1"', 1),
    "number-as-truth": lambda text: text.replace('"seq": 1', '"seq": true', 1),
    "unknown-field": lambda text: text.replace('"tenant"', '"owner"', 1),
    "event-after-checkpoint": lambda text: text + text.partition("\n")[0] + "\n",
    "no-object": lambda text: text + "[]\n",
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_file_that_is_no_log_is_malformed(tmp_path: Path, kind: str) -> None:
    """With the line that is wrong, never a traceback."""
    path = tmp_path / "log.jsonl"
    write_file(LOG, path)
    path.write_text(DAMAGES[kind](path.read_text()))

    with pytest.raises(Refused, match=r"^malformed: .*log\.jsonl:\d+: "):
        read_file(path)


def test_the_command_tells_states_apart(
    tmp_path: Path, key_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Drills and nightly jobs see the exit code and one line."""
    good, bad, seen = tmp_path / "good", tmp_path / "bad", tmp_path / "seen"
    write_file(LOG, good)
    key = ["--key", str(key_file)]

    def call(*argv: object) -> tuple[int, dict[str, object]]:
        code = replay_command.main([str(word) for word in argv])
        return code, json.loads(capsys.readouterr().out)

    code, found = call("check", "--log", good, *key, "--times", 2, "--remember", seen)
    assert (code, found["times"]) == (0, 2)
    state = str(found["state"])
    assert call("check", "--log", good, *key, "--expect", state, "--known", seen)[0] == 0
    assert call("spoil", "--log", good, "--kind", "cut-clean", "--to", bad)[0] == 0
    assert call("check", "--log", bad, *key)[0] == 0
    assert call("check", "--log", bad, *key, "--known", seen)[1]["refused"] == "truncated"
    assert call("check", "--log", bad, *key, "--expect", state)[0] == 1
    code, found = call("refusals", "--log", good, *key)
    assert (code, found["shown"], found["refused"], found["wrong"]) == (0, 11, 11, [])
    (tmp_path / "short").write_text("")
    assert replay_command.main(["refusals", "--log", str(tmp_path / "short"), *key]) == 2
    assert replay_command.main(["check", "--log", str(tmp_path / "none"), *key]) == 2
    assert "No such file" in capsys.readouterr().err


def test_a_replay_that_believed_a_forgery_is_found_out(
    tmp_path: Path,
    key_file: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The refusals are a control experiment; this is its own: a spoil that spoils nothing."""
    path = tmp_path / "good"
    write_file(LOG, path)
    monkeypatch.setitem(SPOILS, "harmless", (lambda log: replace(log), "root"))

    assert replay_command.main(["refusals", "--log", str(path), "--key", str(key_file)]) == 1
    assert json.loads(capsys.readouterr().out)["wrong"] == ["harmless: believed"]


def test_the_key_is_the_one_that_is_asked_for() -> None:
    """Guards the fixture of this file: notes are signed by what is trusted."""
    assert verify_note(LOG.notes[0].note, KEY.public_key(), ORIGIN).size == 1
