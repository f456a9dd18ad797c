"""Frames over a socket, and bodies in them."""

from __future__ import annotations

import socket
import struct
import threading
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from swak.event import Block, Dicts, Rows
from swak.formats.found import Found
from swak.formats.json_text import JsonText
from swak.formats.rows import row_type
from swak.forward.entries import Packed, listed, packed
from swak.workers.wire import Frame, WireError, pack, receive, send, unpack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from swak.event import Body


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


class Access(msgspec.Struct, gc=False):
    """A row."""

    host: str
    code: Any


def entries(given: list[tuple[int, dict[str, Any]]]) -> Packed:
    """Make a body of entries as a sender of the forward protocol sends them."""
    stamps = [struct.pack(">II", *divmod(time_ns, 10**9)) for time_ns, _ in given]
    parts = [[msgspec.msgpack.Ext(0, stamp), record] for stamp, (_, record) in zip(stamps, given, strict=True)]
    data = b"".join(msgspec.msgpack.encode(part) for part in parts)
    made = packed(listed(memoryview(data), len(parts)))
    assert made is not None
    return made


BODIES: dict[str, Body] = {
    "lines": Block(b"one\ntwo\n", 7),
    "lines of several reads, in another encoding": Block("é\nè\n".encode("utf-16-le"), 7, "utf-16-le", 2, [7, 8]),
    "lines whose first time is another": Block(b"one\ntwo\n", 7, "utf-8", 2, [8, 8]),
    "json": JsonText(b'{"n":1}\n{"n":2}\n', [1, 2], 99),
    "entries": entries([(1, {"n": 1}), (2_000_000_003, {"n": "two"})]),
    "rows": Rows([Access("a", 1), Access("b", None)], [3, 3], 1_000),
    "rows to be made": Found(row_type("Access", ("a", "c-ip", "x"), 5), [("1", 2), ("3", 4)], [3, 4], 1_000),
    "dicts": Dicts([{"n": 2**80, "s": "\ud800", "t": (1, {2})}, {}], [2**70, -1], 50),
    "dicts without events": Dicts([], []),
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("tags", ["a.b", ["a", "\ud800"]])
def test_a_body_comes_back_as_it_was(body: Body, tags: str | list[str]) -> None:
    made, told = unpack(pack(body, tags))
    assert told == tags
    assert made.count == body.count
    assert made.size_bytes == body.size_bytes
    assert list(made.times()) == list(body.times())
    assert made.records() == body.records()
    assert isinstance(made, Rows) is isinstance(body, Rows)
    if isinstance(body, Block):
        assert isinstance(made, Block)
        assert (made.data, made.encoding, made.time_ns) == (body.data, body.encoding, body.time_ns)
    if isinstance(body, JsonText | Packed):
        assert type(made) is type(body)
        assert made.data == body.data


def test_what_cannot_travel_is_an_error_before_anything_is_sent(pair: tuple[socket.socket, socket.socket]) -> None:
    with pytest.raises(TypeError, match="pickle"):
        pack(Dicts([{"lock": threading.Lock()}], [0]), "t")
    with pytest.raises(TypeError, match="pickle"):
        send(pair[0], Frame("job", (threading.Lock(),)))
    pair[0].shutdown(socket.SHUT_WR)
    assert receive(pair[1]) is None


def test_records_and_times_that_do_not_belong_together_are_no_body() -> None:
    (kind, tags, _, *rest), data = pack(Dicts([{}, {}], [1, 2]), "t")
    with pytest.raises(WireError, match="2 records with 3 times"):
        unpack(((kind, tags, (5, 3), *rest), data))


def test_frames_come_in_order_whatever_their_size(pair: tuple[socket.socket, socket.socket]) -> None:
    frames = [
        Frame("small", (1, "two")),
        Frame("large", (), (b"x" * 3_000_000, b"", b"y" * 700_000)),
        Frame("many", (), tuple(b"%d" % number for number in range(2_000))),
    ]

    def send_all() -> None:
        for frame in frames:
            send(pair[0], frame)

    sender = threading.Thread(target=send_all)
    sender.start()
    assert receive(pair[1]) == frames[0]
    assert receive(pair[1]) == frames[1]
    many = receive(pair[1])
    assert many is not None
    assert b"".join(many.payloads) == b"".join(frames[2].payloads)
    sender.join()


def test_a_frame_of_many_buffers_keeps_them_apart(pair: tuple[socket.socket, socket.socket]) -> None:
    frame = Frame("many", (), tuple(b"%d" % number for number in range(2_000)))
    send(pair[0], frame)
    assert receive(pair[1]) == frame


@pytest.mark.parametrize(
    "sent",
    [
        b"Traceback (most recent call last):\n",
        b"sw",
        b"swkw\xff\xff\xff\xff",
        b"swkw\x05\x00\x00\x00rubbi",
        b"swkw\x05\x00\x00\x00",
    ],
)
def test_rubbish_is_no_frame(pair: tuple[socket.socket, socket.socket], sent: bytes) -> None:
    pair[0].sendall(sent)
    pair[0].shutdown(socket.SHUT_WR)
    with pytest.raises(WireError):
        receive(pair[1])


def test_a_frame_that_ends_too_early_is_none(pair: tuple[socket.socket, socket.socket]) -> None:
    whole = []
    send(pair[0], Frame("answer", (1,), (b"abc", b"defg")))
    whole.append(pair[1].recv(1_000))
    for end in range(1, len(whole[0])):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.sendall(whole[0][:end])
            ours.shutdown(socket.SHUT_WR)
            with pytest.raises(WireError):
                receive(theirs)
