"""Clients that send numbered events all the time, and for whom no connection may break unless they are told so."""

from __future__ import annotations

import socket
import threading
import time
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Any, Self

import msgpack  # type: ignore[import-untyped]  # it has no types

from tests.flows.waiting import WAIT_S

if TYPE_CHECKING:
    from collections.abc import Callable

BURST = 100
PAUSE_S = 0.005
"""A burst each 5 ms: 20,000 events a second."""


class Sender:
    """Sends bursts from a thread until it is stopped; every error is kept for the test."""

    size = BURST
    repeats = 0
    """Events that were sent again, and may therefore have come twice."""

    def __init__(self, port: int) -> None:
        self._port, self._next = port, 0
        self.errors: list[BaseException] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def numbers(self) -> range:
        """What has been sent."""
        return range(self._next)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Send no more, and wait until all that was sent is with the system, or acked."""
        self._stop.set()
        self._thread.join(WAIT_S * 2)
        assert not self._thread.is_alive()
        assert self.errors == []

    def burst(self) -> list[int]:
        first, self._next = self._next, self._next + self.size
        return list(range(first, self._next))

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self._port), timeout=WAIT_S)

    def paced(self, send: Callable[[list[int]], None]) -> None:
        """Call `send` with a burst each PAUSE_S, also to make good for time in which it waited."""
        due = time.monotonic()
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            due += PAUSE_S
            send(self.burst())

    def work(self) -> None:
        raise NotImplementedError

    def _run(self) -> None:
        try:
            self.work()
        except BaseException as error:
            self.errors.append(error)
            raise


class Lines(Sender):
    """Lines over one TCP connection, each burst in two pieces with a line torn between them."""

    def work(self) -> None:
        with self.connect() as sock:

            def send(numbers: list[int]) -> None:
                data = "".join(f"{number:08d}\n" for number in numbers).encode()
                half = len(data) // 2 + numbers[0] // BURST % 9
                sock.sendall(data[:half])
                sock.sendall(data[half:])

            self.paced(send)


class Callers(Sender):
    """Lines over a new TCP connection for each burst: whoever refuses one of them has lost it."""

    def work(self) -> None:
        def send(numbers: list[int]) -> None:
            with self.connect() as sock:
                sock.sendall("".join(f"{number:08d}\n" for number in numbers).encode())

        self.paced(send)


class FluentLogger(Sender):
    """The `fluent-logger` package as applications use it: no acks."""

    def work(self) -> None:
        from fluent.sender import FluentSender  # type: ignore[import-untyped]  # it has no types

        def failed(pending: bytes) -> None:
            self.errors.append(RuntimeError(f"{len(pending)} bytes could not be sent"))

        client = FluentSender("app", port=self._port, timeout=WAIT_S, buffer_overflow_handler=failed)

        def send(numbers: list[int]) -> None:
            for number in numbers:
                if not client.emit("n", {"message": f"{number:08d}"}):
                    self.errors.append(RuntimeError(f"not sent: {client.last_error}"))

        self.paced(send)
        client.close()


class Acked(Sender):
    """Chunks that are sent again, over a new connection, until they are acked."""

    def work(self) -> None:
        self._sock = self.connect()
        self.paced(self._deliver)
        self._sock.close()

    def _deliver(self, numbers: list[int]) -> None:
        entries: list[Any] = [[1_700_000_000, {"message": f"{number:08d}"}] for number in numbers]
        chunk_id = f"chunk-of-test-{numbers[0]:08d}"
        frame = msgpack.packb(["app.n", entries, {"chunk": chunk_id}])
        ends_at = time.monotonic() + WAIT_S
        while not self._acked(frame, chunk_id):
            assert time.monotonic() < ends_at
            self.repeats += len(numbers)
            self._sock.close()
            self._sock = self.connect()

    def _acked(self, frame: bytes, chunk_id: str) -> bool:
        unpacker = msgpack.Unpacker()
        try:
            self._sock.sendall(frame)
            while data := self._sock.recv(4096):
                unpacker.feed(data)
                for answer in unpacker:
                    return bool(answer["ack"] == chunk_id)
        except ConnectionError:
            return False
        return False


class Datagrams(Sender):
    """Datagrams, one by one: 2,000 a second, so that those of a second find room in the kernel."""

    size = BURST // 10

    def work(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:

            def send(numbers: list[int]) -> None:
                for number in numbers:
                    sock.sendto(f"{number:08d}".encode(), ("127.0.0.1", self._port))

            self.paced(send)


class Requests(Sender):
    """HTTP requests over one connection as long as it lasts, each sent again until it is answered with 200."""

    def work(self) -> None:
        self._client = self._connected()
        self.paced(self._deliver)
        self._client.close()

    def _connected(self) -> HTTPConnection:
        return HTTPConnection("127.0.0.1", self._port, timeout=WAIT_S)

    def _deliver(self, numbers: list[int]) -> None:
        body = "".join(f"{number:08d}\n" for number in numbers)
        ends_at = time.monotonic() + WAIT_S
        while not self._answered(body):
            assert time.monotonic() < ends_at
            self.repeats += len(numbers)
            self._client.close()
            self._client = self._connected()

    def _answered(self, body: str) -> bool:
        try:
            self._client.request("POST", "/", body)
            answer = self._client.getresponse()
            answer.read()
        except (HTTPException, ConnectionResetError, BrokenPipeError):
            return False
        return answer.status == 200
