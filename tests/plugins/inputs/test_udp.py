from __future__ import annotations

import socket
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from swak.plugins.inputs.udp import Udp
from tests.flows.waiting import WAIT_S

if TYPE_CHECKING:
    from collections.abc import Iterator

    from swak.event import Record


@contextmanager
def opened(**options: Any) -> Iterator[tuple[Udp, socket.socket]]:
    plugin = Udp(0, **options)
    plugin.wait_s = 0.05
    plugin.open()
    assert plugin.address is not None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(plugin.address)
        try:
            yield plugin, sock
        finally:
            plugin.close()


def records(plugin: Udp, count: int) -> list[Record]:
    made: list[Record] = []
    ends_at = time.monotonic() + WAIT_S
    while len(made) < count and time.monotonic() < ends_at:
        made += [record for chunk in plugin.read() or [] for record in chunk.body.records()]
    return made


def test_a_datagram_is_an_event_with_the_senders_address() -> None:
    with opened() as (plugin, sock):
        sock.send(b'{"a":1}')
        assert records(plugin, 1) == [{"message": '{"a":1}', "host": "127.0.0.1"}]


def test_json_becomes_the_record() -> None:
    with opened(codec="json", host_field=None) as (plugin, sock):
        sock.send(b'{"a":1}')
        sock.send(b"nothing")
        assert records(plugin, 2) == [{"a": 1}, {"message": "nothing", "tags": ["_jsonparsefailure"]}]
        assert plugin.notes() == "1 that are no JSON"


def test_many_datagrams_are_one_chunk() -> None:
    with opened(codec="line") as (plugin, sock):
        for _ in range(50):
            sock.send(b"a\nb")
        assert len(plugin.read() or []) == 1


def test_a_long_datagram_is_cut_and_told() -> None:
    with opened(max_size=5, host_field=None) as (plugin, sock):
        sock.send(b"x" * 100)
        assert records(plugin, 1) == [{"message": "xxxxx"}]
        assert plugin.notes() == "1 datagrams cut"


def test_at_the_end_what_has_come_is_taken() -> None:
    with opened(host_field=None) as (plugin, sock):
        sock.send(b"a")
        found = []
        while (chunk := plugin.rest()) is not None:
            found += chunk.body.records()
        assert found == [{"message": "a"}]


def test_a_read_that_waits_can_be_interrupted() -> None:
    with opened() as (plugin, _):
        plugin.wait_s = 60
        plugin.interrupt()
        assert plugin.read() is None


def test_before_it_is_open_there_is_nothing_to_tell() -> None:
    assert Udp(0).notes() == ""
    assert Udp(0).address is None


@pytest.mark.parametrize(
    ("options", "what"), [({"port": 70_000}, "there is no port 70000"), ({"encoding": "klingon"}, "no encoding")]
)
def test_options_that_cannot_be_are_named(options: dict[str, Any], what: str) -> None:
    problems = Udp(**({"port": 1} | options)).check()
    assert any(what in text for text, _ in problems)
