"""Inputs whose plugin is replaced, each with a client that must not notice, or that is to notice in time."""

from __future__ import annotations

import socket
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, TypeVar, cast

import msgpack  # type: ignore[import-untyped]  # it has no types
import pytest

from swak.event import EVENTS_MAX
from swak.plugins.inputs.forward import Forward
from swak.plugins.inputs.http import Http
from swak.plugins.inputs.tcp import Tcp
from swak.plugins.inputs.udp import Udp
from swak.sockets.kept import Keep
from tests.flows.waiting import WAIT_S, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from swak.event import Chunk
    from swak.plugin import Input

P = TypeVar("P", bound="Input")


@pytest.fixture
def keep() -> Iterator[Keep]:
    made = Keep()
    yield made
    made.close()


@contextmanager
def seated(keep: Keep, plugin: P) -> Iterator[P]:
    plugin.berth = keep.berth("web/input")
    plugin.wait_s = 0.05
    plugin.open()
    with closing(plugin):
        yield plugin


def port(keep: Keep) -> int:
    return int(keep.entries()[0].sock.getsockname()[1])


def dial(keep: Keep) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port(keep)), timeout=WAIT_S)


def chunks(plugin: Input, events: int) -> list[Chunk]:
    """Read until so many events have come, and once more."""
    made: list[Chunk] = []

    def read() -> bool:
        made.extend(cast("list[Chunk] | None", plugin.read()) or [])
        return sum(one.body.count for one in made) >= events

    until(read, lambda: made)
    return made


def texts(made: list[Chunk]) -> list[Any]:
    return [record["message"] for one in made for record in one.body.records()]


def test_half_a_line_is_finished_by_the_successor(keep: Keep) -> None:
    with seated(keep, Tcp(0)) as first, dial(keep) as sock:
        sock.sendall(b"one\ntw")
        assert texts(chunks(first, 1)) == ["one"]
        first.close()
        with seated(keep, Tcp(0)) as second:
            sock.sendall(b"o\nthree\n")
            assert texts(chunks(second, 2)) == ["two", "three"]


def test_the_rest_of_a_line_that_was_cut_is_skipped_by_the_successor_too(keep: Keep) -> None:
    with seated(keep, Tcp(0, max_line=4)) as first, dial(keep) as sock:
        sock.sendall(b"abcdefgh")
        assert texts(chunks(first, 1)) == ["abcd"]
        first.close()
        with seated(keep, Tcp(0, max_line=4)) as second:
            sock.sendall(b"ij\nk\n")
            assert texts(chunks(second, 1)) == ["k"]


def test_one_that_was_aborted_leaves_its_port_and_no_connection(keep: Keep) -> None:
    with seated(keep, Tcp(0)) as first, dial(keep) as sock:
        sock.sendall(b"one\n")
        chunks(first, 1)
        first.abort()
        with pytest.raises(ConnectionAbortedError):
            first.read()
        first.close()
        assert sock.recv(1) == b""
        with seated(keep, Tcp(0)) as second, dial(keep) as other:
            other.sendall(b"two\n")
            assert texts(chunks(second, 1)) == ["two"]


def packed(*numbers: int) -> bytes:
    return b"".join(msgpack.packb(["app", 1_700_000_000, {"message": number}]) for number in numbers)


def test_half_a_chunk_is_finished_by_the_successor(keep: Keep) -> None:
    data = packed(1, 2)
    with seated(keep, Forward(port=0)) as first, dial(keep) as sock:
        sock.sendall(data[:-3])
        assert texts(chunks(first, 1)) == [1]
        first.close()
        with seated(keep, Forward(port=0)) as second:
            sock.sendall(data[-3:])
            assert texts(chunks(second, 1)) == [2]


def test_what_was_decoded_and_not_handed_out_is_handed_out_by_the_successor(keep: Keep) -> None:
    numbers = list(range(EVENTS_MAX * 3))
    entries = [[1_700_000_000, {"message": number}] for number in numbers]
    with seated(keep, Forward(port=0)) as first, dial(keep) as sock:
        sock.sendall(msgpack.packb(["app", entries]))
        made = chunks(first, 1)
        assert first.coming
        first.close()
        with seated(keep, Forward(port=0)) as second:
            made += chunks(second, len(numbers) - sum(one.body.count for one in made))
            sock.sendall(packed(-1))
            made += chunks(second, 1)
    assert texts(made) == [*numbers, -1]


def test_who_waits_for_an_ack_is_told_that_it_will_not_come(keep: Keep) -> None:
    with seated(keep, Forward(port=0)) as first, dial(keep) as sock:
        sock.sendall(msgpack.packb(["app", [[1_700_000_000, {"message": 1}]], {"chunk": "a chunk of a test"}]))
        chunks(first, 1)
        first.close()
        assert sock.recv(1) == b""


def test_a_connection_of_http_goes_on_with_its_next_request(keep: Keep) -> None:
    request = b'POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 15\r\n\r\n{"message": %d}\n'
    with seated(keep, Http(0, ack_timeout=None)) as first, dial(keep) as sock:
        for plugin in (first, Http(0, ack_timeout=None)):
            if plugin is not first:
                first.close()
                plugin.berth = keep.berth("web/input")
                plugin.open()
            sock.sendall(request % 1)
            assert texts(chunks(plugin, 1)) == [1]
            plugin.read()
            assert sock.recv(4096).startswith(b"HTTP/1.1 200")
        plugin.close()


def test_who_is_in_the_middle_of_a_request_is_to_send_it_again(keep: Keep) -> None:
    with seated(keep, Http(0)) as first, dial(keep) as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 16\r\n\r\nhalf")
        first.read()
        first.close()
        assert sock.recv(1) == b""


def test_datagrams_between_two_readers_are_read_and_drops_counted_once(keep: Keep) -> None:
    with seated(keep, Udp(0, receive_buffer=4096)) as first, socket.socket(type=socket.SOCK_DGRAM) as sock:
        at = ("127.0.0.1", port(keep))
        for _ in range(500):
            sock.sendto(b"x" * 100, at)
        first.notes()
        dropped = first.losses()["dropped by the kernel, datagrams"]
        chunks(first, 500 - dropped)
        first.close()
        sock.sendto(b"between", at)
        with seated(keep, Udp(0, receive_buffer=4096)) as second:
            assert texts(chunks(second, 1)) == ["between"]
            second.notes()
            assert second.losses()["dropped by the kernel, datagrams"] == 0


@pytest.mark.parametrize("plugin", [Tcp(0), Forward(port=0), Http(0), Udp(0)])
def test_one_that_has_ended_listens_no_more(keep: Keep, plugin: Any) -> None:
    with seated(keep, plugin):
        assert keep.entries()
        plugin.ended = True
    assert keep.entries() == []


@pytest.mark.parametrize("plugin", [Tcp(0), Forward(port=0), Http(0), Udp(0)])
def test_while_handing_over_one_that_has_ended_reads_nothing_more(keep: Keep, plugin: Any) -> None:
    with seated(keep, plugin):
        keep.handing = True
        assert not plugin.rest()
        plugin.ended = True
    entries = keep.entries()
    assert entries
    assert all(one.owner is None and one.sock.fileno() >= 0 for one in entries)
