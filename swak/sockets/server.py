"""A TCP server in one thread: many connections, no wait for any of them, bounded in number."""

from __future__ import annotations

import selectors
import socket
import threading
import time
from collections import OrderedDict
from contextlib import suppress
from errno import EHOSTDOWN, EHOSTUNREACH, EMFILE, ENETDOWN, ENETUNREACH, ENFILE, ENOBUFS, ENOMEM, EPERM, EPROTO
from math import inf
from typing import TYPE_CHECKING, Any

from swak import log
from swak.sockets.address import listener, plain_host, shown, tune
from swak.sockets.kept import Carried, alone
from swak.tailing.descriptors import open_files_max

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from swak.sockets.kept import Berth

LOG = log.get("sockets")

READ_BYTES = 64 * 1024
"""What is read of one connection at a time, so that each gets its turn, where many have something."""
POLL_BYTES = 256 * 1024
"""What is read of all connections at a time, and of one that is alone: so many bytes cost little more than a few."""
ACCEPTS = 256
"""Connections that are accepted at a time."""
BACKLOG = 1024
REST_S = 1.0
"""How long no connection is accepted when the system has no descriptors left; and how often deadlines are looked at."""
QUIET_S = 5.0
"""A connection that was quiet for so long may be closed in favour of a new one, when there are too many."""
LINGER_S = 2.0
"""How long a peer that was told the last word may go on sending: closing at once would take that word from it."""
_FULL = {EMFILE, ENFILE, ENOBUFS, ENOMEM}
_GONE = {EHOSTDOWN, EHOSTUNREACH, ENETDOWN, ENETUNREACH, EPERM, EPROTO}
"""What Linux says of a connection that failed before it was accepted (accept(2)); others are not touched by that."""


class Connection:
    """One peer. `state` is whatever its protocol wants to remember."""

    __slots__ = ("closing", "deadline", "heard_at", "host", "lingering", "out", "paused", "sock", "state", "turn")

    def __init__(self, sock: socket.socket, host: str, now: float) -> None:
        self.sock = sock
        self.host = host
        self.heard_at = now
        self.turn = 0
        """Which read of all was the last of this one."""
        self.deadline = inf
        """When it is given up, in monotonic seconds: then `poll` returns it with None."""
        self.out = bytearray()
        self.paused = False
        """Whether nothing is read of it for now; such a connection is never closed in favour of another."""
        self.closing = False
        self.lingering = False
        """Whether all has been said, and what still comes is dropped."""
        self.state: Any = None

    @property
    def open(self) -> bool:
        """Whether it has not been closed."""
        return self.sock.fileno() >= 0


