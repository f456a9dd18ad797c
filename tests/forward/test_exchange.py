from __future__ import annotations

import msgpack  # type: ignore[import-untyped]  # it has no types
import pytest

from swak.forward.exchange import Exchange
from swak.forward.frames import Frame

FRAMES = [Frame("a", b"\x92\x00\x80", 1, "first"), Frame("b", b"\x92\x00\x80", 1, "second")]


def sent(exchange: Exchange) -> list[str]:
    """Send everything and return the ids of the chunks."""
    ids = []
    while exchange.sending:
        data = exchange.next_bytes()
        ids.append(msgpack.unpackb(bytes(data))[2]["chunk"])
        exchange.sent(len(data))
    return ids


def test_it_is_over_when_every_chunk_was_acked() -> None:
    exchange = Exchange(FRAMES)
    for chunk_id in reversed(sent(exchange)):
        assert not exchange.over
        exchange.answered({"ack": chunk_id})
    assert exchange.over


def test_only_what_was_acked_without_a_gap_counts() -> None:
    exchange = Exchange(FRAMES)
    first, second = sent(exchange)
    assert (first, second) == ("first", "second")
    exchange.answered({"ack": second})
    assert exchange.acked() == 0
    exchange.answered({"ack": first})
    assert exchange.acked() == 2


def test_bytes_go_out_as_there_is_room() -> None:
    exchange = Exchange(FRAMES[:1])
    whole = bytes(exchange.next_bytes())
    exchange.sent(5)
    assert bytes(exchange.next_bytes()) == whole[5:]


def test_chunks_may_be_compressed() -> None:
    assert msgpack.unpackb(bytes(Exchange(FRAMES, gzip=True).next_bytes()))[2]["compressed"] == "gzip"


@pytest.mark.parametrize("answer", [None, {"ack": "x"}, {"ack": 1}, ["PONG"], "ack"])
def test_an_answer_that_is_no_ack_is_an_error(answer: object) -> None:
    with pytest.raises(OSError, match="acked what was not sent"):
        Exchange(FRAMES).answered(answer)
