"""Whatever senders say over HTTP: the input lives, answers or hangs up, holds little, and loses nothing it took.

SWAK_LONG=1 looks for new requests for five minutes (SWAK_FUZZ_S says how long).
"""

from __future__ import annotations

import gzip
import json
import os
import re
import socket
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from swak.plugins.inputs.http import Http
from swak.testing import FakeClock
from tests.flows.waiting import WAIT_S

if TYPE_CHECKING:
    from collections.abc import Iterator

LONG = os.environ.get("SWAK_LONG") == "1"
LONG_S = float(os.environ.get("SWAK_FUZZ_S", "300"))
MAX_BODY = 4_096
HELD_BYTES_MAX = 64 * 1024
PAUSE_LOOKS = 40
"""So many looks at a server that does nothing any more, before the next piece is sent."""


def request(body: bytes, *fields: str, line: str = "POST / HTTP/1.1") -> bytes:
    return "\r\n".join([line, "Host: a", *fields, f"Content-Length: {len(body)}", "", ""]).encode() + body


def chunked(body: bytes, size: int) -> bytes:
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunks = b"".join([b"%x\r\n%b\r\n" % (len(one), one) for one in pieces])
    return b"%b%b0\r\n\r\n" % (head, chunks)


RECORDS = st.lists(st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=5), max_size=3), max_size=5)
LINES = RECORDS.map(lambda records: b"".join([json.dumps(one).encode() + b"\n" for one in records]))
BODIES = (
    LINES | RECORDS.map(lambda records: json.dumps(records).encode()) | st.binary(max_size=40) | st.just(b"[" * 3_000)
)
WHOLE = st.one_of(
    BODIES.map(request),
    st.builds(chunked, BODIES, st.integers(1, 20)),
    BODIES.map(lambda body: request(gzip.compress(body), "Content-Encoding: gzip")),
    BODIES.map(lambda body: request(gzip.compress(body)[:-5], "Content-Encoding: gzip")),
    BODIES.map(lambda body: request(body, "Expect: 100-continue")),
    BODIES.map(lambda body: request(body, line="POST / HTTP/1.0")),
    st.just(request(gzip.compress(b"\0" * 1_000_000), "Content-Encoding: gzip")),
    st.just(request(b"", line="GET /health HTTP/1.1")),
    st.just(request(b"", line="HEAD /health HTTP/1.1")),
)
JUNK = st.binary(max_size=30) | st.sampled_from(
    [b"\r\n", b"POST / HTTP/1.1\r\n", b"Content-Length: 9\r\n", b"Transfer-Encoding: chunked\r\n", b"0\r\n\r\n", b"{}"]
)


@st.composite
def spoilt(draw: st.DrawFn) -> bytes:
    """Return a request with some bytes cut out, or others put in."""
    data: bytes = draw(WHOLE)
    junk: bytes = draw(JUNK)
    start = draw(st.integers(0, len(data)))
    stop = start + draw(st.integers(0, 6))
    return data[:start] + junk + data[stop:]


TALKS = st.lists(WHOLE | spoilt() | JUNK, max_size=6).map(b"".join)
CUTS = st.lists(st.integers(1, 300), max_size=6)


