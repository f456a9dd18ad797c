from __future__ import annotations

import socket
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from swak.background.naming import Found
from swak.control.client import Connection, ControlError, connect

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Unix sockets")


def test_where_nobody_listens_the_error_says_where(tmp_path: Path) -> None:
    with pytest.raises(ControlError, match='"web" cannot be reached at /nowhere'):
        Connection("/nowhere/web.sock", '"web"')
    with pytest.raises(ControlError, match="has no control socket"):
        connect(Found("web", 1, tmp_path, {}))


@pytest.mark.parametrize("answer", [b"", b"garbage\n", b'{"id": 1, "ok": tr'])
def test_an_answer_that_is_none_is_told(tmp_path: Path, answer: bytes) -> None:
    from swak.background.places import socket_path

    path = socket_path(tmp_path, "x")
    path.parent.mkdir(exist_ok=True, mode=0o700)
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            peer, _ = listener.accept()
            with peer:
                peer.recv(1_000)
                peer.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        with Connection(str(path)) as connection, pytest.raises(ControlError):
            connection.ask("status")
        thread.join(20)
    path.unlink()
