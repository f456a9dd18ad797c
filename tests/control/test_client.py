from __future__ import annotations

import signal
import socket
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from swak.background.naming import Found
from swak.background.places import socket_path
from swak.control.client import Connection, ControlError, connect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Unix sockets")


@contextmanager
def serving(folder: Path, serve: Callable[[socket.socket], None]) -> Iterator[str]:
    """Yield where one connection is served."""
    path = socket_path(folder, "x")
    path.parent.mkdir(exist_ok=True, mode=0o700)
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def accept() -> None:
            peer, _ = listener.accept()
            with peer:
                serve(peer)

        thread = threading.Thread(target=accept)
        thread.start()
        yield str(path)
        thread.join(30)
    path.unlink()


def test_where_nobody_listens_the_error_says_where(tmp_path: Path) -> None:
    with pytest.raises(ControlError, match='"web" cannot be reached at /nowhere'):
        Connection("/nowhere/web.sock", '"web"')
    with pytest.raises(ControlError, match="has no control socket"):
        connect(Found("web", 1, tmp_path, {}))


def test_a_signal_that_does_not_end_the_wait_for_bytes_is_heeded_all_the_same(tmp_path: Path) -> None:
    """As one does that comes just before the call: here another thread gets it."""
    interrupted, answered = threading.Event(), threading.Event()

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    def serve(peer: socket.socket) -> None:
        peer.recv(1_000)
        signal.pthread_kill(threading.get_ident(), signal.SIGUSR2)
        if not interrupted.wait(20):
            answered.set()
            peer.sendall(b'{"id": 1, "ok": true}\n')

    before = signal.signal(signal.SIGUSR2, interrupt)
    try:
        with serving(tmp_path, serve) as path, Connection(path) as connection:
            with pytest.raises(KeyboardInterrupt):
                connection.ask("status", within_s=60)
            interrupted.set()
    finally:
        signal.signal(signal.SIGUSR2, before)
    assert not answered.is_set()


def test_lines_come_in_pieces_and_several_at_once(tmp_path: Path) -> None:
    def serve(peer: socket.socket) -> None:
        peer.recv(1_000)
        for piece in (b'{"id": 1, "n', b'": 1}\n{"id": 1, "n": 2}\n{"id"', b': 1, "ok": true}\n'):
            peer.sendall(piece)
            pause.wait(0.05)

    pause = threading.Event()
    with serving(tmp_path, serve) as path, Connection(path) as connection:
        assert [told.get("n") for told in connection.stream("tap")] == [1, 2, None]


@pytest.mark.parametrize("answer", [b"", b"garbage\n", b'{"id": 1, "ok": tr'])
def test_an_answer_that_is_none_is_told(tmp_path: Path, answer: bytes) -> None:
    def serve(peer: socket.socket) -> None:
        peer.recv(1_000)
        peer.sendall(answer)

    with serving(tmp_path, serve) as path, Connection(path) as connection, pytest.raises(ControlError):
        connection.ask("status")
