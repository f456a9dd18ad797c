"""The control sockets: one thread for all clients, which waits for none of them and uses a tenth of a core at most."""

from __future__ import annotations

import os
import selectors
import socket
import threading
from collections.abc import Callable, Generator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeAlias

from swak.background.places import private_folder
from swak.control.peers import may_control, process_of, user_of
from swak.control.protocol import REQUEST_BYTES, Request, RequestError, answer, encode, id_of, read_request, refusal
from swak.control.rights import READS, Right
from swak.control.thrift import Thrift
from swak.forward.tls import receive, send
from swak.log import Log

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from swak.control.door import Admitted, Door

CLIENTS_MAX = 128
REMOTE_MAX = 64
"""Of them over TCP: whoever comes from there leaves room for those on the machine."""
WORKING_MAX = 8
"""Requests of one client that are under way at a time; further ones wait in its socket."""
OUT_BYTES = 256 * 1024
"""What may wait for a client that does not read: beyond it, nothing is read of it, and a tap drops."""
READ_BYTES = 64 * 1024
SEEN = READS | {"evaluate"}
"""Verbs that are not in the log each time: they change nothing, or say themselves what they do."""
TICK_S = 0.02
"""How often requests that take their time are looked at."""
LOOK_S = 1.0
"""How often it is looked whether those who came over TCP still have a right."""
STALL_S = 60.0
"""How long a client may leave something unread before it is shut out."""
LINGER_S = 1.0
"""How long the end of the run waits for clients to take their last line."""

Told: TypeAlias = dict[str, Any]
Work: TypeAlias = Generator[Told | None, None, Told]
"""What takes its time: yields None to be asked again a moment later, or a line to send before the last one."""
Verb: TypeAlias = Callable[[Request, "Client"], Told | Work]

_log = Log("swak.control")


class Client:
    """One connection."""

    def __init__(self, sock: socket.socket, right: Right) -> None:
        self.sock = sock
        self.right = right
        self.given = bytearray()
        self.out = bytearray()
        self.working: dict[int, tuple[Any, Work]] = {}
        self.closing = False
        """Whether it is shut out as soon as it has its last line."""
        self.stalled_since: float | None = None
        self.ending = False
        """Whether the run is over: what never ends by itself ends now."""

    @property
    def has_room(self) -> bool:
        """Whether it reads what it is sent."""
        return len(self.out) < OUT_BYTES

    @property
    def is_heard(self) -> bool:
        """Whether anything more is taken from it now."""
        return self.has_room and not self.closing and len(self.working) < WORKING_MAX


