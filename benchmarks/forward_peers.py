"""Who stands at the other end in `benchmarks.forward`: `python -m benchmarks.forward_peers ROLE ...`.

sink FILE            a stand-in for a receiver that only acks: it prints its port, takes one connection, writes the
                     entries of all chunks to FILE, one after the other, and acks each chunk at once
send PORT FILE ACKS  sends FILE, which holds frames, and ends when so many acks have come
copy-in FILE         a plain socket copy: it prints its port, and what one connection brings goes to FILE
copy-out PORT FILE   sends FILE
"""

from __future__ import annotations

import socket
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import msgpack  # type: ignore[import-untyped]  # it has no types

if TYPE_CHECKING:
    from collections.abc import Iterator

PIECE_BYTES = 256 * 1024


def accepted() -> socket.socket:
    """Print the port of a new listener and return its first connection that says something."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        return listener.accept()[0]


def received(sock: socket.socket) -> Iterator[memoryview]:
    """Give what comes, piece by piece, in one buffer."""
    buffer = memoryview(bytearray(PIECE_BYTES))
    while count := sock.recv_into(buffer):
        yield buffer[:count]


def sink(path: Path) -> None:
    """Store and ack. Nothing is decoded but the frames around the entries."""
    unpacker = msgpack.Unpacker(max_buffer_size=2**30)
    with accepted() as sock, path.open("wb") as out:
        for piece in received(sock):
            unpacker.feed(piece)
            for _, entries, option in unpacker:
                out.write(entries)
                sock.sendall(msgpack.packb({"ack": option["chunk"]}))


def send(port: int, path: Path, acks: int) -> None:
    """Send frames; acks are read meanwhile."""
    with socket.create_connection(("127.0.0.1", port)) as sock, path.open("rb") as frames:
        sending = threading.Thread(target=sock.sendfile, args=(frames,))
        sending.start()
        unpacker = msgpack.Unpacker()
        seen = 0
        while seen < acks:
            said = sock.recv(PIECE_BYTES)
            if not said:
                sys.exit(f"{seen} of {acks} acks came")
            unpacker.feed(said)
            seen += sum(1 for _ in unpacker)
        sending.join()


def copy_in(path: Path) -> None:
    """Write what comes."""
    with accepted() as sock, path.open("wb", buffering=0) as out:
        for piece in received(sock):
            out.write(piece)


def copy_out(port: int, path: Path) -> None:
    """Send a file, through this process as an agent has to."""
    with socket.create_connection(("127.0.0.1", port)) as sock, path.open("rb", buffering=0) as source:
        buffer = memoryview(bytearray(PIECE_BYTES))
        while count := source.readinto(buffer):
            sock.sendall(buffer[:count])


def main(role: str, *given: str) -> None:
    """Play a role."""
    if role == "sink":
        sink(Path(given[0]))
    elif role == "send":
        send(int(given[0]), Path(given[1]), int(given[2]))
    elif role == "copy-in":
        copy_in(Path(given[0]))
    elif role == "copy-out":
        copy_out(int(given[0]), Path(given[1]))
    else:
        sys.exit(f"there is no role {role}")


if __name__ == "__main__":
    main(*sys.argv[1:])
