from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

from swak.event import Dicts
from swak.forward.connection import Connection
from swak.forward.decoder import Incoming
from swak.forward.gathering import Gathering

if TYPE_CHECKING:
    from swak.event import Chunk
    from swak.forward.gathering import Part


def incoming(tag: str, count: int, *, last: bool = True) -> Incoming:
    return Incoming(tag, [0] * count, [{"n": n} for n in range(count)], "id", last)


def shown(chunks: list[Chunk]) -> list[tuple[Any, int, bool]]:
    return [(chunk.tag, chunk.body.count, chunk.told is not None) for chunk in chunks]


def test_small_frames_travel_together_with_their_tags() -> None:
    gathering = Gathering(lambda _: None)
    for tag in "aab":
        gathering.add(incoming(tag, 1), None)
    (chunk,) = gathering.chunks()
    assert (chunk.tag, chunk.body.count, chunk.told) == (["a", "a", "b"], 3, None)


def test_equal_tags_are_one() -> None:
    gathering = Gathering(lambda _: None)
    gathering.add(incoming("a", 2), None)
    gathering.add(incoming("a", 2), None)
    assert shown(gathering.chunks()) == [("a", 4, False)]


def test_no_chunk_has_more_events_than_a_batch() -> None:
    gathering = Gathering(lambda _: None)
    for _ in range(3):
        gathering.add(incoming("a", 600), None)
    assert gathering.full
    assert [chunk.body.count for chunk in gathering.chunks()] == [600, 600, 600]


def test_what_wants_an_ack_and_what_does_not_are_apart() -> None:
    settled: list[list[Part]] = []
    gathering = Gathering(settled.append)
    with socket.socket() as sock:
        connection = Connection(sock, "peer", None, 1_000, 0)
        gathering.add(incoming("a", 1), None)
        gathering.add(incoming("a", 1), connection.promise("x"))
        gathering.add(incoming("a", 0), connection.promise("y"))
        gathering.add(incoming("a", 1), None)
    chunks = gathering.chunks()
    assert shown(chunks) == [("a", 1, False), ("a", 1, True), ("a", 1, False)]
    assert chunks[1].told is not None
    chunks[1].told()
    assert [(part.promise.chunk_id, part.number) for part in settled[0]] == [("x", 1), ("y", 1)]


def test_a_size_that_was_estimated_is_kept() -> None:
    gathering = Gathering(lambda _: None)
    gathering.add(incoming("a", 1)._replace(size_bytes=77), None)
    gathering.add(incoming("a", 1)._replace(size_bytes=3), None)
    body = gathering.chunks()[0].body
    assert isinstance(body, Dicts)
    assert body.size_bytes == 80