class Server:
    """Accepts connections and reads from them as long as somebody calls `poll`; who does not poll holds senders up.

    All calls but `wake` come from one thread.
    """

    def __init__(
        self,
        host: str,
        port: int,
        connections_max: int,
        monotonic: Callable[[], float] = time.monotonic,
        idle_s: float = inf,
        *,
        berth: Berth | None = None,
    ) -> None:
        """Listen. A new connection has `idle_s` to say something. OSError when the address cannot be had.

        `berth`: where a predecessor may have left its socket and connections (see `arrived`).
        """
        self._monotonic = monotonic
        self._idle_s = idle_s
        self._max = min(connections_max, open_files_max())
        self._berth, self._at = berth or alone(), ("tcp", host, port)
        self._listener, _ = self._berth.listening(self._at, lambda: listener(host, port, BACKLOG))
        self._aborted = self._deaf = False
        self.address: tuple[str, int] = self._listener.getsockname()[:2]
        self._woken, self._waker = socket.socketpair()
        self._waking = threading.Lock()
        for sock in (self._woken, self._waker):
            sock.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._connections: OrderedDict[Connection, None] = OrderedDict()
        """The one that was quiet for longest comes first."""
        self._accept_at = self._look_at = self._tell_at = 0.0
        self._turns = 0
        self._buffer = memoryview(bytearray(POLL_BYTES))
        self.turned_away = 0
        """Connections that were closed because there were too many."""
        LOG.info("listening", address=shown(self.address))

    @property
    def connections(self) -> list[Connection]:
        """All that are open."""
        return list(self._connections)

    def arrived(self) -> list[tuple[Connection, Carried]]:
        """Go on with the connections that a predecessor has left; return them with what it left of each."""
        found = []
        for one in self._berth.arrived(self._at):
            connection = self._begun(one.sock, one.peer, self._monotonic())
            connection.out += one.out
            self._watch(connection)
            found.append((connection, one))
        return found

    @property
    def handing(self) -> bool:
        """Whether somebody else goes on even where the input has ended."""
        return self._berth.handing

    def deafen(self) -> None:
        """Accept nobody any more."""
        self._deaf = True
        with suppress(KeyError):  # it rests
            self._selector.unregister(self._listener)

    def hands_on(self, *, ended: bool) -> bool:
        """Tell whether somebody else goes on where we end. Nobody does after an `abort`."""
        return not self._aborted and self._berth.hands_on(ended=ended)

    def leave(self, rests: Mapping[Connection, tuple[bytes, dict[str, Any]]]) -> None:
        """Leave the socket that listens to a successor, with these connections: what was not handed out, and more.

        Only `close` may follow.
        """
        left = []
        for connection in self.connections:
            if connection in rests and connection.open and not connection.closing:
                rest, state = rests[connection]
                del self._connections[connection]  # it is not ours any more
                left.append(Carried(connection.sock, connection.host, rest, bytes(connection.out), state))
        self._berth.leave(self._at, left)

    def poll(self, wait_s: float) -> list[tuple[Connection, bytes | None]]:
        """Return what has arrived: bytes, b"" for a peer that says no more, None for a deadline that has passed.

        Waits at most `wait_s` for something to happen, which may be nothing that is returned.
        """
        if self._aborted:
            raise ConnectionAbortedError("given up")
        self._listen_again(self._monotonic())
        came: list[tuple[Connection, bytes | None]] = []
        size_bytes = 0
        ready = self._selector.select(min(wait_s, REST_S))
        if len(ready) > POLL_BYTES // READ_BYTES:  # the system tells them in the same order each time
            ready.sort(key=_turn)
        share_bytes = max(READ_BYTES, POLL_BYTES // max(1, len(ready)))
        for key, events in ready:
            if key.fileobj is self._listener:
                self._accept()
            elif key.fileobj is self._woken:
                with suppress(BlockingIOError):  # somebody took it before
                    self._woken.recv(4096)
            elif key.data.open:
                if events & selectors.EVENT_WRITE:
                    self._flush(key.data)
                if events & selectors.EVENT_READ and size_bytes < POLL_BYTES and not key.data.paused:
                    data = self._read(key.data, share_bytes)
                    if key.data.closing:
                        self._drop(key.data, data)
                    elif data is not None:
                        came.append((key.data, data))
                        size_bytes += len(data)
        now = self._monotonic()
        if now >= self._look_at:
            self._look_at = now + REST_S
            late = [one for one in self._connections if now >= one.deadline]
            for connection in [one for one in late if one.closing]:
                self.close_connection(connection)
            came += [(one, None) for one in late if not one.closing]
        return came

    def send(self, connection: Connection, data: bytes, *, close: bool = False) -> None:
        """Send what the peer takes now, and the rest later; then close, if so told. It has LINGER_S for that."""
        connection.out += data
        if close and not connection.closing:
            connection.closing = True
            connection.deadline = self._monotonic() + LINGER_S
        self._flush(connection)

    def pause(self, connection: Connection, *, paused: bool) -> None:
        """Read no more of a connection for now, or again."""
        if connection.open and connection.paused != paused:
            connection.paused = paused
            self._watch(connection)

    def close_connection(self, connection: Connection) -> None:
        """Close one connection. May be repeated."""
        if connection in self._connections:
            del self._connections[connection]
            with suppress(KeyError):  # it waited for nothing
                self._selector.unregister(connection.sock)
        connection.sock.close()

    def wake(self) -> None:
        """Let a `poll` that waits return at once. From any thread, also after `close`."""
        with self._waking:
            if self._waker.fileno() >= 0:
                with suppress(BlockingIOError):  # it is full: that wakes as well
                    self._waker.send(b"\0")

    def abort(self) -> None:
        """Let every later `poll` fail, from another thread; what is open is closed by the owner.

        The socket that listens is not shut down: a successor listens on another descriptor of the same.
        """
        self._aborted = True
        self.wake()

    def close(self) -> None:
        """Close everything, but what was left to a successor. May be repeated."""
        if not self._aborted:
            self._berth.drop(self._at)
        for connection in self.connections:
            self.close_connection(connection)
        self._selector.close()
        self._listener.close()
        with self._waking:
            self._waker.close()
        self._woken.close()

    def _listen_again(self, now: float) -> None:
        if self._accept_at and now >= self._accept_at and not self._deaf:
            self._accept_at = 0.0
            self._selector.register(self._listener, selectors.EVENT_READ)

    def _accept(self) -> None:
        now = self._monotonic()
        for _ in range(ACCEPTS):
            try:
                sock, address = self._listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno in _GONE:
                    continue
                if error.errno not in _FULL:
                    raise
                LOG.warning("no connection can be accepted for now", error=str(error), open=len(self._connections))
                self._selector.unregister(self._listener)
                self._accept_at = now + REST_S
                return
            self._admit(sock, address, now)

    def _admit(self, sock: socket.socket, address: Any, now: float) -> None:
        if len(self._connections) >= self._max and not self._made_room(now):
            self._turn_away("too many connections; a new one was turned away", shown(address), now)
            sock.close()
            return
        try:
            sock.setblocking(False)
            tune(sock)
        except OSError:  # it is gone already
            sock.close()
            return
        self._begun(sock, plain_host(address[0]), now)

    def _begun(self, sock: socket.socket, peer: str, now: float) -> Connection:
        connection = Connection(sock, peer, now)
        connection.deadline = now + self._idle_s
        self._connections[connection] = None
        self._selector.register(sock, selectors.EVENT_READ, connection)
        return connection

    def _made_room(self, now: float) -> bool:
        for connection in self._connections:
            if now - connection.heard_at < QUIET_S:
                return False  # the others were heard of later
            if not connection.paused and not connection.out:
                self._turn_away("too many connections; the one quiet for longest is closed", connection.host, now)
                self.close_connection(connection)
                return True
        return False

    def _turn_away(self, what: str, peer: str, now: float) -> None:
        """Count it, and tell it at most once in REST_S: whoever dials in a loop must not fill the log."""
        self.turned_away += 1
        if now >= self._tell_at:
            self._tell_at = now + REST_S
            LOG.warning(what, peer=peer, open=len(self._connections), turned_away=self.turned_away)

    def _read(self, connection: Connection, size_bytes: int) -> bytes | None:
        """Return what a connection has sent, b"" at its end, None for nothing.

        One buffer serves all: a new one of that size for each read would cost more than the copy.
        """
        try:
            data = bytes(self._buffer[: connection.sock.recv_into(self._buffer, size_bytes)])
        except BlockingIOError:
            return None
        except OSError:  # a reset is an end, too
            return b""
        connection.heard_at = self._monotonic()
        self._turns += 1
        connection.turn = self._turns
        self._connections.move_to_end(connection)
        return data

    def _flush(self, connection: Connection) -> None:
        try:
            with suppress(BlockingIOError):  # the rest goes when the peer has read some
                while connection.out and connection.open:
                    del connection.out[: connection.sock.send(connection.out)]
            if connection.closing and not connection.out and not connection.lingering and connection.open:
                connection.sock.shutdown(socket.SHUT_WR)
                connection.lingering, connection.paused = True, False
        except OSError:  # it is gone, and so is what it was to be told
            self.close_connection(connection)
        if connection.open:
            self._watch(connection)

    def _drop(self, connection: Connection, data: bytes | None) -> None:
        if data == b"":
            self.close_connection(connection)

    def _watch(self, connection: Connection) -> None:
        """Wait for what is wanted of a connection now. One that waits for nothing is not watched at all."""
        wanted = (0 if connection.paused else selectors.EVENT_READ) | (selectors.EVENT_WRITE if connection.out else 0)
        watched = self._selector.get_map().get(connection.sock)
        if watched is None and wanted:
            self._selector.register(connection.sock, wanted, connection)
        elif watched is not None and not wanted:
            self._selector.unregister(connection.sock)
        elif watched is not None and watched.events != wanted:
            self._selector.modify(connection.sock, wanted, connection)


def _turn(ready: tuple[selectors.SelectorKey, int]) -> int:
    """Order what is ready: our own sockets, then who has waited longest for a read."""
    connection = ready[0].data
    return connection.turn if isinstance(connection, Connection) else -1