class Site:
    """An input that is stepped by hand, and what came out of it."""

    def __init__(self) -> None:
        self.plugin = Http(0, max_body=MAX_BODY, memory=4 * MAX_BODY, host_field=None, time_field=None)
        self.plugin.clock = FakeClock()
        self.plugin.wait_s = 0.0
        self.plugin.open()
        self.taken = 0

    def step(self) -> None:
        """Let the input work once; whatever it gives is settled at once."""
        for chunk in self.plugin.read() or []:
            assert chunk.told is not None
            self.taken += chunk.body.count
            chunk.told()
        assert self.plugin._http.held_bytes <= 4 * MAX_BODY
        for connection in self.plugin._server.connections if self.plugin._server else []:
            assert len(connection.out) <= HELD_BYTES_MAX

    def say(self, data: bytes, cuts: list[int]) -> bytes:
        """Send in pieces, and then no more; return all that is said until the connection ends."""
        assert self.plugin.address is not None
        heard = b""
        with socket.create_connection(self.plugin.address, timeout=WAIT_S) as sock:
            sock.setblocking(False)
            for piece in [*pieces(data, cuts), b""]:
                try:
                    sock.sendall(piece) if piece else sock.shutdown(socket.SHUT_WR)
                except OSError:
                    break  # it was hung up on, and reads what it was told
                for _ in range(3):
                    self.step()
                heard += read_some(sock) or b""
            return heard + self._rest(sock)

    def _rest(self, sock: socket.socket) -> bytes:
        heard, ends_at = b"", time.monotonic() + WAIT_S
        while time.monotonic() < ends_at:
            self.step()
            more = read_some(sock)
            if more == b"":
                return heard
            heard += more or b""
        raise AssertionError("the connection does not end")


def pieces(data: bytes, cuts: list[int]) -> Iterator[bytes]:
    for size in cuts:
        if data[:size]:
            yield data[:size]
        data = data[size:]
    if data:
        yield data


def read_some(sock: socket.socket) -> bytes | None:
    """Return what has come, b"" at the end, None for nothing."""
    try:
        return sock.recv(65_536)
    except BlockingIOError:
        return None
    except OSError:
        return b""  # a reset is an end, too


@contextmanager
def opened() -> Iterator[Site]:
    site = Site()
    try:
        yield site
    finally:
        site.plugin.close()


def promised(heard: bytes) -> int:
    """Return how many events the answers say were delivered."""
    return sum([int(count) for count in re.findall(rb'\{"events": (\d+)\}', heard)])


def accepts(site: Site) -> bool:
    """Tell whether an ordinary sender is served."""
    before = site.taken
    heard = site.say(request(b"{}"), [])
    return heard.startswith(b"HTTP/1.1 200 ") and site.taken == before + 1


LIMITS: dict[str, Any] = {
    "max_examples": 500 if LONG else 150,
    "derandomize": not LONG,  # the same requests for everybody; SWAK_LONG=1 takes new ones
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
    "database": None,
}


@pytest.mark.timeout(2 * LONG_S + 60)
def test_whatever_is_said_what_is_promised_was_taken_and_others_are_served() -> None:
    with opened() as site:

        @settings(**LIMITS)
        @given(TALKS, CUTS)
        @example(b"HEAD / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n", [])
        @example(request(b"{}") * 3 + chunked(b"{}\n{}", 2), [5, 1, 1])
        def attack(data: bytes, cuts: list[int]) -> None:
            before = site.taken
            heard = site.say(data, cuts)
            assert promised(heard) <= site.taken - before
            assert heard == b"" or heard.startswith(b"HTTP/1.1 ")

        ends_at = time.monotonic() + LONG_S
        attack()
        while LONG and time.monotonic() < ends_at:
            attack()
        assert accepts(site)
        for _ in range(PAUSE_LOOKS):
            site.step()
        assert site.plugin._http.held_bytes == 0
        assert not site.plugin._server or site.plugin._server.connections == []


@given(st.lists(BODIES.map(request) | st.builds(chunked, BODIES, st.integers(1, 20)), max_size=5), CUTS)
@settings(**LIMITS)
def test_all_requests_of_a_connection_are_answered_in_order_and_each_is_taken_whole_or_not(
    requests: list[bytes], cuts: list[int]
) -> None:
    with opened() as site:
        alone = [site.say(one, []) for one in requests]
        wanted = [(re.findall(rb"^HTTP/1.1 (\d+) ", heard), promised(heard)) for heard in alone]
        before = site.taken
        heard = site.say(b"".join(requests), cuts)
        seen = re.findall(rb"HTTP/1.1 (\d+) ", heard)
        ended = next((at for at, one in enumerate(alone) if b"onnection: close" in one), len(alone)) + 1
        assert seen == [status for statuses, _ in wanted[:ended] for status in statuses]
        assert promised(heard) == site.taken - before == sum([count for _, count in wanted[:ended]])
