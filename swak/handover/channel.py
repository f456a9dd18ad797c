"""What the old process and the new one say to each other: lines of JSON over a socket pair, and sockets along them."""

from __future__ import annotations

import json
import socket
import time
from typing import Any

from swak.sockets.kept import Carried, Entry, Keep

VERSION = 1
"""Of what is said here. A new process that speaks another one is not handed anything."""
LINE_BYTES = 1024 * 1024
REST_BYTES = 1024 * 1024 * 1024
"""What may have come of one connection and not be handed out: more than any input keeps."""
MOVE_S = 10.0
"""How long the other side may take or give nothing while sockets are on their way."""


class Parted(Exception):  # noqa: N818 - what has happened, not a mistake of ours
    """The other side has ended, or says nothing for too long, or nothing that makes sense."""

    def __init__(self, why: str, *, ended: bool = False) -> None:
        super().__init__(why)
        self.ended = ended
        """Whether it has closed its end: it is no more, or wants no more of us."""


class Channel:
    """One end. Every wait has an end; whatever goes wrong is `Parted`."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        sock.set_inheritable(False)

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._sock.fileno()

    def close(self) -> None:
        """Say no more."""
        self._sock.close()

    # Words

    def say(self, word: str, **fields: Any) -> None:
        """Say a word."""
        self._send(json.dumps({"word": word, **fields}).encode() + b"\n", ())

    def hear(self, within_s: float | None, wanted: str = "") -> dict[str, Any]:
        """Return what the other side says next; another word than the one that is `wanted` is Parted."""
        deadline = None if within_s is None else time.monotonic() + within_s
        line = bytearray()
        while not line.endswith(b"\n"):
            if len(line) > LINE_BYTES:
                raise Parted("it says something without an end")
            line += self._receive(1, deadline)[0]
        try:
            told = json.loads(line)
        except ValueError as error:
            raise Parted(f"it says {bytes(line[:80])!r}") from error
        if not isinstance(told, dict) or (wanted and told.get("word") != wanted):
            raise Parted(f"it says {bytes(line[:200])!r} where {wanted!r} should come")
        return told

    # Sockets

    def give(self, keep: Keep) -> None:
        """Send all that is kept. We keep it, too."""
        for entry in keep.entries():
            about = {"stage": entry.stage, "address": entry.address, "state": entry.state}
            self._give("listening", about, entry.sock)
            for one in entry.carried:
                sizes = {"rest": len(one.rest), "out": len(one.out)}
                self._give("connection", {"peer": one.peer, "state": one.state, **sizes}, one.sock)
                self._send(one.rest, ())
                self._send(one.out, ())
        self.say("all")

    def take(self, keep: Keep, first_s: float | None = MOVE_S) -> int:
        """Keep all that the other side gives. Return how many connections there were. The first may take `first_s`."""
        entry: Entry | None = None
        count = 0
        told = self.hear(first_s)
        try:
            while told["word"] != "all":
                state = dict(told["state"])
                if told["word"] == "listening":
                    protocol, host, port = told["address"]
                    at = str(protocol), str(host), int(port)
                    entry = keep.put(str(told["stage"]), at, self._socket(), state)
                elif entry is None:
                    raise Parted("a connection comes before its listening socket")
                else:
                    peer, rest, out = str(told["peer"]), int(told["rest"]), int(told["out"])
                    entry.carried.append(Carried(self._socket(), peer, state=state))
                    entry.carried[-1] = entry.carried[-1]._replace(rest=self._bytes(rest), out=self._bytes(out))
                    count += 1
                told = self.hear(MOVE_S)
        except (KeyError, TypeError, ValueError) as error:
            raise Parted(f"what it gives makes no sense: {error!r}") from error
        return count

    def _give(self, word: str, about: dict[str, Any], sock: socket.socket) -> None:
        self.say(word, **about)
        self._send(b"\0", (sock.fileno(),))

    def _socket(self) -> socket.socket:
        _, descriptors = self._receive(1, time.monotonic() + MOVE_S, fds=1)
        if len(descriptors) != 1:
            raise Parted("a socket has not come")
        sock = socket.socket(fileno=descriptors[0])
        sock.set_inheritable(False)
        sock.setblocking(False)
        return sock

    def _bytes(self, size: int) -> bytes:
        if not 0 <= size <= REST_BYTES:
            raise Parted(f"{size} bytes of one connection")
        data = bytearray()
        while len(data) < size:
            data += self._receive(min(size - len(data), 1 << 20), time.monotonic() + MOVE_S)[0]
        return bytes(data)

    # Bytes

    def _receive(self, size: int, deadline: float | None, fds: int = 0) -> tuple[bytes, list[int]]:
        try:
            self._sock.settimeout(None if deadline is None else max(0.001, deadline - time.monotonic()))
            if fds:
                data, descriptors, _, _ = socket.recv_fds(self._sock, size, fds)
            else:
                data, descriptors = self._sock.recv(size), []
        except TimeoutError as error:
            raise Parted("it says nothing for too long") from error
        except OSError as error:
            raise Parted(f"it cannot be heard: {error}", ended=True) from error
        if not data:
            raise Parted("it has ended", ended=True)
        return data, descriptors

    def _send(self, data: bytes, descriptors: tuple[int, ...]) -> None:
        try:
            self._sock.settimeout(MOVE_S)
            if descriptors:
                socket.send_fds(self._sock, [data], list(descriptors))
            view = memoryview(b"" if descriptors else data)
            while view:
                view = view[self._sock.send(view[: 1 << 20]) :]
        except OSError as error:
            raise Parted(f"it takes nothing: {error}", ended=not isinstance(error, TimeoutError)) from error
