from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import msgpack  # type: ignore[import-untyped]  # it has no types
import pytest

from swak.forward.client import Client
from swak.forward.frames import Frame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Play = Callable[[socket.socket], None]
    Deliver = Callable[[Play], None]

DEADLINE_S = 20.0


class Peer:
    """The far end of one connection, as a function that runs in a thread."""

    def __init__(self, play: Play) -> None:
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen()
        self._play = play
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        self.port = self._listener.getsockname()[1]

    def _run(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            self._play(connection)

    def close(self) -> None:
        self._thread.join(DEADLINE_S)
        self._listener.close()


@pytest.fixture
def deliver() -> Iterator[Deliver]:
    peers: list[Peer] = []
    clients: list[Client] = []

    def run(play: Play) -> None:
        peers.append(Peer(play))
        clients.append(Client("127.0.0.1", peers[-1].port, 5, 5, 10))
        clients[-1].connect()
        clients[-1].deliver([Frame("a", b"\x92\x00\x80", 1, "first"), Frame("b", b"\x92\x00\x80", 1, "second")])

    yield run
    for client in clients:
        client.close()
    for peer in peers:
        peer.close()


def ids(connection: socket.socket, count: int = 2) -> list[str]:
    unpacker = msgpack.Unpacker()
    found: list[str] = []
    while len(found) < count:
        unpacker.feed(connection.recv(1000))
        found += [option["chunk"] for _, _, option in unpacker]
    return found


def acks(*chunk_ids: str) -> bytes:
    return b"".join(msgpack.packb({"ack": one}) for one in chunk_ids)


def test_acks_may_come_in_any_order_and_in_pieces(deliver: Deliver) -> None:
    def play(connection: socket.socket) -> None:
        for byte in acks(*reversed(ids(connection))):
            connection.sendall(bytes([byte]))

    deliver(play)


def test_one_ack_for_two_chunks_is_not_enough(deliver: Deliver) -> None:
    def play(connection: socket.socket) -> None:
        connection.sendall(acks(ids(connection)[0]))

    with pytest.raises(ConnectionResetError, match="before it acked"):
        deliver(play)


def test_the_same_ack_twice_is_a_wrong_one(deliver: Deliver) -> None:
    def play(connection: socket.socket) -> None:
        first = ids(connection)[0]
        connection.sendall(acks(first, first))

    with pytest.raises(OSError, match="acked what was not sent"):
        deliver(play)


@pytest.mark.parametrize(
    "answer", [b"\xc1", b"HTTP/1.1 400 Bad Request\r\n", b"\xdb\x7f\xff\xff\xff", b"\x81\xa3ack\xc0"]
)
def test_an_answer_in_another_language_is_an_os_error(deliver: Deliver, answer: bytes) -> None:
    def play(connection: socket.socket) -> None:
        ids(connection)
        connection.sendall(answer)

    with pytest.raises(OSError, match=r"127\.0\.0\.1:"):
        deliver(play)


def test_the_whole_delivery_has_an_end_even_if_the_peer_keeps_talking() -> None:
    stop = threading.Event()

    def trickle(connection: socket.socket) -> None:
        first, *others = ids(connection, 40)
        connection.sendall(acks(first))
        for one in others:
            if stop.wait(0.05):
                return
            connection.sendall(acks(one))

    peer = Peer(trickle)
    client = Client("127.0.0.1", peer.port, 5, 5, 0.3)
    client.connect()
    with pytest.raises(TimeoutError, match=r"longer than 0\.3 s"):
        client.deliver([Frame("a", b"\x92\x00\x80", 1, f"id {n}") for n in range(40)])
    stop.set()
    peer.close()
