from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swak.event import Batch, Block, Dicts, Event
from swak.formats.json_text import JsonText
from swak.forward.entries import Packed, listed, packed
from swak.spool.bodies import BodyError, carries, from_bytes, to_bytes
from swak.testing import batch_of, event, promise

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
RECORDS = st.lists(st.dictionaries(st.text(), VALUES, max_size=4), min_size=1, max_size=5)


def again(batch: Batch) -> list[Event]:
    body, tags = from_bytes(to_bytes(batch))
    return Batch(body, tags, promise()).events()


@given(RECORDS)
def test_records_come_back_as_they_were(records: list[dict[str, object]]) -> None:
    batch = batch_of([event(record, tag=f"t{at % 2}", at_s=at) for at, record in enumerate(records)])
    assert again(batch) == batch.events()


@given(st.lists(st.binary().map(lambda line: line.replace(b"\n", b"") + b"\n"), min_size=1), st.booleans())
def test_lines_come_back_as_the_bytes_that_they_were(lines: list[bytes], joined: bool) -> None:
    times = list(range(len(lines))) if joined else None
    batch = Batch(Block(b"".join(lines), 0, "latin-1", times=times), "tag", promise())
    body, tags = from_bytes(to_bytes(batch))
    assert isinstance(body, Block)
    assert (body.data, body.encoding, list(body.times()), tags) == (
        b"".join(lines),
        "latin-1",
        list(batch.body.times()),
        "tag",
    )


def test_parsed_rows_come_back_under_their_own_names() -> None:
    row = msgspec.defstruct("Row", [("c_ip", str)], rename={"c_ip": "c-ip"})
    from swak.event import Rows

    batch = Batch(Rows([row("::1")], [5]), "tag", promise())
    assert again(batch) == [Event("tag", 5, {"c-ip": "::1"})]


@pytest.mark.parametrize("value", [object(), 2**64, "\ud800"])
def test_what_cannot_be_carried_is_said(value: object) -> None:
    assert carries(event({"a": value}))
    assert carries(event({"a": 1})) is None


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\x01", b"\x92\x93\xa4what\xa1t\x90\x90"])
def test_a_body_of_another_kind_is_an_error_of_its_own(data: bytes) -> None:
    with pytest.raises(BodyError):
        from_bytes(data)


def test_no_bytes_at_all_are_nothing_worse() -> None:
    batch = Batch(Dicts([{"a": 1}], [0]), "tag", promise())
    whole = to_bytes(batch)
    for size in range(len(whole)):
        with pytest.raises(BodyError):
            from_bytes(whole[:size])


def test_json_lines_come_back_as_the_bytes_that_they_were() -> None:
    batch = Batch(JsonText(b'{"n": 1}\n{"n":2}\n', [5, 6]), ["a", "b"], promise())
    body, tags = from_bytes(to_bytes(batch))
    assert isinstance(body, JsonText)
    assert (body.data, list(body.times()), tags) == (b'{"n": 1}\n{"n":2}\n', [5, 6], ["a", "b"])


def test_entries_of_the_forward_protocol_come_back_as_the_bytes_that_they_were() -> None:
    entry = b"\x92\xd7\x00\x00\x00\x00\x05\x00\x00\x00\x07\x81\xa1k\xa1\xe9"
    batch = Batch(packed(listed(memoryview(entry), 1)), "tag", promise())  # type: ignore[arg-type]  # it is an entry
    body, tags = from_bytes(to_bytes(batch))
    assert isinstance(body, Packed)
    assert (body.entries, list(body.times()), body.records(), tags) == (
        entry,
        [5_000_000_007],
        [{"k": "\udce9"}],
        "tag",
    )
