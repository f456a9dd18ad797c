from __future__ import annotations

import struct
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgpack  # type: ignore[import-untyped]  # it has no types
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swak.event import Batch, Block, Dicts, Rows
from swak.forward.decoder import Decoder, Incoming
from swak.forward.frames import CHUNK_BYTES, Frame, ack, frames
from swak.spool.bodies import from_bytes, to_bytes
from swak.testing import batch_of, block_of, event, promise

if TYPE_CHECKING:
    from collections.abc import Sequence

NS = 1_000_000_000


class Row(msgspec.Struct, gc=False):
    n: int
    text: str | None = None


def unpacked(frame: Frame) -> list[Any]:
    """Read a frame with msgpack's own reader."""
    tag, entries, option = msgpack.unpackb(frame.packed())
    assert (tag, option) == (frame.tag, {"chunk": frame.chunk_id, "size": frame.size})
    reader = msgpack.Unpacker(strict_map_key=False, timestamp=0)
    reader.feed(entries)
    return list(reader)


def records_of(made: Sequence[Frame]) -> list[Any]:
    return [record for frame in made for _, record in unpacked(frame)]


def received(*parts: Any) -> list[Incoming]:
    return [one for part in parts for one in Decoder().feed(part if isinstance(part, bytes) else msgpack.packb(part))]


def test_a_time_keeps_its_nanoseconds() -> None:
    (frame,) = frames(batch_of([event({}, at_s=5)]))
    assert unpacked(frame)[0][0] == msgpack.ExtType(0, struct.pack(">II", 5, 0))


@pytest.mark.parametrize(("time_ns", "seconds"), [(-1, -1), (2**32 * NS, 2**32)])
def test_a_time_that_the_protocol_cannot_hold_keeps_its_seconds(time_ns: int, seconds: int) -> None:
    (frame,) = frames(batch_of([event({}).replace(time_ns=time_ns)]))
    assert unpacked(frame)[0][0] == seconds


def test_rows_travel_as_maps() -> None:
    batch = Batch(Rows([Row(1), Row(2, "x")], [0, NS]), "web", promise(2))
    assert records_of(frames(batch)) == [{"n": 1, "text": None}, {"n": 2, "text": "x"}]


def test_lines_travel_as_messages() -> None:
    assert records_of(frames(block_of("a", "b"))) == [{"message": "a"}, {"message": "b"}]


@pytest.mark.parametrize("count", [1, 15, 16, 65_535, 65_536])
def test_any_number_of_entries_is_framed(count: int) -> None:
    (frame,) = frames(batch_of([event({"n": 1})] * count))
    assert (frame.size, len(unpacked(frame))) == (count, count)


def test_chunks_are_cut_between_events() -> None:
    made = frames(batch_of([event({"n": n, "text": "x" * 1000}) for n in range(10_000)]))
    assert all(len(frame.entries) <= CHUNK_BYTES for frame in made)
    assert [record["n"] for record in records_of(made)] == list(range(10_000))


def ids(batch: Batch, place: str = "") -> list[str]:
    return [frame.chunk_id for frame in frames(batch, place)]


def test_ids_are_never_the_same() -> None:
    batch = batch_of([event({"n": 1}, tag=tag) for tag in "abab"])
    assert len({*ids(batch), *ids(batch)}) == 8


def test_the_ids_of_a_batch_that_has_a_place_are_the_same_whenever_it_comes() -> None:
    batch = batch_of([event({"n": 1}, tag=tag) for tag in "abab"])
    assert ids(batch, "spool 7") == ids(batch, "spool 7")
    assert len({*ids(batch, "spool 7"), *ids(batch, "spool 8"), *ids(batch, "other 7")}) == 12
    assert {len(one) for one in ids(batch, "spool 7")} == {24}


def test_the_ids_are_those_of_the_events_whether_they_come_from_memory_or_from_disk() -> None:
    rows = Batch(Rows([Row(1, "a"), Row(2)], [1, NS]), "t", promise())
    assert ids(Batch(*from_bytes(to_bytes(rows)), promise()), "spool 7") == ids(rows, "spool 7")


def test_other_events_at_the_same_place_have_another_id() -> None:
    few, more = (batch_of([event({"n": n}) for n in range(count)]) for count in (2, 3))
    later = batch_of([event({"n": n}, at_s=1) for n in range(2)])
    assert len({*ids(few, "spool 7"), *ids(more, "spool 7"), *ids(later, "spool 7")}) == 3


def test_one_huge_event_has_a_chunk_of_its_own() -> None:
    huge = "x" * (CHUNK_BYTES + 1)
    made = frames(batch_of([event({"n": 1}), event({"text": huge}), event({"n": 2})]))
    assert [frame.size for frame in made] == [1, 1, 1]


def test_lone_surrogates_are_replaced() -> None:
    record = {"caf\udce9": ["\ud800", {"a": "한글"}]}
    assert records_of(frames(batch_of([event(record)]))) == [{"caf\ufffd": ["\ufffd", {"a": "한글"}]}]


