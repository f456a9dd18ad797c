"""The receiving side of the forward protocol: one listener, many connections, and no thread but the caller's."""

from __future__ import annotations

import selectors
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from swak.clock import SYSTEM
from swak.forward.bell import Bell
from swak.forward.connection import Closed, Connection
from swak.forward.crowd import Crowd
from swak.forward.faults import Faults
from swak.forward.gathering import Gathering
from swak.forward.listener import Listener, NoRoomError
from swak.forward.repeats import Repeats
from swak.forward.tls import server_context
from swak.log import get
from swak.tailing.descriptors import open_files_max

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable, Iterator

    from swak.clock import Clock
    from swak.event import Chunk
    from swak.forward.connection import Promise
    from swak.forward.decoder import Incoming
    from swak.forward.gathering import Part
    from swak.forward.settings import Settings
    from swak.log import Log
    from swak.sockets.kept import Berth, Carried

TURN_BYTES = 1024 * 1024
"""What one turn receives."""
REST_BYTES = 16 * TURN_BYTES
"""What is read at the end of connections that a successor cannot take up: who never pauses must not keep us."""
LOOK_S = 0.25
"""How often connections are looked at that may take too long."""
GAP_S = 1.0
"""Time that passes between two turns; more of it is none in which a sender could be late, as nobody listened."""
_READ, _WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


