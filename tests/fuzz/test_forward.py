"""Frames of the forward protocol bent in every way, whole and in pieces: nothing breaks, and others are served.

What is said comes from a number, so that a failure can be had again: put the number into KEPT. SWAK_LONG=1 looks for
five minutes, with numbers that nobody has tried; without it the same few are tried each time.
"""

from __future__ import annotations

import gzip
import logging
import os
import random
import struct
import time
from contextlib import ExitStack, suppress
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import msgpack  # type: ignore[import-untyped]  # it has no types
import psutil
import pytest

from swak.forward.decoder import Decoder
from swak.forward.faults import ProtocolError
from swak.forward.handshake import Caller, Lock, Secrets
from tests.forward.servers import Turned, message, turned

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

LONG = os.environ.get("SWAK_LONG") == "1"
LOOK_S = float(os.environ.get("SWAK_FUZZ_S", "75"))
"""How long each of the four tests looks with SWAK_LONG=1."""
FEW = 300
KEPT: list[int] = []
"""Numbers that once failed."""
TRIED: list[int] = [0]
"""The last one."""
LONGEST_S = 5.0
"""What one of them may take, on a busy machine, too."""
GROWN_BYTES = 96 * 2**20
FRAME_BYTES_MAX = 200_000

pytestmark = pytest.mark.timeout(LOOK_S + 200 if LONG else 60)

BOMB = gzip.compress(bytes(4_000_000))
HOSTILE = [
    b"\xdd\xff\xff\xff\xff",  # an array, a map, text and bytes of 4 GiB
    b"\xdf\xff\xff\xff\xff",
    b"\xdb\xff\xff\xff\xff",
    b"\xc6\xff\xff\xff\xff",
    b"\xc9\xff\xff\xff\xff\x00",
    b"\x93\xa1t\xdd\xff\xff\xff\xff",
    b"\x93\xa1t\x01\xdf\xff\xff\xff\xff\xa1k",
    b"\x91" * 2_000,
    b"\x93\xa1t\x01" + b"\x81\xa1k" * 1_020 + b"\xc0",
    b"\x93\xa1t" + b"\x91" * 1_000 + b"\xc0\x80",
    b"\x93\xa1t\xda\x40\x00" + b"\x80" * 16_384 + b"\x80",
    b"\x92\xa1t\xc5\xff\xff" + b"\x80" * 65_535,
    b"\xc1",
    b"GET / HTTP/1.1\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
]
ODD: list[Any] = [None, True, -1, 2**64 - 1, -(2**63), 1.5, float("nan"), float("-inf"), "", "x", "\ud800", b"\xff"]
ODD += [msgpack.Timestamp(0, 5), msgpack.Timestamp(2**40, 9), msgpack.ExtType(0, b"123"), msgpack.ExtType(7, b"")]
ODD += ["gzip", "zstd", b"gzip", [], {}, "text" * 500]
NAMES = ["chunk", "size", "compressed", b"chunk", b"compressed", "", "k", b"\xe9", 5, None, -1.5]


def numbers() -> Iterator[int]:
    """Give numbers to make frames of."""
    yield from KEPT
    until_s = time.monotonic() + LOOK_S
    first = time.time_ns() if LONG else 0
    number = first
    while time.monotonic() < until_s if LONG else number < FEW:
        began_s = time.monotonic()
        TRIED[0] = number
        yield number
        assert time.monotonic() - began_s < LONGEST_S, number
        number += 1
    print(f"{number - first} were tried")  # noqa: T201 - worth seeing


