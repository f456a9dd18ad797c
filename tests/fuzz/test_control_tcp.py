"""Whatever comes over TCP, before or after somebody has shown a right, the agent and its flow go on."""

from __future__ import annotations

import json
import os
import random
import socket
import ssl
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from swak import in_, out, task
from swak.control import door as doors
from swak.control.protocol import REQUEST_BYTES
from swak.testing import Recorder
from tests.control.guarded import guard, remote
from tests.flows.waiting import until
from tests.fuzz.test_control import line_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.control.guarded import Remote
    from tests.servers.certificates import Certificates

ROUNDS = 120
RECORD = bytes([22, 3, 1])
"""How a handshake of TLS begins."""


def open_files() -> int:
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.exists() else 0


def noise(one: Remote, rng: random.Random) -> None:
    with one.raw() as sock:
        sock.sendall(rng.randbytes(rng.randrange(2_000)))
        _perhaps_read(sock, rng)


def tls_noise(one: Remote, rng: random.Random) -> None:
    with one.raw() as sock:
        size = rng.choice([0, 1, 300, 16_384, 65_535])
        sock.sendall(RECORD + size.to_bytes(2, "big") + rng.randbytes(min(size, rng.randrange(20_000))))
        _perhaps_read(sock, rng)


def broken_handshake(one: Remote, rng: random.Random) -> None:
    """Let a real client begin, and change or cut what it says."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    client = context.wrap_bio(incoming, outgoing)
    with suppress(ssl.SSLWantReadError):
        client.do_handshake()
    said = bytearray(outgoing.read())
    for _ in range(rng.randrange(1, 5)):
        said[rng.randrange(len(said))] = rng.randrange(256)
    with one.raw() as sock:
        sock.sendall(said[: rng.randrange(1, len(said) + 1)])
        _perhaps_read(sock, rng)


def half_first_line(one: Remote, rng: random.Random) -> None:
    with one.encrypted() as sock:
        line = json.dumps({"token": one.guard.operator}).encode()
        sock.sendall(line[: rng.randrange(len(line))])


def wrong_first_line(one: Remote, rng: random.Random) -> None:
    with one.encrypted() as sock:
        sock.settimeout(20)
        sock.sendall(rng.choice([line_of(rng), rng.randbytes(rng.randrange(1, 9_000)) + b"\n"]))
        with suppress(ConnectionError, ssl.SSLError):
            assert sock.recv(1) == b""


def known(one: Remote, rng: random.Random) -> None:
    """Have a right, and say nonsense."""
    token = rng.choice([one.guard.operator, one.guard.reader])
    with one.encrypted() as sock:
        sock.settimeout(20)
        sock.sendall(json.dumps({"token": token}).encode() + b"\n" + b"".join(line_of(rng) for _ in range(3)))
        if rng.random() < 0.5:
            told = sock.recv(65_536)
            assert not told or told.startswith(b'{"id":')


def known_and_endless(one: Remote, rng: random.Random) -> None:
    """Have a right, and never end a line."""
    with one.encrypted() as sock, suppress(OSError):
        sock.settimeout(20)
        sock.sendall(json.dumps({"token": one.guard.reader}).encode() + b"\n")
        sock.sendall(b"x" * (REQUEST_BYTES + 1 + rng.randrange(100)))
        assert b"too-long" in sock.recv(1_000)


def known_and_broken(one: Remote, rng: random.Random) -> None:
    """Have a right, and break the encryption under it."""
    with one.encrypted() as sock:
        sock.sendall(json.dumps({"token": one.guard.reader}).encode() + b"\n" + line_of(rng))
        raw = socket.socket(fileno=os.dup(sock.fileno()))
        with raw, suppress(OSError):
            raw.sendall(rng.randbytes(rng.randrange(1, 500)))


WAYS: list[Callable[[Remote, random.Random], None]] = [noise, tls_noise, broken_handshake, half_first_line]
WAYS += [wrong_first_line, known, known_and_endless, known_and_broken]


def _perhaps_read(sock: socket.socket, rng: random.Random) -> None:
    if rng.random() < 0.3:
        sock.settimeout(0.02)
        with suppress(OSError):
            sock.recv(1_000)


@pytest.mark.skipif(sys.platform == "win32", reason="looks at descriptors")
@pytest.mark.parametrize("seed", range(3))
def test_nothing_that_comes_over_tcp_harms_the_flow(
    tmp_path: Path, certificates: Certificates, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(doors, "ARRIVALS_A_SECOND", 1e6)
    monkeypatch.setattr(doors, "ARRIVALS_AT_ONCE", 1e6)
    rng = random.Random(seed)
    source, sink = in_.Memory(follow=True), Recorder()
    made = guard(tmp_path, certificates)
    with remote(made, task(source, out.Drop("n == 0"), sink, name="t")) as one:
        with one.connect(made.operator) as connection:
            connection.ask("status")
        files, threads = open_files(), threading.active_count()
        for number in range(ROUNDS):
            with suppress(BrokenPipeError, ConnectionError, ssl.SSLError):
                WAYS[number % len(WAYS)](one, rng)
            source.feed({"n": number + 1, "own": True})
        with one.connect(made.operator) as connection:
            for post in one.run.crew.posts:
                connection.ask("resume", stage=post.name)
            assert connection.ask("hello")["ok"]
        until(lambda: open_files() <= files, lambda: f"{files} files, now {open_files()}")
        until(lambda: threading.active_count() <= threads, lambda: str(threading.enumerate()))
        source.end()
        assert one.run.wait(30)
        assert one.run.receipt().failed == ()
    assert [record["n"] for record in sink.records if record.get("own")] == list(range(1, ROUNDS + 1))