class Server:
    """Listens on a Unix socket that only its owner may open, and does what clients ask for, verb by verb.

    With a `door`, who has a right comes in over TCP, too; without a `path`, nobody else.
    """

    def __init__(
        self, path: Path | None, verbs: Mapping[str, Verb], clock: Callable[[], float], door: Door | None = None
    ) -> None:
        self.path = path
        self._door = door
        self._verbs = verbs
        self._clock = clock
        self._clients: dict[int, Client] = {}
        self._selector = selectors.DefaultSelector()
        self._wake, self._woken = socket.socketpair()
        self._listener: socket.socket | None = None
        self._closing = False
        self._serial = 0
        self._thread = threading.Thread(target=self._run, name="swak:control", daemon=True)
        self._pause = threading.Event()

    def start(self) -> None:
        """Listen. OSError when the socket cannot be made. The name has to be ours: what is in its place is removed."""
        if self.path is not None:
            self._listener = _listening(self.path)
            self._selector.register(self._listener, selectors.EVENT_READ)
        for sock in (self._woken, self._wake):
            sock.setblocking(False)
        self._selector.register(self._woken, selectors.EVENT_READ)
        if self._door is not None:
            self._door.open(self._selector)
        self._thread.start()

    def close(self) -> None:
        """Let clients have what is under way for them, a moment long, then close."""
        self._closing = True
        self._pause.set()
        if self._thread.is_alive():
            self._wake.send(b"\0")
            self._thread.join(LINGER_S * 2)
        self._selector.close()
        for sock in (self._listener, self._wake, self._woken):
            if sock is not None:
                sock.close()
        if self._listener is not None and self.path is not None:
            self.path.unlink(missing_ok=True)

    # The thread

    def _run(self) -> None:
        thrift = Thrift(now_s=self._clock)
        until: float | None = None
        try:
            while until is None or (self._clock() < until and any(one.out or one.working for one in self._now())):
                if self._closing and until is None:
                    until = self._clock() + LINGER_S
                    if self._door is not None:
                        self._door.close()
                    for client in self._now():
                        client.ending = True
                self._round()
                if not self._closing:
                    self._pause.wait(thrift.rest_s())
        except Exception as error:  # noqa: BLE001 - the run must not end because nobody can look at it any more
            _log.error("control has ended; the run goes on", exc_info=error)
        finally:
            if self._door is not None:
                self._door.close()
            for client in self._now():
                self._drop(client)

    def _now(self) -> list[Client]:
        return list(self._clients.values())

    def _round(self) -> None:
        arrived = False
        for key, _ in self._selector.select(self._patience_s()):
            if key.fileobj is self._listener:
                self._accept()
            elif key.fileobj is self._woken:
                self._woken.recv(READ_BYTES)
            elif self._door is not None and key.data is self._door:
                arrived = arrived or self._door.listens_at(key.fileobj)
            else:
                self._guarded(key.data, self._receive)
        if self._door is not None and not self._closing:
            for one in self._door.step(arrived=arrived):
                self._let_in(one)
            self._look_again(self._door)
        for client in self._now():
            self._guarded(client, self._go_on)

    def _patience_s(self) -> float | None:
        """Return when it has to be looked at something again that nobody tells of."""
        busy = any(one.working or one.out for one in self._now()) or (self._door is not None and self._door.busy)
        if busy or self._closing:
            return TICK_S
        return LOOK_S if any(one.right.grant is not None for one in self._now()) else None

    def _guarded(self, client: Client, step: Callable[[Client], None]) -> None:
        try:
            step(client)
        except OSError:
            self._drop(client)  # it has gone
        except Exception as error:  # noqa: BLE001 - a bug with one client is no reason to leave the others
            _log.error("a control client is shut out", exc_info=error)
            self._drop(client)

    def _accept(self) -> None:
        assert self._listener is not None
        try:
            sock, _ = self._listener.accept()
        except OSError as error:  # gone before it was accepted, or no descriptors: it is tried again
            _log.warning("a control client cannot be accepted", error=error)
            self._pause.wait(TICK_S)
            return
        sock.setblocking(False)
        user = user_of(sock)
        if not may_control(user) or len(self._clients) >= CLIENTS_MAX:
            if may_control(user):
                with suppress(OSError):  # it need not hear why
                    sock.send(refusal(None, RequestError("busy", f"{CLIENTS_MAX} clients are connected already")))
            else:
                _log.warning("control is refused to another user", user=user)
            sock.close()
            return
        self._add(Client(sock, Right(f"user {user}, process {process_of(sock)}")))

    def _let_in(self, admitted: Admitted) -> None:
        """Serve somebody who has come over TCP and has shown a right."""
        client = Client(admitted.sock, admitted.right)
        client.given = admitted.given
        if sum(one.right.grant is not None for one in self._now()) >= REMOTE_MAX or len(self._clients) >= CLIENTS_MAX:
            client.out += refusal(None, RequestError("busy", f"{REMOTE_MAX} clients are connected over TCP already"))
            client.closing = True
        self._add(client)

    def _add(self, client: Client) -> None:
        self._clients[client.sock.fileno()] = client
        self._selector.register(client.sock, selectors.EVENT_READ, client)

    def _look_again(self, door: Door) -> None:
        """Hang up on those whose right has been taken away."""
        remote = [one for one in self._now() if one.right.grant is not None]
        for client in remote if remote and door.is_due(LOOK_S) else ():
            if not door.holds(client.right):
                _log.warning("control over TCP: a right was taken away", who=client.right.who)
                self._drop(client)

    def _receive(self, client: Client) -> None:
        part = receive(client.sock, READ_BYTES)
        if part == b"":
            self._drop(client)  # whatever is under way for it has nobody to go to
        client.given += part or b""

    def _go_on(self, client: Client) -> None:
        """Begin what it has asked for, go on with what is under way, send what there is."""
        if client.sock.fileno() < 0:
            return
        while client.is_heard and (line := _line_of(client)) is not None:
            self._begin(client, line)
        for serial, (number, work) in list(client.working.items()):
            if client.has_room or self._closing:
                self._advance(client, serial, number, work)
        self._send(client)
        if client.closing and not client.out:
            self._drop(client)
        elif client.sock.fileno() >= 0:
            heard = client.is_heard and len(client.given) <= REQUEST_BYTES
            self._listen_to(client, selectors.EVENT_READ if heard else 0)

    def _listen_to(self, client: Client, events: int) -> None:
        known = client.sock.fileno() in self._selector.get_map()
        if events and not known:
            self._selector.register(client.sock, events, client)
        elif known and not events:
            self._selector.unregister(client.sock)

    def _begin(self, client: Client, line: bytes) -> None:
        if len(line) > REQUEST_BYTES:
            client.closing = True
            error = RequestError("too-long", f"a request has at most {REQUEST_BYTES} bytes")
            client.out += refusal(None, error)
            return
        number = None
        try:
            request = read_request(line)
            number = request.id
            verb = self._verb(request)
            client.right.check(request.verb)
            if client.right.grant is not None and request.verb not in SEEN:
                _log.info("control over TCP", who=client.right.who, verb=request.verb)
            made = verb(request, client)
        except RequestError as error:
            client.out += refusal(id_of(error) if number is None else number, error)
            return
        if isinstance(made, dict):
            client.out += answer(number, made)
        else:
            self._serial += 1
            client.working[self._serial] = (number, made)

    def _verb(self, request: Request) -> Verb:
        verb = self._verbs.get(request.verb)
        if verb is None:
            known = ", ".join(sorted(self._verbs))
            raise RequestError("unknown-verb", f'there is no verb "{request.verb:.40}"; there are {known}')
        return verb

    def _advance(self, client: Client, serial: int, number: Any, work: Work) -> None:
        try:
            while client.has_room and (told := next(work)) is not None:
                client.out += encode({"id": number, **told})
            return
        except StopIteration as over:
            client.out += answer(number, over.value)
        except RequestError as error:
            client.out += refusal(number, error)
        client.working.pop(serial, None)

    def _send(self, client: Client) -> None:
        while client.out and (sent := send(client.sock, client.out)):
            del client.out[:sent]
            client.stalled_since = None
        if client.out:
            now = self._clock()
            client.stalled_since = now if client.stalled_since is None else client.stalled_since
            if now - client.stalled_since > STALL_S:
                _log.warning("a control client that does not read is shut out", waiting_bytes=len(client.out))
                self._drop(client)

    def _drop(self, client: Client) -> None:
        if client.sock.fileno() < 0:
            return
        self._clients.pop(client.sock.fileno(), None)
        if client.sock.fileno() in self._selector.get_map():
            self._selector.unregister(client.sock)
        for _, work in client.working.values():
            work.close()
        client.working.clear()
        client.sock.close()


def _listening(path: Path) -> socket.socket:
    """Return a socket that only its owner may open. OSError when it cannot be made."""
    private_folder(path.parent)
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(os.fspath(path))
        path.chmod(0o600)
        listener.listen(CLIENTS_MAX)
    except OSError:
        listener.close()
        raise
    listener.setblocking(False)
    return listener


def _line_of(client: Client) -> bytes | None:
    end = client.given.find(b"\n")
    if end < 0 and len(client.given) <= REQUEST_BYTES:
        return None
    line = bytes(client.given[: end if end >= 0 else None])
    del client.given[: end + 1 if end >= 0 else None]
    return line