class Speaker(random.Random):
    """Makes up what a sender says."""

    def value(self, depth: int = 3) -> Any:
        kind = self.random()
        if depth and kind < 0.2:
            return [self.value(depth - 1) for _ in range(self.randrange(4))]
        if depth and kind < 0.4:
            return {self.choice(NAMES): self.value(depth - 1) for _ in range(self.randrange(4))}
        return self.choice(ODD) if kind < 0.9 else self.randbytes(self.randrange(30))

    def moment(self) -> Any:
        return self.choice(
            [
                self.randrange(-(2**40), 2**40),
                self.uniform(-1e9, 1e9),
                msgpack.ExtType(0, struct.pack(">II", self.getrandbits(32), self.getrandbits(32))),
            ]
        )

    def record(self) -> dict[Any, Any]:
        return {self.choice(NAMES): self.value() for _ in range(self.randrange(5))}

    def entry(self) -> list[Any]:
        moment = self.moment()
        return [moment if self.random() < 0.8 else [moment, self.record()], self.record()]

    def frame(self) -> bytes:
        """Make a frame that is right, or nearly so."""
        entries = [self.entry() for _ in range(self.randrange(6))]
        packed = b"".join(map(pack, entries))
        option = {self.choice(NAMES): self.value(1) for _ in range(self.randrange(3))}
        option |= {"size": len(entries)} if self.random() < 0.5 else {}
        members = b"".join(gzip.compress(packed, 1) for _ in range(self.randrange(1, 4)))
        tag = "t" if self.random() < 0.9 else self.value(1)
        frames = [
            [tag, self.moment(), self.record()],
            [tag, self.moment(), self.record(), option],
            [tag, entries, option],
            [tag, packed, option],
            [tag, members, {**option, "compressed": "gzip"}],
            [tag, BOMB, {"compressed": "gzip"}],
            None,
            [self.value() for _ in range(self.randrange(6))],
        ]
        return pack(self.choice(frames))

    def bent(self) -> bytes:
        """Make a frame whose bytes were changed, cut out or repeated in a few places."""
        data = bytearray(self.frame())
        for _ in range(self.randrange(4)):
            at = self.randrange(len(data) + 1)
            change = self.randrange(4)
            if change == 0 and at < len(data):
                data[at] = self.getrandbits(8)
            elif change == 1:
                del data[at : at + self.randrange(1, 6)]
            elif change == 2:
                data[at:at] = self.choice(HOSTILE) if self.random() < 0.3 else self.randbytes(self.randrange(6))
            else:
                data[at:at] = data[: self.randrange(21)]
        return bytes(data)

    def talk(self) -> bytes:
        """Make all that one sender says."""
        return b"".join(self.part() for _ in range(self.randrange(1, 8)))

    def part(self) -> bytes:
        kind = self.randrange(5)
        return self.choice(HOSTILE) if kind == 0 else self.frame() if kind < 3 else self.bent()

    def pieces(self, data: bytes) -> list[bytes]:
        cuts = sorted({0, len(data), *(self.randrange(len(data) + 1) for _ in range(self.randrange(8)))})
        return [data[start:end] for start, end in pairwise(cuts)]


def pack(value: Any) -> bytes:
    return bytes(msgpack.packb(value, unicode_errors="surrogatepass"))


def read(pieces: list[bytes]) -> tuple[list[Any], bool]:
    """Return the events that a decoder makes of data that comes in pieces, and whether it was content to the end."""
    decoder, found = Decoder(FRAME_BYTES_MAX), []
    try:
        for piece in pieces:
            for one in decoder.feed(piece):
                assert len(one.times) == len(one.records)
                assert all(type(moment) is int for moment in one.times)
                assert all(type(record) is dict for record in one.records)
                found += [(one.tag, *each) for each in zip(one.times, map(shown, one.records), strict=True)]
            assert decoder.held_bytes <= FRAME_BYTES_MAX
    except ProtocolError:
        return found, False
    return found, True


def shown(record: Any) -> str:
    with suppress(RecursionError):  # nested a thousand times
        return repr(record)
    return "deep"


@pytest.fixture(autouse=True)
def _bounded_memory() -> Iterator[None]:
    before = psutil.Process().memory_info().rss
    logging.disable()  # pytest keeps every line: 1.5 KB for each of a hundred thousand connections
    yield
    logging.disable(logging.NOTSET)
    print(f"the last one was {TRIED[0]}")  # noqa: T201 - shown when it failed
    assert psutil.Process().memory_info().rss - before < GROWN_BYTES


def test_pieces_make_no_difference_to_what_is_read() -> None:
    for number in numbers():
        speaker = Speaker(number)
        data = speaker.talk()
        assert read(speaker.pieces(data)) == read([data]), number


def say(one: Turned, sender: socket.socket, pieces: list[bytes]) -> None:
    sender.settimeout(0.2)
    for piece in pieces:
        with suppress(OSError):  # closed by now, or not read while others are in hand
            sender.sendall(piece)
        one.chunks += one.server.turn(0)


@pytest.mark.parametrize("locked", ["", "key"])
def test_whatever_some_say_others_are_served(locked: str) -> None:
    lock = Lock("server", "key", {}) if locked else None
    for number in numbers():
        speaker = Speaker(number)
        with ExitStack() as stack:
            one = stack.enter_context(turned(frame_bytes_max=FRAME_BYTES_MAX, held_bytes_max=30_000, lock=lock))
            good, *senders = [stack.enter_context(one.connect()) for _ in range(4)]
            for sock in [good, *senders[:2]] if locked else []:
                sock.sendall(Caller(Secrets("client", "key")).answer(one.answers(sock)[0]))
                assert one.answers(sock)[0][1] is True
            for sender in senders:
                say(one, sender, speaker.pieces(speaker.talk()))
            good.setblocking(True)
            good.sendall(message(4_711))
            one.until(lambda one=one: {"n": 4_711} in one.records())  # type: ignore[misc]
            one.settle()
            for sender in senders:
                sender.close()
            one.until(lambda one=one: one.server.connected == 1)  # type: ignore[misc]
            assert one.server.held_bytes == 0, number


def test_nobody_talks_himself_past_the_lock() -> None:
    for number in numbers():
        speaker = Speaker(number)
        with turned(lock=Lock("server", "key", {"ann": "p"})) as one, one.connect() as sender:
            say(one, sender, [*speaker.pieces(speaker.talk()), message()])
            sender.close()
            one.until(lambda one=one: one.server.connected == 0)  # type: ignore[misc]
            assert one.records() == [], number
