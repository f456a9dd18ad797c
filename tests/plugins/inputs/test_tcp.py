from __future__ import annotations

import socket
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from swak.event import Block
from swak.plugins.inputs.tcp import Tcp
from swak.sockets.unread import unread_bytes
from swak.testing import FakeClock
from tests.flows.waiting import WAIT_S, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from swak.event import Chunk, Record


@contextmanager
def opened(**options: Any) -> Iterator[Tcp]:
    plugin = Tcp(0, **options)
    plugin.clock = FakeClock()
    plugin.wait_s = 0.05
    plugin.open()
    with closing(plugin):
        yield plugin


def dial(plugin: Tcp) -> socket.socket:
    assert plugin.address is not None
    return socket.create_connection(plugin.address, timeout=WAIT_S)


def chunks(plugin: Tcp, count: int) -> list[Chunk]:
    """Read until so many events have come."""
    made: list[Chunk] = []
    ends_at = time.monotonic() + WAIT_S
    while sum(one.body.count for one in made) < count and time.monotonic() < ends_at:
        made += plugin.read() or []
    return made


def records(plugin: Tcp, count: int) -> list[Record]:
    return [record for one in chunks(plugin, count) for record in one.body.records()]


def test_each_line_is_an_event_with_the_senders_address() -> None:
    with opened() as plugin, dial(plugin) as sock:
        sock.sendall(b"one\ntwo\r\nthr")
        assert records(plugin, 2) == [{"message": "one", "host": "127.0.0.1"}, {"message": "two", "host": "127.0.0.1"}]
        sock.sendall(b"ee\n")
        assert records(plugin, 1) == [{"message": "three", "host": "127.0.0.1"}]


def test_without_a_field_for_the_address_lines_stay_bytes() -> None:
    with opened(host_field=None, tag="app") as plugin, dial(plugin) as sock:
        sock.sendall(b"\xff\n")
        (chunk,) = chunks(plugin, 1)
        assert isinstance(chunk.body, Block)
        assert chunk.tag == "app"


def test_json_lines_become_records() -> None:
    with opened(codec="json") as plugin, dial(plugin) as sock:
        sock.sendall(b'{"n":1,"@timestamp":5}\nno json\n')
        (chunk,) = chunks(plugin, 2)
        assert chunk.body.records() == [
            {"n": 1, "@timestamp": 5, "host": "127.0.0.1"},
            {"message": "no json", "host": "127.0.0.1", "tags": ["_jsonparsefailure"]},
        ]
        assert next(iter(chunk.body.times())) == 5 * 10**9
        assert plugin.notes() == "1 lines that are no JSON"


def test_the_last_line_of_a_connection_needs_no_end() -> None:
    with opened() as plugin:
        with dial(plugin) as sock:
            sock.sendall(b"a\nlast")
        assert [one["message"] for one in records(plugin, 2)] == ["a", "last"]


def test_a_long_line_is_cut_and_told() -> None:
    with opened(max_line=10) as plugin, dial(plugin) as sock:
        sock.sendall(b"x" * 1_000 + b"\nnext\n")
        assert [len(one["message"]) for one in records(plugin, 2)] == [10, 4]
        assert plugin.notes() == "1 lines cut"


def test_unfinished_lines_of_all_together_are_bounded() -> None:
    with opened(max_line="1m", memory=1_000) as plugin, dial(plugin) as first, dial(plugin) as second:
        first.sendall(b"a" * 900)
        assert plugin.read() is None
        second.sendall(b"b" * 900)
        assert [one["message"] for one in records(plugin, 1)] == ["b" * 900]
        first.sendall(b"\n")
        assert [one["message"] for one in records(plugin, 1)] == ["a" * 900]


def test_a_quiet_connection_is_closed_when_asked_for() -> None:
    with opened(idle_timeout="10s") as plugin, dial(plugin) as sock:
        sock.sendall(b"half")
        assert plugin.read() is None
        assert isinstance(plugin.clock, FakeClock)
        plugin.clock.advance(11)
        assert [one["message"] for one in records(plugin, 1)] == ["half"]
        assert sock.recv(1) == b""


def test_a_read_that_waits_can_be_interrupted() -> None:
    with opened() as plugin:
        plugin.wait_s = 60
        plugin.interrupt()
        assert plugin.read() is None


def test_at_the_end_what_has_come_is_taken_and_unfinished_lines_too() -> None:
    with opened(max_line=10) as plugin, dial(plugin) as sock:
        sock.sendall(b"a\n")
        records(plugin, 1)
        sock.sendall(b"b\nhalf")
        found = []
        while chunks := plugin.rest():
            found += [one["message"] for chunk in chunks for one in chunk.body.records()]
        assert found == ["b", "half"]


@pytest.mark.parametrize(
    ("options", "what"), [({"port": 70_000}, "there is no port 70000"), ({"encoding": "utf-16"}, 'encoding "utf-16"')]
)
def test_options_that_cannot_be_are_named(options: dict[str, Any], what: str) -> None:
    problems = Tcp(**({"port": 1} | options)).check()
    assert any(what in text for text, _ in problems)


def test_what_was_lost_is_told_by_number() -> None:
    plugin = Tcp(0, max_line=5)
    assert set(plugin.losses().values()) == {0}
    plugin.wait_s = 0.05
    plugin.open()
    with dial(plugin) as sock:
        sock.sendall(b"much too long\n")
        assert sum(chunk.body.count for chunk in chunks(plugin, 1)) >= 1
        sock.sendall(b"nobody reads it\n")
        assert plugin._server is not None
        (connection,) = plugin._server.connections
        until(lambda: unread_bytes(connection.sock) == 16, "it has come")
        plugin.close()
    assert plugin.losses() == {"left unread, bytes": 16, "cut by max_line or memory, lines": 1}
