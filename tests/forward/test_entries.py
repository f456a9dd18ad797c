from __future__ import annotations

import struct
from typing import Any

import msgpack  # type: ignore[import-untyped]  # it has no types
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swak.formats.lines import json_lines
from swak.forward.entries import Packed, has_timestamp, listed, packed

NS = 1_000_000_000
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.integers(0, 9), inner, max_size=3),
    max_leaves=8,
)
RECORDS = st.dictionaries(st.text(), VALUES, max_size=4)
TIMES = st.integers(0, 2**32 * NS - 1)


def stamp(time_ns: int) -> Any:
    return msgpack.ExtType(0, struct.pack(">II", *divmod(time_ns, NS)))


def entry(record: Any, time_ns: int = 7) -> bytes:
    made: bytes = msgpack.packb([stamp(time_ns), record])
    return made


def kept(*entries: bytes) -> Packed:
    body = packed(listed(memoryview(b"".join(entries)), len(entries)))
    assert body is not None
    return body


@given(st.lists(st.tuples(TIMES, RECORDS), min_size=1, max_size=5))
def test_entries_keep_their_bytes_and_read_as_what_they_are(events: list[tuple[int, dict[str, Any]]]) -> None:
    entries = [entry(record, time_ns) for time_ns, record in events]
    body = kept(*entries)
    assert body.entries == b"".join(entries)
    assert list(body.times()) == [time_ns for time_ns, _ in events]
    assert body.records() == [record for _, record in events]
    assert body.count == len(events)


@pytest.mark.parametrize(
    "one",
    [
        msgpack.packb([7, {}]),
        msgpack.packb([[stamp(7), {}], {}]),
        msgpack.packb([stamp(7), []]),
        msgpack.packb([stamp(7), {}, {}]),
        msgpack.packb([msgpack.ExtType(1, b"12345678"), {}]),
        msgpack.packb([msgpack.ExtType(0, b"1234"), {}]),
        msgpack.packb([stamp(7), {1: "a key that is no text"}]),
        entry({"time": msgpack.Timestamp(1)}),
        entry({})[:-1],
        entry({}) * 2,
    ],
)
def test_what_is_something_else_is_not_handed_on_unseen(one: bytes) -> None:
    assert packed(listed(memoryview(entry({}) + one), 2)) is None


def test_no_entries_are_no_list_of_entries() -> None:
    assert packed(listed(memoryview(b""), 0)) is None


def test_a_time_that_looks_like_one_of_msgpacks_own_is_none() -> None:
    looks = entry({"n": 1}, 5 * NS + 0x00D7FF00)
    assert has_timestamp(looks)
    assert kept(looks).times() == [5 * NS + 0x00D7FF00]


def test_text_that_is_no_utf8_stays_readable() -> None:
    assert kept(b"\x92" + msgpack.packb(stamp(1)) + b"\x81\xa1k\xa1\xe9").shared == [{"k": "\udce9"}]


def test_keys_that_python_cannot_have_become_text_and_no_event_is_lost() -> None:
    strange = b"\x92" + msgpack.packb(stamp(1)) + b"\x81\xa1k" + b"\x82\x81\x01\x02\x02\xa1x\x03"
    assert kept(strange, entry({"n": 1})).shared == [{"k": {"{1: 2}": 2, "x": 3}}, {"n": 1}]


@pytest.mark.parametrize("depth", [100, 400, 900, 1_100])
def test_what_is_nested_deeply_is_read_or_not_taken(depth: int) -> None:
    deep = b"\x92" + msgpack.packb(stamp(1)) + b"\x81\xa1k" + b"\x91" * depth + b"\xc0"
    body = packed(listed(memoryview(deep), 1))
    assert body is None or len(body.shared) == 1


def test_joined_entries_are_all_of_them_in_order() -> None:
    one, other = kept(entry({"n": 1}, 1)), kept(entry({"n": 2}, 2), entry({"n": 3}, 3))
    both = Packed.joined([one, other], [], 0)
    assert (both.shared, list(both.times()), both.count) == ([{"n": 1}, {"n": 2}, {"n": 3}], [1, 2, 3], 3)
    assert both.size_bytes == one.size_bytes + other.size_bytes


def test_a_part_has_its_own_times() -> None:
    part = kept(entry({"n": 1}, 1), entry({"n": 2}, 2)).cut(1, 2)
    assert (part.records(), list(part.times())) == ([{"n": 2}], [2])


def test_json_is_made_of_them() -> None:
    assert json_lines(kept(entry({"n": 1}), entry({"text": "é"}))) == '{"n":1}\n{"text":"é"}\n'.encode()
