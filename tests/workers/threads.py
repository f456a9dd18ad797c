"""Workers as threads of the test's own process: the same answers over the same sockets, started in no time."""

from __future__ import annotations

import os
import socket
import threading
from typing import TYPE_CHECKING, Any

from swak.workers.chain import Link
from swak.workers.orders import made
from swak.workers.process import answer
from swak.workers.wire import Frame, receive, send

if TYPE_CHECKING:
    from collections.abc import Callable


class ThreadProcess:
    """What of a process its agent uses: it ends when its socket is closed."""

    def __init__(self, peer: socket.socket) -> None:
        self.pid = os.getpid()
        self._peer = peer
        self._thread = threading.Thread(target=self._serve, name="thread-worker", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with self._peer as peer:
            try:
                hello = receive(peer)
                if hello is None:
                    return
                _, orders, _, _, as_json = hello.values
                links = [Link(stage, plugin) for stage, plugin in made(orders, no_recipe)]
                for link in links:
                    link.plugin.open()
                send(peer, Frame("ready"))
                while (job := receive(peer)) is not None:
                    send(peer, answer(links, job, as_json=as_json))
            except OSError:
                return  # killed

    def kill(self) -> None:
        try:
            self._peer.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # it has ended

    def wait(self, timeout: float | None = None) -> int:
        self._thread.join(timeout)
        return 0


def in_a_thread(peer: socket.socket, title: str) -> Any:
    """Stand in for `swak.workers.child.process_with`."""
    assert title
    return ThreadProcess(peer.dup())


no_recipe: Callable[..., Any] = NotImplemented
