"""A stand-in for a Fluentd server, as a process of its own: `forward_server.py PORT FILE [MODE]`.

It shares no code with swak: msgpack's own Unpacker reads what was sent. Each chunk's events are appended to FILE as
JSON lines and synced before the chunk is acked. It prints its port when it listens. MODE, for misbehaviour:

never-ack       stores nothing and never acks
wrong-ack       acks an id that was not sent
drop-first-ack  stores the first chunk of all and closes the connection instead of acking it
no-read         takes connections and never reads
close-idle      closes each connection after its first ack
hello           asks for a shared key, as a server with security does
"""

from __future__ import annotations

import json
import os
import socket
import struct
import sys
import threading
from pathlib import Path
from typing import Any

import msgpack  # type: ignore[import-untyped]  # it has no types


class Store:
    """The file that received events go to."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        # A predecessor that was killed inside its write left half a line, of a chunk that it never acked.
        os.ftruncate(self._fd, path.read_bytes().rfind(b"\n") + 1)
        self._lock = threading.Lock()
        self.chunks = 0

    def add(self, tag: str, entries: list[Any]) -> int:
        lines = [
            json.dumps({"tag": tag, "time_ns": time_ns(time), "record": shown(record)}) for time, record in entries
        ]
        with self._lock:
            os.write(self._fd, "".join(f"{line}\n" for line in lines).encode())
            os.fsync(self._fd)
            self.chunks += 1
            return self.chunks


def time_ns(time: Any) -> int:
    if isinstance(time, msgpack.ExtType):
        assert time.code == 0, time
        seconds, nanoseconds = struct.unpack(">II", time.data)
        return int(seconds) * 1_000_000_000 + int(nanoseconds)
    return int(time) * 1_000_000_000


def shown(value: Any) -> Any:
    """Make bytes visible in JSON."""
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if isinstance(value, dict):
        return {key: shown(one) for key, one in value.items()}
    return [shown(one) for one in value] if isinstance(value, list) else value


def serve(connection: socket.socket, store: Store, mode: str) -> None:
    if mode == "hello":
        connection.sendall(msgpack.packb(["HELO", {"nonce": b"x", "auth": b"", "keepalive": True}]))
    unpacker = msgpack.Unpacker(max_buffer_size=64 * 1024 * 1024)
    while mode != "no-read" and (data := connection.recv(256 * 1024)):
        unpacker.feed(data)
        for tag, packed, option in unpacker:
            assert isinstance(packed, bytes), "swak sends packed chunks"
            inner = msgpack.Unpacker(max_buffer_size=len(packed))
            inner.feed(packed)
            entries = list(inner)
            assert len(entries) == option["size"], (len(entries), option)
            if mode in ("never-ack", "hello"):
                continue
            number = store.add(tag, entries)
            if mode == "drop-first-ack" and number == 1:
                connection.close()
                return
            chunk = "bm90IHlvdXJz" if mode == "wrong-ack" else option["chunk"]
            connection.sendall(msgpack.packb({"ack": chunk}))
            if mode == "close-idle":
                connection.close()
                return
    if mode == "no-read":
        threading.Event().wait()


def main() -> None:
    port, path, mode = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else ""
    store = Store(path)
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen()
    print(listener.getsockname()[1], flush=True)  # noqa: T201 - how the port is told
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(connection, store, mode), daemon=True).start()


if __name__ == "__main__":
    main()