def test_a_tag_with_a_lone_surrogate_can_be_sent() -> None:
    assert frames(batch_of([event({}, tag="a.\udce9")]))[0].tag == "a.\ufffd"


def test_keys_become_text() -> None:
    assert records_of(frames(batch_of([event({1: {2: "x"}})]))) == [{"1": {"2": "x"}}]  # type: ignore[dict-item]


def test_a_date_becomes_text_since_receivers_do_not_know_msgpacks_own_time() -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
    assert records_of(frames(batch_of([event({"at": at})]))) == [{"at": "2026-01-02T03:04:05.000006Z"}]


def test_bytes_that_look_like_a_time_stay_bytes() -> None:
    record = {"raw": b"\xd7\xff\xd6\xff\xc7\x0c\xff"}
    assert records_of(frames(batch_of([event(record)]))) == [record]


def test_an_event_time_that_looks_like_a_date_changes_nothing() -> None:
    batch = batch_of([event({"at": 1}).replace(time_ns=5 * NS + 0x0000D7FF)])
    assert records_of(frames(batch)) == [{"at": 1}]


def test_the_times_of_many_events_are_their_own() -> None:
    times = [n * NS // 4 for n in range(100)] * 8 + [-1]
    batch = batch_of([event({}).replace(time_ns=time_ns) for time_ns in times])
    assert received(frames(batch)[0].packed())[0].times == [*times[:-1], -NS]


@pytest.mark.parametrize("value", [10**30, -(2**63) - 1, object(), {(1, 2): 3}.keys(), 1j])
def test_what_msgpack_cannot_carry_raises(value: object) -> None:
    with pytest.raises((TypeError, OverflowError)):
        frames(batch_of([event({"ok": 1}), event({"n": value})]))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text() | st.binary() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.lists(st.tuples(st.integers(0, 2**32 * NS - 1), st.dictionaries(st.text(), VALUES, max_size=4)), min_size=1))
def test_what_is_sent_is_what_is_received(entries: list[tuple[int, dict[str, Any]]]) -> None:
    batch = batch_of([event(record).replace(time_ns=time_ns) for time_ns, record in entries])
    (incoming,) = received(frames(batch)[0].packed())
    assert [*zip(incoming.times, incoming.records, strict=True)] == entries


def test_an_ack_names_the_chunk() -> None:
    assert msgpack.unpackb(ack("abc")) == {"ack": "abc"}


def test_an_ack_of_an_id_that_is_no_text_gives_its_bytes_back() -> None:
    assert ack("i\udcff") == b"\x81\xa3ack\xda\x00\x02i\xff"


LINES = st.lists(st.text().map(lambda text: text.replace("\n", "").encode()) | st.binary(max_size=300), min_size=1)
SIZES = st.sampled_from([0, 31, 32, 255, 256, 65_535, 65_536]).map(lambda size: [b"x" * size])


@given(LINES | SIZES, st.sampled_from([0, 5, 2**31 * NS - 1, 2**32 * NS, -1]), st.booleans())
def test_lines_look_as_the_records_that_they_stand_for(lines: list[bytes], time_ns: int, several: bool) -> None:
    data = b"".join(line.replace(b"\n", b"") + b"\n" for line in lines)
    times = [time_ns + at for at in range(len(lines))] if several else None
    block = Block(data, time_ns, times=times)
    found = frames(Batch(block, "t", promise(len(lines))), "place")
    assert found == frames(Batch(Dicts(block.records(), block.times()), "t", promise(len(lines))), "place")


def test_many_short_lines_are_cut_into_chunks() -> None:
    count = 3 * CHUNK_BYTES // 22
    made = frames(Batch(Block(b"\n" * count, NS), "t", promise(count)))
    assert all(len(frame.entries) <= CHUNK_BYTES for frame in made)
    assert sum(frame.size for frame in made) == sum(len(unpacked(frame)) for frame in made) == count


def test_entries_that_came_are_sent_as_they_are() -> None:
    entries = b"\x92\xd7\x00\x00\x00\x00\x05\x00\x00\x00\x07\x82\xa1b\xcd\x00\x01\xa1a\xa1\xe9"
    (incoming,) = received(["t", entries, {"chunk": "x", "size": 1}])
    (frame,) = frames(Batch(incoming.body, incoming.tag, promise()))
    assert (frame.entries, frame.size, frame.tag) == (entries, 1, "t")


def test_entries_of_several_tags_are_sent_under_their_own() -> None:
    first, second = (received([tag, msgpack.packb([msgpack.ExtType(0, bytes(8)), {"n": tag}])])[0] for tag in "ab")
    body = first.body.joined([first.body, second.body], [0, 0], 0)
    made = frames(Batch(body, ["a", "b"], promise(2)))
    assert [(frame.tag, unpacked(frame)[0][1]) for frame in made] == [("a", {"n": "a"}), ("b", {"n": "b"})]
