from __future__ import annotations

import socket
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from swak.event import EVENTS_MAX
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
        while chunks := plugin.rest():
            found += [record for chunk in chunks for record in chunk.body.records()]
        assert found == [{"message": "a"}]


def test_what_is_taken_at_the_end_is_handed_out_at_once_since_nobody_counts_what_an_input_keeps() -> None:
    sent = EVENTS_MAX + 1
    with opened(receive_buffer="4MiB") as (plugin, sock):
        for _ in range(sent):
            sock.send(b"a")
        handed = sum(chunk.body.count for chunk in plugin.rest() or [])
        plugin.close()
        assert handed + plugin.losses()["left unread, datagrams"] == sent


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


def test_what_was_lost_is_told_by_number_also_of_a_socket_before(monkeypatch: pytest.MonkeyPatch) -> None:
    plugin = Udp(0, max_size=5)
    lost = ["dropped by the kernel, datagrams", "left unread, datagrams", "cut by max_size, datagrams"]
    assert plugin.losses() == dict.fromkeys(lost, 0)
    for times in (1, 2):
        plugin.open()
        assert plugin.address is not None
        assert plugin._datagrams is not None
        plugin._datagrams.dropped += 3
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            for text in (b"x" * 100, b"y"):
                sock.sendto(text, plugin.address)
                if text != b"y":
                    assert len(records(plugin, 1)) == 1
        monkeypatch.setattr(plugin._datagrams, "look", lambda: 0)
        plugin.close()
        assert list(plugin.losses().values()) == [3 * times, times, times]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
def test_every_datagram_is_read_or_counted_as_lost() -> None:
    plugin = Udp(0, receive_buffer=4096)
    plugin.open()
    assert plugin.address is not None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for _ in range(500):
            sock.sendto(b"x" * 1000, plugin.address)
    plugin.wait_s = 0
    read = len(records(plugin, 1))
    plugin.close()
    assert read + sum(plugin.losses().values()) == 500
