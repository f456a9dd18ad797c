"""What stands beside an agent that is measured, each in a process of its own: `python -m swak.bench.roles ROLE ...`.

match FILE           reads blocks and matches every line with the pattern that `out.Nginx()` uses, takes the groups, and
                     does nothing with them: the least that parsing costs in Python
sink FILE            stands in for a receiver that only acks: it prints its port, takes one connection, writes the
                     entries of all chunks to FILE, one after the other, and acks each chunk at once
send PORT FILE ACKS  sends FILE, which holds frames, and ends when so many acks have come
copy-in FILE         a plain socket copy: it prints its port, and what one connection brings goes to FILE
copy-out PORT FILE   sends FILE
write RATE LINES SECONDS FILE...
                     appends lines that carry the time, so many a second, so many a write
"""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PIECE_BYTES = 256 * 1024
PADDING = b" GET /articles/127.html HTTP/1.1 200 5647 some more text, so that a line is about as long as a real one\n"


def match(path: Path) -> None:
    """Match every line of the file; exit code 1 when one does not match."""
    from swak.plugins.filters.nginx import Nginx  # noqa: PLC0415 - the other roles need no plugin

    plugin = Nginx()
    plugin.open()
    rest, find, groups = b"", None, None
    with path.open("rb", buffering=0) as file:
        while block := file.read(PIECE_BYTES):
            whole, _, rest = (rest + block).rpartition(b"\n")
            lines = whole.decode("utf-8", "replace").split("\n")
            if find is None or groups is None:
                first = plugin.choose(lines[0], alone=False, escaped=False)[0]
                find, groups = first.find, first.groups
            for line in lines:
                found = find(line)
                if found is None:
                    sys.exit(f"no match: {line}")
                groups(found)


def accepted() -> socket.socket:
    """Print the port of a new listener and return its first connection that says something."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sys.stdout.write(f"port={listener.getsockname()[1]}\n")
        sys.stdout.flush()
        return listener.accept()[0]


def received(sock: socket.socket) -> Iterator[memoryview]:
    """Give what comes, piece by piece, in one buffer."""
    buffer = memoryview(bytearray(PIECE_BYTES))
    while count := sock.recv_into(buffer):
        yield buffer[:count]


def sink(path: Path) -> None:
    """Store and ack. Nothing is decoded but the frames around the entries."""
    import msgpack  # type: ignore[import-untyped]  # noqa: PLC0415 - it has no types; the other roles do without

    unpacker = msgpack.Unpacker(max_buffer_size=2**30)
    with accepted() as sock, path.open("wb") as out:
        for piece in received(sock):
            unpacker.feed(piece)
            for _, entries, option in unpacker:
                out.write(entries)
                sock.sendall(msgpack.packb({"ack": option["chunk"]}))


def send(port: int, path: Path, acks: int) -> None:
    """Send frames; acks are read meanwhile."""
    import msgpack  # noqa: PLC0415 - the other roles do without

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


def write(paths: Sequence[Path], lines_per_s: float, lines_per_write: int, seconds: float) -> int:
    """Append to the files in turn, at an even pace. Return how many lines were written.

    Every line begins with the time of its write, in nanoseconds since 1970.
    """
    descriptors = [os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600) for path in paths]
    turns, pause = cycle(descriptors), threading.Event()
    pause_s = lines_per_write / lines_per_s
    writes = max(1, round(seconds / pause_s))
    due = time.monotonic()
    try:
        for _ in range(writes):
            os.write(next(turns), (b"%d" % time.time_ns() + PADDING) * lines_per_write)
            due += pause_s
            pause.wait(max(0.0, due - time.monotonic()))
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
    return writes * lines_per_write


def main(role: str, *given: str) -> None:
    """Play a role."""
    if role == "match":
        match(Path(given[0]))
    elif role == "sink":
        sink(Path(given[0]))
    elif role == "send":
        send(int(given[0]), Path(given[1]), int(given[2]))
    elif role == "copy-in":
        copy_in(Path(given[0]))
    elif role == "copy-out":
        copy_out(int(given[0]), Path(given[1]))
    elif role == "write":
        written = write([Path(path) for path in given[3:]], float(given[0]), int(given[1]), float(given[2]))
        sys.stdout.write(f"{written}\n")
    else:
        sys.exit(f"there is no role {role}")


if __name__ == "__main__":
    main(*sys.argv[1:])
