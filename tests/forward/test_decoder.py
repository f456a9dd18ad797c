from __future__ import annotations

import gzip
import struct
from contextlib import suppress
from typing import Any

import msgpack  # type: ignore[import-untyped]  # it has no types
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from swak.forward.decoder import FRAME_BYTES, Decoder, Incoming
from swak.forward.faults import ProtocolError

NS = 1_000_000_000


def received(*parts: Any, frame_bytes_max: int = FRAME_BYTES) -> list[Incoming]:
    datas = [part if isinstance(part, bytes) else msgpack.packb(part) for part in parts]
    return [one for data in datas for one in Decoder(frame_bytes_max).feed(data)]


def test_a_message_is_read() -> None:
    assert received(["a.b", 5, {"n": 1}]) == [Incoming("a.b", [5 * NS], [{"n": 1}], None)]


def test_a_message_with_an_id_asks_for_an_ack() -> None:
    assert received(["a", 5.5, {"n": 1}, {"chunk": "abc"}])[0].chunk_id == "abc"


def test_forwarded_entries_are_read() -> None:
    entries = [[msgpack.ExtType(0, struct.pack(">II", 5, 7)), {"n": 1}], [6, {"n": 2}]]
    expected = Incoming("a", [5 * NS + 7, 6 * NS], [{"n": 1}, {"n": 2}], "x")
    assert received(["a", entries, {"chunk": "x"}]) == [expected]


def test_entries_with_metadata_are_read() -> None:
    assert received(["a", [[[5, {"meta": 1}], {"n": 1}]]])[0].times == [5 * NS]


def test_a_message_with_metadata_is_read() -> None:
    assert received(["a", [5, {}], {"n": 1}]) == [Incoming("a", [5 * NS], [{"n": 1}], None)]


@pytest.mark.parametrize("as_text", [True, False])
def test_packed_entries_are_read(as_text: bool) -> None:
    packed = msgpack.packb([5, {"n": 1}]) + msgpack.packb([msgpack.ExtType(0, b"\x00\x00\x00\x06\xff\xff\xff\xff"), {}])
    frame = b"\x92" + msgpack.packb("a") + (b"\xda" if as_text else b"\xc5") + struct.pack(">H", len(packed)) + packed
    assert received(frame)[0].records == [{"n": 1}, {}]


def test_compressed_entries_are_read_from_several_members() -> None:
    packed = gzip.compress(msgpack.packb([5, {"n": 1}])) + gzip.compress(msgpack.packb([6, {"n": 2}]))
    assert received(["a", packed, {"compressed": "gzip"}])[0].records == [{"n": 1}, {"n": 2}]


@pytest.mark.parametrize("name", ["zstd", b"zstd", "snappy", 7])
def test_a_compression_that_is_not_spoken_is_refused_by_its_name(name: Any) -> None:
    with pytest.raises(ProtocolError, match=r"compressed by .*gzip"):
        received(["a", packed(3), {"compressed": name}])


@pytest.mark.parametrize("name", ["", "text", None])
def test_a_chunk_may_say_that_it_is_not_compressed(name: Any) -> None:
    assert received(["a", packed(3), {"compressed": name}])[0].times == [0, NS, 2 * NS]


@pytest.mark.parametrize("compressed", [{"compressed": b"gzip"}, {b"compressed": b"gzip"}])
def test_tag_and_options_may_be_bytes_and_unknown_ones_mean_nothing(compressed: dict[Any, Any]) -> None:
    option = {b"chunk": b"id", "size": "odd", 7: None, "signal": 3, **compressed}
    (one,) = received([b"a.\xff", gzip.compress(packed(3)), option])
    assert (one.tag, one.chunk_id, len(one.times)) == ("a.\udcff", "id", 3)


@pytest.mark.parametrize("head", [b"\xd7\x00", b"\xc7\x08\x00"], ids=["fixext 8", "ext 8"])
@pytest.mark.parametrize("packs", [False, True], ids=["message", "packed"])
def test_an_event_time_comes_in_either_encoding(head: bytes, packs: bool) -> None:
    stamp = head + struct.pack(">II", 4_000_000_000, 999_999_999)
    entries = b"\x92" + stamp + b"\x81\xa1n\x01"
    frame = msgpack.packb(["a", entries]) if packs else b"\x93\xa1a" + entries[1:]
    assert received(frame)[0].times == [4_000_000_000_999_999_999]


