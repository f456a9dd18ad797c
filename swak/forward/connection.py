"""One sender that is connected: its handshakes, its frames, and the acks on their way back. Never blocks."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from swak.forward.decoder import Decoder
from swak.forward.faults import ProtocolError
from swak.forward.frames import ack
from swak.forward.handshake import HandshakeError, Keeper
from swak.forward.tls import RECEIVE_BYTES, is_tls, receive, send, waits

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from swak.forward.decoder import Incoming
    from swak.forward.handshake import Lock

PING_BYTES = 8 * 1024
"""What a sender may say before it has shown that it knows the key."""
BUSY_BYTES = 256 * 1024
"""What is received at a time of a sender who filled RECEIVE_BYTES: a call for more costs little more."""
OUT_BYTES = 64 * 1024
"""Answers that may wait for a sender to read them, beside what the kernel keeps: more than a thousand acks."""
RATE_BYTES = 16 * 1024
"""What a chunk on its way must come in at, in bytes a second, after its first `timeout_s`."""


class Closed(Exception):  # noqa: N818 - the ordinary end of a connection
    """The connection is over. `reason` is empty where nothing is wrong with that; `detail` says more."""

    def __init__(self, reason: str = "", detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


class Promise:
    """A chunk that is to be acked when all of its parts are settled."""

    __slots__ = ("chunk_id", "connection", "is_repeat", "key", "made", "open", "repeats", "safe", "whole")

    def __init__(self, connection: Connection, chunk_id: str) -> None:
        self.connection = connection
        self.chunk_id = chunk_id
        self.open: set[int] = set()
        self.made = 0
        self.whole = False
        self.key = b""
        """By which it is known when it comes again."""
        self.is_repeat = self.safe = False
        """Whether its events are those of an earlier chunk and not taken, and whether they are all settled."""
        self.repeats: list[Promise] = []
        """Repeats that wait for it."""

    def part(self, *, last: bool) -> int:
        """Note one more part and return its number."""
        self.made += 1
        self.open.add(self.made)
        self.whole = last
        return self.made

    def settle(self, number: int) -> bool:
        """Cross a part out; return whether the chunk can be acked now. May be repeated."""
        if number not in self.open:
            return False
        self.open.remove(number)
        return self.whole and not self.open


class Connection:
    """A socket that does not block, and what is under way on it. Times are seconds of the server's clock."""

    __slots__ = (
        "_ask_bytes", "_begun_at", "_decoder", "_early", "_got_bytes", "_heard_at", "_held_at", "_keeper", "_out",
        "_shaking", "counted_bytes", "ended", "mask", "owed", "peer", "since", "sock", "wants_write",
    )  # fmt: skip

    def __init__(self, sock: socket.socket, peer: str, lock: Lock | None, frame_bytes_max: int, now: float) -> None:
        self.sock = sock
        self.peer = peer
        self.since = now
        self.ended = False
        """Whether the sender says nothing any more."""
        self.owed = 0
        """Chunks that are still to be acked."""
        self.wants_write = False
        """Whether to go on as soon as there is room to write."""
        self.mask = 0
        """What the server waits for on the socket."""
        self.counted_bytes = 0
        """What the server has counted of `held_bytes`."""
        self._keeper = None if lock is None else Keeper(lock)
        self._shaking = is_tls(sock)
        self._decoder = Decoder(frame_bytes_max)
        self._early = b""
        self._out = bytearray()
        self._begun_at: float | None = None
        self._heard_at = now
        self._held_at: float | None = None
        self._got_bytes = 0
        self._ask_bytes = RECEIVE_BYTES

    @property
    def held_bytes(self) -> int:
        """Bytes of a chunk that is not complete."""
        return self._decoder.held_bytes

    @property
    def rest(self) -> bytes | None:
        """What has come of a chunk that is not complete; None where no other process can go on with the connection.

        TLS and a handshake that is under way cannot be taken along, and an ack that is owed is nobody else's.
        """
        if self.ended or self.owed or self._keeper is not None or is_tls(self.sock):
            return None
        return self._decoder.held

    @property
    def out(self) -> bytes:
        """What is still to be sent."""
        return bytes(self._out)

    def go_on_with(self, rest: bytes, out: bytes, now: float) -> None:
        """Begin where a predecessor has stopped, whose sender was let in. Closed: that makes no sense."""
        self._keeper = None
        self._out += out
        self.wants_write = bool(out)
        for _ in self.feed(rest, now) if rest else ():
            raise Closed("no forward protocol", "the rest of a chunk is more than a rest")

    @property
    def begun_at(self) -> float | None:
        """When the chunk that is on its way began, or the handshake that is not over."""
        return self.since if self._shaking or self._keeper is not None else self._begun_at

    def begin(self) -> None:
        """Speak first, where that is due. Closed: it cannot be spoken with."""
        if not self._shaking and self._keeper is not None:
            self.send(self._keeper.helo())

    def receive(self) -> tuple[bytes, bool]:
        """Return bytes of frames, and whether there may be more at once. Closed: the connection is over.

        The end of what the sender says is no end yet when it waits for acks: see `ended`.
        """
        self.wants_write = bool(self._out)
        if self._shaking and not self._shake():
            return b"", False
        data = self._receive()
        if data is None:
            return b"", False
        if not data:
            self.ended = True
            if self.held_bytes or self._early:
                raise Closed("ended in the middle of a chunk", f"{self.held_bytes} bytes of it have come")
            return b"", False
        return (data if self._keeper is None else self._admit(data, self._keeper)), is_tls(self.sock)

    def _receive(self) -> bytes | None:
        try:
            data = receive(self.sock, self._ask_bytes)
        except OSError as error:
            raise Closed(*self._broken(error)) from error
        self._ask_bytes = BUSY_BYTES if data and len(data) >= RECEIVE_BYTES else RECEIVE_BYTES
        return data

    def _broken(self, error: OSError) -> tuple[str, str]:
        return ("ended in the middle of a chunk", str(error)) if self.held_bytes else ("", str(error))

    def feed(self, data: bytes, now: float) -> Iterator[Incoming]:
        """Give the events of frames that are complete now. Closed: this is not the protocol."""
        try:
            yield from self._decoder.feed(data)
        except ProtocolError as error:
            raise Closed("no forward protocol", str(error)) from error
        self._heard_at = now
        if not self.held_bytes:
            self._begun_at = None
        elif self._begun_at is None or len(data) >= self.held_bytes:
            self._begun_at, self._got_bytes = now, self.held_bytes
        else:
            self._got_bytes += len(data)

    def hold(self, now: float) -> None:
        """Note that nothing is read for a while, which is not the sender's fault."""
        self._held_at = now

    def go_on(self, now: float) -> None:
        """Note that it is read again."""
        if self._held_at is not None:
            self._heard_at += now - self._held_at
            self._begun_at = None if self._begun_at is None else self._begun_at + now - self._held_at
            self._held_at = None

    def late(self, now: float, timeout_s: float) -> str:
        """Tell for what the sender takes too long, if it does."""
        if self._held_at is not None:
            return ""
        if self._shaking or self._keeper is not None:
            return "handshake took too long" if now - self.since > timeout_s else ""
        if self._begun_at is None:
            return ""
        slow = now - self._begun_at > timeout_s + self._got_bytes / RATE_BYTES
        return "chunk took too long" if slow or now - self._heard_at > timeout_s else ""

    def promise(self, chunk_id: str) -> Promise:
        """Note that a chunk is to be acked."""
        self.owed += 1
        return Promise(self, chunk_id)

    def keep(self, promise: Promise) -> None:
        """Ack a chunk."""
        self.owed -= 1
        self.send(ack(promise.chunk_id))

    def send(self, data: bytes) -> None:
        """Send, or keep what there is no room for. Closed: the sender is gone, or never reads."""
        self._out += data
        if len(self._out) > OUT_BYTES:
            raise Closed("does not read its acks")
        self.flush()

    def flush(self) -> None:
        """Send what waits."""
        try:
            while self._out and (count := send(self.sock, self._out)):
                del self._out[:count]
        except OSError as error:
            raise Closed(*self._broken(error)) from error
        self.wants_write = bool(self._out)

    def part(self) -> None:
        """Tell a peer over TLS that this is the end, and no attack."""
        if is_tls(self.sock) and not self._shaking:
            with suppress(OSError, ValueError):  # it would wait for the answer, or the peer is gone
                self.sock.unwrap()  # type: ignore[attr-defined]  # a socket of TLS has it

    @property
    def idle(self) -> bool:
        """Whether nothing is left to be sent, now or later."""
        return not (self.owed or self._out)

    def _shake(self) -> bool:
        """Go on with the handshake of TLS; return whether it is over."""
        try:
            self.sock.do_handshake()  # type: ignore[attr-defined]  # a socket of TLS has it
        except OSError as error:
            wanted = waits(error)
            if not wanted:
                why = getattr(error, "reason", "") or str(error)
                raise Closed("no TLS", str(why)) from error
            self.wants_write = wanted == "write"
            return False
        self._shaking = False
        self.begin()
        return True

    def _admit(self, data: bytes, keeper: Keeper) -> bytes:
        """Look at what comes before the sender is let in, and return what follows."""
        import msgpack  # type: ignore[import-untyped]  # noqa: PLC0415 - loaded when a plugin opens; it has no types

        self._early += data
        unpacker = msgpack.Unpacker(read_size=len(self._early), max_buffer_size=len(self._early))
        unpacker.feed(self._early)
        try:
            ping: Any = unpacker.unpack()
            pong = keeper.answer(ping)
        except msgpack.OutOfData:
            if len(self._early) > PING_BYTES:
                raise Closed("no shared key", "it says too much before its PING") from None
            return b""
        except HandshakeError as error:
            self.send(keeper.refusal(str(error)))
            raise Closed("no shared key", str(error)) from error
        except (ValueError, TypeError, msgpack.exceptions.UnpackException) as error:
            raise Closed("no shared key", f"no forward protocol: {error or type(error).__name__}") from error
        rest = self._early[unpacker.tell() :]
        self._keeper, self._early = None, b""
        self.send(pong)
        return rest