class Server:
    """Listens from `open` to `close`. One thread takes turns; `wake` and what settles parts may come from any."""

    def __init__(
        self, settings: Settings, clock: Clock = SYSTEM, log: Log | None = None, berth: Berth | None = None
    ) -> None:
        """`berth`: where a predecessor may have left its sockets, and where ours are left."""
        self._settings, self._berth = settings, berth
        self._clock = clock
        self._log = log or get("swak.forward")
        self.faults = Faults(self._log, clock.monotonic)
        self.repeats = Repeats(settings.dedupe, self._watch)
        self._selector = selectors.DefaultSelector()
        self._context: ssl.SSLContext | None = None
        self._listener: Listener | None = None
        self._bell = Bell()
        self._crowd = Crowd(settings.held_bytes_max)
        self._connections, self._paused = self._crowd.connections, self._crowd.paused
        self._ready: dict[Connection, None] = {}
        self._current: tuple[Connection, Iterator[Incoming]] | None = None
        self._promise: Promise | None = None
        self._settled: deque[Part] = deque()
        self._deaf_s = 0.0
        self._left_at = self._look_at = clock.monotonic()
        self._listen_at: float | None = None
        self._rest_bytes = REST_BYTES

    def open(self) -> list[Chunk]:
        """Listen. Return what a predecessor has read and could not hand out.

        OSError: the address cannot be had, or a file of TLS cannot be read.
        """
        host, port = self._settings.host, self._settings.port
        try:
            self._context = None if self._settings.tls is None else server_context(self._settings.tls)
            self._listener = Listener(host, port, self._log, self._berth)
        except OSError as error:
            raise OSError(error.errno, f"{host}:{port}: {error.strerror or error}") from error
        self._selector.register(self._listener.sock, _READ, self._accept)
        if self._listener.heartbeats is not None:
            self._selector.register(self._listener.heartbeats, _READ, self._listener.beat)
        self._selector.register(self._bell, _READ, self._bell.hear)
        self._connections_max = min(self._settings.connections_max, open_files_max())
        for one in self._listener.arrived():
            self._go_on(one)
        return self._listener.pending()

    @property
    def port(self) -> int:
        """The port that is listened on, 0 when none is."""
        return self._listener.port if self._listener is not None else 0

    @property
    def connected(self) -> int:
        """Number of connections."""
        return len(self._connections)

    @property
    def held_bytes(self) -> int:
        """Bytes of chunks that are not complete."""
        return self._crowd.held_bytes

    @property
    def waiting(self) -> bool:
        """Whether chunks are under way that are not complete."""
        return self._crowd.held_bytes > 0 or self._current is not None or bool(self._ready)

    def turn(self, wait_s: float) -> list[Chunk]:
        """Do what there is to do and return what has arrived, at most about EVENTS_MAX events or TURN_BYTES.

        It waits for at most `wait_s`, and ends early for nothing in particular.
        """
        self._deaf_s += max(0.0, self._clock.monotonic() - self._left_at - GAP_S)
        gathering = Gathering(self.settle)
        self.answer()
        self._pull(gathering)
        if not gathering.full:
            self._poll(0.0 if gathering.count or self._ready else wait_s)
            self.answer()
            self._serve_ready(gathering, TURN_BYTES)
        self._look_round()
        self._left_at = self._clock.monotonic()
        return gathering.chunks()

    def answer(self) -> None:
        """Ack what is settled."""
        self._bell.reset()
        while self._settled:
            promise, number = self._settled.popleft()
            connection = promise.connection
            if not promise.settle(number):
                continue
            self._settled.extend(self.repeats.settled(promise))
            if connection in self._connections:
                try:
                    connection.keep(promise)
                except Closed as closed:
                    self._drop(connection, closed)
                else:
                    self._watch(connection)

    def settle(self, parts: list[Part]) -> None:
        """Note that parts are settled. Any thread, any number of times."""
        self._settled.extend(parts)
        self.wake()

    def wake(self) -> None:
        """End a turn that waits. Any thread, at any time."""
        self._bell.ring()

    def rest(self) -> list[Chunk]:
        """Take no connections and no bytes any more; return what is left of a chunk that has come, [] at its end.

        Where a successor goes on, only what has come over TLS is read: it cannot take that up.
        """
        gathering = Gathering(self.settle)
        self._pull(gathering)
        if self._berth is None or not self._berth.handing:
            self._stop_listening()
        elif self._context is not None:
            if self._rest_bytes == REST_BYTES:
                self._ready.update(dict.fromkeys(self._connections))
            self._rest_bytes -= 1 + self._serve_ready(gathering, self._rest_bytes)
        return gathering.chunks()

    def close(self, *, ended: bool = True, whole: bool = True) -> None:
        """Ack what is settled, as far as that goes at once, and close everything, or leave it to a successor.

        `whole`: no turn was cut off in the middle, so that connections can be left, too.
        """
        self.answer()
        if self._listener is not None and self._listener.hands_on(ended=ended):
            self._leave(self._listener, whole=whole)
        self._stop_listening()
        for connection in list(self._connections):
            connection.part()
            self._drop(connection, Closed())
        self._current = None
        self._selector.close()
        self._bell.close()

    # Changing hands

    def _leave(self, listener: Listener, *, whole: bool) -> None:
        pending: list[Chunk] = []
        while whole and self._current is not None:
            gathering = Gathering(self.settle)
            self._pull(gathering)
            pending += [one for one in gathering.chunks() if one.told is None]  # others are sent again
        listener.leave(self._crowd.carried() if whole else [], pending)

    def _go_on(self, left: Carried) -> None:
        connection = self._connected(left.sock, left.peer)
        self._begin(connection, lambda: connection.go_on_with(left.rest, left.out, self._now()))
        self._crowd.count(connection)

    # What happens on sockets

    def _poll(self, wait_s: float) -> None:
        for key, mask in self._selector.select(wait_s):
            if not isinstance(key.data, Connection):
                key.data()
                continue
            connection = key.data
            if mask & _WRITE and not self._flushed(connection):
                continue
            self._ready[connection] = None  # to write may be what TLS waits for, too

    def _accept(self) -> None:
        assert self._listener is not None
        try:
            for sock, peer in self._listener.accept():
                self._welcome(sock, peer)
        except NoRoomError as error:
            self.faults.note("no room to accept", "", str(error))
            self._selector.unregister(self._listener.sock)
            self._listen_at = self._clock.monotonic() + GAP_S

    def _welcome(self, sock: socket.socket, peer: str) -> None:
        if len(self._connections) >= self._connections_max:
            sock.close()
            self.faults.note("too many connections", peer, f"there are {self._connections_max}")
            return
        try:
            if self._context is not None:
                sock = self._context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        except OSError as error:  # it has left
            sock.close()
            self._log.debug("a connection ended before it began", peer=peer, error=str(error))
            return
        connection = self._connected(sock, peer)
        self._begin(connection, connection.begin)

    def _begin(self, connection: Connection, begin: Callable[[], None]) -> None:
        try:
            begin()
        except Closed as closed:
            self._drop(connection, closed)
        else:
            self._watch(connection)

    def _connected(self, sock: socket.socket, peer: str) -> Connection:
        connection = Connection(sock, peer, self._settings.lock, self._settings.frame_bytes_max, self._now())
        self._connections.add(connection)
        return connection

    def _serve_ready(self, gathering: Gathering, size_bytes: int) -> int:
        """Receive from who has something, until there is enough; return how many bytes that were."""
        got_bytes = 0
        while self._ready and self._current is None and got_bytes < size_bytes:
            connection = next(iter(self._ready))
            del self._ready[connection]
            got_bytes += self._serve(connection)
            self._pull(gathering)
        return got_bytes

    def _serve(self, connection: Connection) -> int:
        """Receive from a connection; return how many bytes that were."""
        if self._crowd.must_wait(connection):
            self._paused.add(connection)
            connection.hold(self._now())
            self._watch(connection)
            return 0
        try:
            data, more = connection.receive()
        except Closed as closed:
            self._drop(connection, closed)
            return 0
        self._watch(connection)
        if data:
            self._current = connection, connection.feed(data, self._now())
            if more:
                self._ready[connection] = None
        return len(data)

    def _pull(self, gathering: Gathering) -> None:
        """Take events from the connection that is being decoded: one at a time, so that few are in memory."""
        if self._current is None:
            return
        connection, parts = self._current
        try:
            while not gathering.full:
                incoming = next(parts, None)
                if incoming is None:
                    self._current = None
                    break
                if incoming.chunk_id is not None and self._promise is None:
                    self._promise = self.repeats.promise(connection, incoming.tag, incoming.chunk_id)
                if self._promise is not None and self._promise.is_repeat:
                    self._settled.extend(self.repeats.passed_over(self._promise, last=incoming.last))
                else:
                    gathering.add(incoming, self._promise)
                self._promise = None if incoming.last else self._promise
        except Closed as closed:
            self.repeats.forget(self._promise)
            self._current = self._promise = None
            self._drop(connection, closed)
        self._crowd.count(connection)

    def _flushed(self, connection: Connection) -> bool:
        try:
            connection.flush()
        except Closed as closed:
            self._drop(connection, closed)
            return False
        self._watch(connection)
        return connection in self._connections and not connection.ended

    # Keeping order

    def _watch(self, connection: Connection) -> None:
        """Wait for what the connection wants now; close it when it has ended and nothing is owed."""
        if connection.ended and connection.idle:
            self._drop(connection, Closed())
            return
        mask = 0 if connection.ended or connection in self._paused else _READ
        mask |= _WRITE if connection.wants_write else 0
        if mask != connection.mask:
            change: Any = self._selector.modify if connection.mask and mask else self._selector.register
            if mask:
                change(connection.sock, mask, connection)
            else:
                self._selector.unregister(connection.sock)
            connection.mask = mask

    def _drop(self, connection: Connection, closed: Closed) -> None:
        if connection not in self._connections:
            return
        self._crowd.remove(connection)
        self._ready.pop(connection, None)
        if connection.mask:
            self._selector.unregister(connection.sock)
            connection.mask = 0
        connection.sock.close()
        connection.ended = True
        if closed.reason:
            self.faults.note(closed.reason, connection.peer, closed.detail)

    def _look_round(self) -> None:
        now = self._clock.monotonic()
        if self._listen_at is not None and now >= self._listen_at and self._listener is not None:
            self._listen_at = None
            self._selector.register(self._listener.sock, _READ, self._accept)
        if self._paused:
            for connection in [one for one in self._paused if not self._crowd.must_wait(one)]:
                self._paused.remove(connection)
                connection.go_on(self._now())
                self._ready[connection] = None  # under TLS bytes may wait where no selector sees them
                self._watch(connection)
        if now < self._look_at:
            return
        self._look_at = now + LOOK_S
        for connection in list(self._connections):
            reason = "" if connection.ended else connection.late(self._now(), self._settings.timeout_s)
            if reason:
                self._drop(connection, Closed(reason, f"more than {self._settings.timeout_s:g} s"))

    def _now(self) -> float:
        """Return the time, less the time in which nobody listened."""
        return self._clock.monotonic() - self._deaf_s

    def _stop_listening(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            for sock in (listener.sock, listener.heartbeats):
                if sock is not None:
                    with suppress(KeyError):  # it waits for room, and is not registered
                        self._selector.unregister(sock)
            listener.close()