@pytest.mark.parametrize(("time", "time_ns"), [(-1, -NS), (-0.5, -NS // 2), (1.25, NS + NS // 4), (2**32, 2**32 * NS)])
def test_a_time_may_be_broken_or_before_1970(time: float, time_ns: int) -> None:
    assert received(["a", [[time, {}]]])[0].times == [time_ns]


@pytest.mark.parametrize("depth", [500, 990, 1_023, 100_000])
@pytest.mark.parametrize("before", [b"", b"\x93\xa1a", b"\x93\xa1a\x01\x81\xa1k", b"\x93\xa1a\x90"])
@pytest.mark.parametrize("kind", [b"\x91", b"\x81\xa1k"], ids=["lists", "maps"])
def test_what_is_nested_a_thousand_times_breaks_nothing(kind: bytes, before: bytes, depth: int) -> None:
    with suppress(ProtocolError):
        assert len(received(before + kind * depth + b"\xc0")) <= 1


@pytest.mark.parametrize("size", [-1, 0, 1, 2, 3, 4, 1_001, 2**63, True, 3.0, "3", None])
def test_a_wrong_number_of_entries_is_no_harm(size: Any) -> None:
    (one,) = received(["a", packed(3), {"size": size, "chunk": "id"}])
    assert (one.times, one.last) == ([0, NS, 2 * NS], True)


def test_a_heartbeat_is_nothing() -> None:
    assert received(None) == []


def test_frames_may_come_byte_by_byte() -> None:
    decoder = Decoder()
    data = msgpack.packb(["a", 1, {"n": 1}]) * 2
    assert [one.records for byte in data for one in decoder.feed(bytes([byte]))] == [[{"n": 1}]] * 2


def test_undecodable_text_is_kept_as_surrogates() -> None:
    frame = b"\x93\xa1a\x05\x81\xa1k\xa1\xe9"
    assert received(frame)[0].records == [{"k": "\udce9"}]


@pytest.mark.parametrize(
    "frame",
    [
        "text",
        [],
        ["a"],
        [1, 2, {}],
        ["a", 5],
        ["a", 5, "record"],
        ["a", "later", {}],
        ["a", [[5]]],
        ["a", [["x", {}]]],
        ["a", [[True, {}]]],
        ["a", b"\x92\x05", {}],
        ["a", b"\xc1", {}],
        ["a", b"no gzip", {"compressed": "gzip"}],
        ["a", gzip.compress(b"\x92\x05\x80")[:-9], {"compressed": "gzip"}],
        ["a", [[float("inf"), {}]]],
        ["a", [[2**63 - 1, {}]]],
        [None, 5, {}],
    ],
)
def test_what_is_no_frame_is_refused(frame: Any) -> None:
    with pytest.raises(ProtocolError):
        received(frame)


def test_a_compression_bomb_is_refused() -> None:
    with pytest.raises(ProtocolError, match="too large"):
        received(["a", gzip.compress(b"\x00" * 2_000_000), {"compressed": "gzip"}], frame_bytes_max=100_000)


@example(b"\x81\x80\x00")  # a map whose key is a list
@given(st.binary(max_size=200))
def test_noise_is_a_protocol_error_or_nothing(data: bytes) -> None:
    with suppress(ProtocolError):
        received(data)


def packed(count: int, record: dict[str, Any] | None = None) -> bytes:
    return b"".join(msgpack.packb([n, record or {"n": n}]) for n in range(count))


def test_a_large_packed_frame_comes_in_parts_and_only_the_last_one_says_so() -> None:
    found = received(["a", packed(2_500, {"text": "x" * 100}), {"chunk": "id"}])
    assert [(len(one.times), one.last, one.chunk_id) for one in found] == [
        (1_000, False, "id"),
        (1_000, False, "id"),
        (500, True, "id"),
    ]


def test_a_large_forwarded_list_comes_in_parts() -> None:
    entries = [[n, {"text": "x" * 100}] for n in range(2_500)]
    found = received(["a", entries, {"chunk": "id"}])
    assert [time // NS for one in found for time in one.times] == [*range(2_500)]
    assert [one.last for one in found] == [False, False, True]


@pytest.mark.parametrize("time", [7, [7, {"meta": 1}], msgpack.ExtType(0, b"\x00\x00\x00\x07\x00\x00\x00\x00")])
def test_a_large_message_is_read(time: Any) -> None:
    text = "x" * 200_000
    assert received(["a", time, {"text": text}, {"chunk": "id"}]) == [
        Incoming("a", [7 * NS], [{"text": text}], "id", True, received(["a", time, {"text": text}])[0].size_bytes)
    ]


def test_parts_are_cut_by_bytes_too() -> None:
    found = received(["a", packed(30, {"text": "x" * 100_000})])
    assert len(found) > 2
    assert sum(len(one.times) for one in found) == 30


def test_a_frame_without_entries_is_one_empty_part() -> None:
    assert received(["a", b"", {"chunk": "id"}]) == [Incoming("a", [], [], "id")]
    assert received(["a", [], {"chunk": "id"}]) == [Incoming("a", [], [], "id")]


def test_nothing_of_a_broken_chunk_is_an_event() -> None:
    decoder = Decoder()
    with pytest.raises(ProtocolError, match="in the middle"):
        next(decoder.feed(msgpack.packb(["a", packed(5_000) + b"\x92\x00"])))


def test_frames_before_a_broken_one_are_events() -> None:
    found: list[Incoming] = []
    data = msgpack.packb(["a", 1, {"n": 1}]) + msgpack.packb(["a", 1, []]) + msgpack.packb(["a", 1, {"n": 2}])
    with pytest.raises(ProtocolError):
        found.extend(Decoder().feed(data))
    assert [one.records for one in found] == [[{"n": 1}]]


def test_a_frame_above_the_limit_is_refused_before_it_is_whole() -> None:
    decoder = Decoder(100_000)
    head = msgpack.packb(["a", b"x" * 200_000])
    with pytest.raises(ProtocolError, match="larger than 100000 bytes"):
        [*decoder.feed(head[:150_000])]
    with pytest.raises(ProtocolError, match="larger than 100000 bytes"):
        [*Decoder(100_000).feed(b"\x92\xa1a\xdd\x7f\xff\xff\xff" + b"\xc0" * 150_000)]


def test_what_is_held_is_the_frame_that_is_not_complete() -> None:
    decoder = Decoder()
    frame = msgpack.packb(["a", 1, {"n": 1}])
    assert [one.records for one in decoder.feed(frame + frame[:3])] == [[{"n": 1}]]
    assert decoder.held_bytes == 3
    assert [one.records for one in decoder.feed(frame[3:])] == [[{"n": 1}]]
    assert decoder.held_bytes == 0


def test_a_header_that_promises_billions_of_values_costs_nothing() -> None:
    decoder = Decoder()
    assert [*decoder.feed(b"\x93\xa1a\x01" + b"\xdd\x7f\xff\xff\xff" * 500)] == []
    assert decoder.held_bytes == 2_504


def test_a_record_of_millions_of_values_is_refused() -> None:
    many = b"\xdd" + struct.pack(">I", 3_000_000) + b"\xc0" * 3_000_000
    with pytest.raises(ProtocolError, match=r"exceeds|more than"):
        received(b"\x93\xa1a\x01\x81\xa1k" + many)
    nested = b"\xdc\x03\xe8" + (b"\xdc\x0f\xa0" + b"\xc0" * 4_000) * 1_000
    with pytest.raises(ProtocolError, match="more than 1000000 values"):
        received(b"\x93\xa1a\x01\x81\xa1k" + nested)


def test_a_chunk_id_that_is_a_book_is_refused() -> None:
    with pytest.raises(ProtocolError, match="id has 2000 characters"):
        received(["a", 1, {}, {"chunk": "x" * 2_000}])


def test_a_hello_of_tls_is_called_by_its_name() -> None:
    with pytest.raises(ProtocolError, match="speaks TLS"):
        received(b"\x16\x03\x01\x02\x00\x01")


def test_a_million_members_of_gzip_are_unpacked_in_reasonable_time() -> None:
    member = gzip.compress(msgpack.packb([5, {}]), 1)
    found = received(["a", member * 20_000, {"compressed": "gzip"}])
    assert sum(len(one.times) for one in found) == 20_000


def test_text_that_is_no_utf8_takes_the_other_way_with_the_same_result() -> None:
    entries = b"\x92\x05\x81\xa1k\xa1\xe9" + msgpack.packb([6, {"k": "é"}])
    assert received(["a", entries])[0].records == [{"k": "\udce9"}, {"k": "é"}]


def test_msgpacks_own_time_in_a_record_is_nanoseconds() -> None:
    entry = b"\x92\x05\x81\xa1k\xd6\xff\x00\x00\x00\x09"
    assert received(["a", entry])[0].records == [{"k": 9 * NS}]


FRAMES = st.sampled_from(
    [
        msgpack.packb(["m", 1, {"n": 1}]),
        msgpack.packb(["f", [[1, {"n": 2}], [2, {"n": 3}]], {"chunk": "x"}]),
        msgpack.packb(["p", packed(3)]),
        msgpack.packb(["g", gzip.compress(packed(3)), {"compressed": "gzip"}]),
        msgpack.packb(["l", packed(1_500, {"text": "x" * 50}), {"chunk": "y", "size": 9}]),
        msgpack.packb(None),
    ]
)


@given(st.lists(FRAMES, min_size=1, max_size=5), st.lists(st.integers(1, 5_000), max_size=20))
def test_frames_in_any_pieces_give_the_same_events(frames: list[bytes], sizes: list[int]) -> None:
    data = b"".join(frames)
    decoder, found, at = Decoder(), [], 0
    for size in [*sizes, len(data)]:
        found += [*decoder.feed(data[at : at + size])]
        at += size
    whole = [*Decoder().feed(data)]
    assert [(one.tag, one.times, one.records) for one in found] == [(one.tag, one.times, one.records) for one in whole]


@example([msgpack.packb(["p", packed(3)]), b"\xc1"], 7, b"\x80")
@given(st.lists(FRAMES | st.binary(max_size=50), max_size=4), st.integers(0, 10_000), st.binary(max_size=5))
def test_broken_frames_are_a_protocol_error_or_nothing(parts: list[bytes], at: int, noise: bytes) -> None:
    data = b"".join(parts)
    at = min(at, len(data))
    decoder = Decoder(1_000_000)
    with suppress(ProtocolError):
        for one in decoder.feed(data[:at] + noise + data[at + len(noise) :]):
            assert len(one.times) == len(one.records)
