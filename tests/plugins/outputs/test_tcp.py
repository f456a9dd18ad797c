from __future__ import annotations

import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from swak.plugin import Pending
from swak.plugins.outputs.tcp import Tcp
from swak.testing import batch_of, block_of, event
from tests.flows.waiting import WAIT_S, until

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        sock.settimeout(WAIT_S)
        yield sock


@contextmanager
def opened(listener: socket.socket, **options: Any) -> Iterator[tuple[Tcp, socket.socket]]:
    plugin = Tcp("127.0.0.1", listener.getsockname()[1], **options)
    plugin.open()
    peer, _ = listener.accept()
    peer.settimeout(WAIT_S)
    try:
        yield plugin, peer
    finally:
        plugin.close()
        peer.close()


def test_events_are_lines_and_pending_until_the_peers_kernel_has_them(listener: socket.socket) -> None:
    with opened(listener) as (plugin, peer):
        assert plugin.write(block_of("a", "한글")) is Pending
        assert plugin.due_at() is not None
        plugin.sync()
        assert plugin.due_at() is None
        assert peer.recv(1000).decode() == '{"message":"a"}\n{"message":"한글"}\n'


def test_other_formats_are_there(listener: socket.socket) -> None:
    with opened(listener, format="line", template="{tag} {n}") as (plugin, peer):
        plugin.write(batch_of([event({"n": 1}, tag="web")]))
        assert peer.recv(1000) == b"web 1\n"


def test_a_connection_that_ended_with_events_pending_settles_nothing(listener: socket.socket) -> None:
    with opened(listener) as (plugin, peer):
        plugin.write(block_of("a"))
        peer.close()
        until(lambda: not plugin.alive(), "the end is not seen")
        with pytest.raises(ConnectionResetError):
            plugin.sync()
        plugin.close()
        plugin.open()
        plugin.write(block_of("a"))
        again, _ = listener.accept()
        plugin.sync()
        assert again.recv(100) == b'{"message":"a"}\n'
        again.close()


def test_an_empty_batch_is_settled(listener: socket.socket) -> None:
    with opened(listener) as (plugin, _):
        assert plugin.write(batch_of([])) is None


def test_nobody_there_is_told_with_the_address() -> None:
    plugin = Tcp("127.0.0.1", 1)
    with pytest.raises(ConnectionRefusedError, match=r"127\.0\.0\.1:1: "):
        plugin.open()
    assert not plugin.probe()
    assert not plugin.alive()
    plugin.close()


def test_an_aborted_plugin_cannot_be_opened(listener: socket.socket) -> None:
    plugin = Tcp("127.0.0.1", listener.getsockname()[1])
    plugin.abort()
    with pytest.raises(OSError, match="told to stop"):
        plugin.open()
    plugin.close()


def test_options_that_cannot_be_are_named() -> None:
    assert [what for what, _ in Tcp("", 70_000, format="csv").check()] == [
        "host is empty",
        "there is no port 70000",
        'format="csv" without fields',
    ]
