from __future__ import annotations

import socket
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from swak.sockets.datagrams import COUNT_MAX, READ_BYTES, Datagrams

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def datagrams() -> Iterator[Datagrams]:
    made = Datagrams("127.0.0.1", 0, 1 << 20)
    yield made
    made.close()


@pytest.fixture
def sender() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        yield sock


def test_datagrams_arrive_with_their_sender(datagrams: Datagrams, sender: socket.socket) -> None:
    sender.sendto(b"a", datagrams.address)
    sender.sendto(b"", datagrams.address)
    came: list[tuple[bytes, str]] = []
    while len(came) < 2:
        came += datagrams.read(5)
    assert came == [(b"a", "127.0.0.1"), (b"", "127.0.0.1")]


def test_a_read_is_bounded(datagrams: Datagrams, sender: socket.socket) -> None:
    for _ in range(COUNT_MAX + 10):
        sender.sendto(b"x", datagrams.address)
    assert len(datagrams.read(5)) <= COUNT_MAX + 1


def test_a_read_of_large_datagrams_is_bounded_too(sender: socket.socket) -> None:
    datagrams = Datagrams("127.0.0.1", 0, 32 << 20)
    size = 60_000
    for _ in range(2 * READ_BYTES // size):
        sender.sendto(b"x" * size, datagrams.address)
    assert sum(len(data) for data, _ in datagrams.read(5)) < READ_BYTES + 2 * size
    datagrams.close()


def test_nothing_comes_within_the_wait(datagrams: Datagrams) -> None:
    assert datagrams.read(0.01) == []


def test_a_read_that_waits_can_be_woken(datagrams: Datagrams) -> None:
    began = time.monotonic()
    thread = threading.Thread(target=datagrams.wake)
    thread.start()
    datagrams.read(10)
    assert time.monotonic() - began < 9
    thread.join()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
def test_what_the_kernel_drops_is_counted(sender: socket.socket, caplog: pytest.LogCaptureFixture) -> None:
    datagrams = Datagrams("127.0.0.1", 0, 4096)
    for _ in range(500):
        sender.sendto(b"x" * 1000, datagrams.address)
    came = 0
    while part := datagrams.read(0):
        came += len(part)
    assert 0 < came < 500
    assert came + datagrams.look() == 500
    sender.sendto(b"x", datagrams.address)
    datagrams.read(5)
    assert came + datagrams.dropped == 500
    datagrams.close()
    assert "dropped datagrams" in caplog.text


def test_a_counter_of_32_bits_may_begin_anew(datagrams: Datagrams) -> None:
    for reading, dropped in ((5, 5), (4, 5), (2**32 - 1, 2**32 - 1), (3, 2**32 + 3), (2, 2**32 + 3)):
        datagrams._note(reading)
        assert datagrams.dropped == dropped


def test_a_port_in_use_is_told(datagrams: Datagrams) -> None:
    with pytest.raises(OSError, match=str(datagrams.address[1])):
        Datagrams(*datagrams.address, None)


def test_closing_and_waking_may_be_repeated(datagrams: Datagrams) -> None:
    for _ in range(2):
        datagrams.close()
        datagrams.wake()
