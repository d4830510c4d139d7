"""What must hold for any bytes that people or machines come up with."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from fireproof.errors import MalformedError
from fireproof.evidence import (
    Envelope,
    canonical_bytes,
    decode_envelope,
    pae,
    parse_canonical,
    read_bag,
    write_bag,
)
from fireproof.evidence.manifest import encode_manifest, parse_manifest, why_unfit

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inside: st.lists(inside, max_size=4) | st.dictionaries(TEXT, inside, max_size=4),
    max_leaves=20,
)
NAMES = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/\\"), min_size=1
)


def unpae(data: bytes) -> tuple[str, bytes]:
    """Type and payload of signed bytes, read by the lengths alone."""
    match = re.match(rb"DSSEv1 (\d+) ", data)
    assert match
    kind, rest = data[match.end() :][: int(match[1])], data[match.end() + int(match[1]) :]
    match = re.match(rb" (\d+) ", rest)
    assert match
    payload = rest[match.end() :]
    assert len(payload) == int(match[1])
    return kind.decode("utf-8"), payload


@given(payload_type=TEXT, payload=st.binary())
@example(payload_type="naïve/type", payload=b"x")  # bytes and characters differ
@example(payload_type="a 1 b", payload=b" 2 c")
def test_signed_bytes_come_apart_into_what_was_signed(payload_type: str, payload: bytes) -> None:
    """So no two different statements can ever share one signature."""
    assert unpae(pae(payload_type, payload)) == (payload_type, payload)


@given(value=JSON)
def test_canonical_json_reads_back_as_itself_in_one_spelling(value: Any) -> None:
    """Two verifiers must see one value, and one value must have one digest."""
    data = canonical_bytes(value)

    assert canonical_bytes(parse_canonical(data, "x")) == data
    assert parse_canonical(data, "x") == value
    assert data == canonical_bytes(json.loads(json.dumps(value)))


@given(data=st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_whatever_is_taken_for_canonical_is(data: bytes) -> None:
    """A parser that crashes on hostile bytes, or takes loose ones, proves nothing."""
    try:
        value = parse_canonical(data, "x")
    except MalformedError:
        return
    assert canonical_bytes(value) == data


@given(kind=TEXT, payload=st.binary(), key_id=TEXT, signature=st.binary())
def test_any_envelope_comes_back(kind: str, payload: bytes, key_id: str, signature: bytes) -> None:
    """What was signed is what is verified, whatever it was."""
    envelope = Envelope(kind, payload, key_id, signature)

    assert decode_envelope(envelope.encode(), "x") == envelope


@given(data=st.data(), payload=st.binary(min_size=1))
def test_a_changed_envelope_is_never_the_same_envelope(data: st.DataObject, payload: bytes) -> None:
    """A byte inserted, removed or replaced is refused, or changes what the signature covers."""
    envelope = Envelope("application/vnd.in-toto+json", payload, "ab" * 32, b"\x30\x01")
    stored = envelope.encode()
    at = data.draw(st.integers(0, len(stored) - 1))
    cut = data.draw(st.integers(0, 2))
    changed = stored[:at] + data.draw(st.binary(max_size=2)) + stored[at + cut :]
    assume(changed != stored)

    try:
        found = decode_envelope(changed, "x")
    except MalformedError:
        return
    assert found != envelope


@given(names=st.sets(NAMES.map(lambda name: f"data/{name}")))
@example(names={"data/%25", "data/%", "data/%2525", "data/%0A"})
def test_manifests_read_back(names: set[str]) -> None:
    """Every name a manifest may hold survives it, percent signs included."""
    digests = {name: "a" * 64 for name in names if why_unfit(name) is None}
    assume(digests)
    found = parse_manifest(encode_manifest(digests), "m")

    assert (found.digests, found.problems) == (digests, [])


@given(data=st.binary())
@example(data=b"0" * 64 + b"  data/a\n")
def test_whatever_is_taken_for_a_manifest_has_one_spelling(data: bytes) -> None:
    """A manifest that reads without problems is the one that would be written."""
    found = parse_manifest(data, "m")

    assert found.problems or encode_manifest(found.digests) == data


@settings(max_examples=40, deadline=None)
@given(
    files=st.dictionaries(
        st.text(
            st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=8
        ),
        st.binary(max_size=20),
        min_size=1,
        max_size=6,
    ),
    data=st.data(),
)
def test_a_bag_of_anything_reads_back_until_something_changes(
    files: dict[str, bytes], data: st.DataObject
) -> None:
    """Whatever steps leave behind can be sealed, and whatever changes later is named."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "data").mkdir()
        names = [name for name in files if why_unfit(f"data/{name}") is None and "/" not in name]
        names = [name for name in names if len(name.encode()) < 200]
        assume(names)
        for name in names:
            (folder / "data" / name).write_bytes(files[name])
        bag = write_bag(folder, {})
        assert read_bag(folder).problems == ()
        assert read_bag(folder).identity == bag.identity

        victim = data.draw(st.sampled_from(names))
        (folder / "data" / victim).write_bytes(files[victim] + b"!")
        assert [p.file for p in read_bag(folder).problems] == [f"data/{victim}"]
