from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swak.ack import Origin
from swak.deadletters import DeadLetter
from swak.deadletters.letter import from_line, iso, nanoseconds, number_of, parts_of, sealed, to_line
from swak.event import Event

CLEAR = {"id": 5, "record": {"a": "b"}}


def letter(record: Any = None, **parts: Any) -> DeadLetter:
    event = Event(parts.pop("tag", "web"), parts.pop("time_ns", 1), {"n": 1} if record is None else record)
    fields: dict[str, Any] = {"origin": Origin("a.log", {"offset": 7}), "flow": "f", "stage": "s", "reason": "r"}
    return DeadLetter(event, **{**fields, "died_at_ns": 3, **parts})


keys = st.text() | st.integers() | st.binary() | st.tuples(st.text(), st.integers()) | st.none()
values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.integers() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)
records = st.dictionaries(st.text() | st.sampled_from(["$bytes", "$dict", "$hex", "$"]), values, max_size=3)


@given(record=records, position=values, reason=st.text(), trace=st.text(), died_at_ns=st.integers(1, 2**63))
def test_a_letter_comes_back_as_it_was(record: Any, position: Any, reason: str, trace: str, died_at_ns: int) -> None:
    origin = Origin("a.log", position)
    one = letter(record, origin=origin, reason=reason, trace=trace, died_at_ns=died_at_ns)
    assert from_line(to_line(17, one)) == (17, one)


@given(record=records)
def test_types_come_back_too(record: Any) -> None:
    _, back = from_line(to_line(1, letter(record)))
    assert repr(back.event.record) == repr(record)


@pytest.mark.parametrize("bits", [9_998, 9_999, 10_000, 40_000])
def test_a_number_of_thousands_of_digits_comes_back(bits: int) -> None:
    huge = -(2**bits)
    assert from_line(to_line(1, letter({"n": huge})))[1].event.record["n"] == huge


def test_what_is_not_finite_comes_back() -> None:
    _, back = from_line(to_line(1, letter({"x": [float("nan"), float("-inf")]})))
    assert repr(back.event.record) == "{'x': [nan, -inf]}"


def test_what_has_no_mark_comes_back_as_text() -> None:
    _, back = from_line(to_line(1, letter({"x": 1 + 2j, "y": (1, 2), "z": bytearray(b"a")})))
    assert back.event.record == {"x": "(1+2j)", "y": [1, 2], "z": b"a"}


@pytest.mark.parametrize("time_ns", [None, 10**40, "now", 1.5])
def test_a_time_that_is_none_comes_back(time_ns: Any) -> None:
    assert from_line(to_line(1, letter(time_ns=time_ns)))[1].event.time_ns == time_ns


def test_a_line_is_json_with_its_number_first_and_its_sum_last() -> None:
    line = to_line(17, letter())
    assert (line.count(b"\n"), line[-1:], number_of(line)) == (1, b"\n", 17)
    assert [*json.loads(line)][::11] == ["id", "crc"]


@pytest.mark.parametrize(
    "line",
    [b"", b"{", b"[]", b"7", b'{"id": 1}', b"\xff", b'{"id": 1, "died_at": 5}', b"[" * 100_000],
)
def test_what_is_no_letter_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        from_line(line)


@pytest.mark.parametrize(
    "mark",
    [{"$bytes": "?"}, {"$bytes": 5}, {"$float": "x"}, {"$float": []}, {"$hex": 5}, {"$dict": 5}, {"$dict": [[{}, 1]]}],
)
def test_a_mark_that_nobody_wrote_is_refused(mark: Any) -> None:
    told = json.loads(to_line(1, letter())) | {"record": mark}
    with pytest.raises(ValueError, match=r".+"):
        from_line(json.dumps(told).encode())


@given(st.integers(-(10**18), 10**19))
def test_times_come_back(time_ns: int) -> None:
    assert nanoseconds(iso(time_ns)) == time_ns


# What is left of damaged lines


def line(number: int = 5, text: str = "b") -> bytes:
    return sealed(json.dumps({"id": number, "record": {"a": text}}).encode())[:-1]


def test_a_whole_line_is_one_part() -> None:
    assert list(parts_of(line())) == [(line(), True)]


def test_an_empty_line_has_no_parts() -> None:
    assert list(parts_of(b"")) == []


@pytest.mark.parametrize("between", [b"", b"x", b"\0\0"])
def test_lines_whose_line_feed_was_lost_come_apart(between: bytes) -> None:
    found = list(parts_of(line(1) + between + line(2)))
    assert [part for part, whole in found if whole] == [line(1), line(2)]
    assert [part for part, whole in found if not whole] == ([between] if between else [])


def test_a_sum_within_a_record_seals_nothing() -> None:
    forged = sealed(json.dumps({"id": 6, "record": {"a": line(7).decode(), "b": CLEAR}}).encode())[:-1]
    assert list(parts_of(forged)) == [(forged, True)]


def test_a_line_full_of_sums_that_do_not_fit_is_looked_at_once() -> None:
    bad = b'{"a": 1, "crc": "00000000"}' * 50_000
    assert list(parts_of(bad)) == [(bad, False)]


@given(at=st.integers(0, len(line()) - 1), bit=st.integers(0, 7))
def test_a_changed_line_is_not_whole(at: int, bit: int) -> None:
    changed = bytearray(line())
    changed[at] ^= 1 << bit
    assert not any(whole for _, whole in parts_of(bytes(changed)))
