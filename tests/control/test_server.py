from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from swak.background.places import socket_path
from swak.control.protocol import REQUEST_BYTES, Request
from swak.control.server import CLIENTS_MAX, Client, Server, Verb, Work
from tests.flows.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Unix sockets")


class Verbs:
    """Verbs for tests."""

    def __init__(self) -> None:
        self.ended = 0

    def echo(self, request: Request, _client: Client) -> dict[str, Any]:
        return {"text": request.text("text")}

    def flood(self, _request: Request, _client: Client) -> Work:
        try:
            while True:
                yield {"line": "x" * 1_000}
        finally:
            self.ended += 1

    def broken(self, _request: Request, _client: Client) -> dict[str, Any]:
        raise ZeroDivisionError


@pytest.fixture
def verbs() -> Verbs:
    return Verbs()


@pytest.fixture
def server(tmp_path: Path, verbs: Verbs) -> Iterator[Server]:
    table: dict[str, Verb] = {"echo": verbs.echo, "flood": verbs.flood, "broken": verbs.broken}
    made = Server(socket_path(tmp_path, "s"), table, time.monotonic)
    made.start()
    yield made
    made.close()


def connected(server: Server) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(20)
    sock.connect(str(server.path))
    return sock


def asked(sock: socket.socket, line: bytes) -> dict[str, Any]:
    sock.sendall(line)
    with sock.makefile("rb") as file:
        told: dict[str, Any] = json.loads(file.readline())
    return told


ECHO = b'{"id": 1, "verb": "echo", "text": "hi"}\n'


def test_a_request_is_answered_under_its_id(server: Server) -> None:
    with connected(server) as sock:
        assert asked(sock, ECHO) == {"id": 1, "ok": True, "text": "hi"}


def test_requests_may_come_in_any_pieces(server: Server) -> None:
    with connected(server) as sock, sock.makefile("rb") as file:
        for byte in ECHO + ECHO:
            sock.send(bytes([byte]))
        assert [json.loads(file.readline())["text"] for _ in range(2)] == ["hi", "hi"]


def test_garbage_gets_an_error_and_is_survived(server: Server) -> None:
    with connected(server) as sock:
        assert asked(sock, b"\x00\xff not json\n")["code"] == "bad-request"
        told = asked(sock, b'{"id": 2, "verb": "nonsense"}\n')
        assert (told["code"], told["id"]) == ("unknown-verb", 2)
        assert "echo" in told["error"]
        assert asked(sock, ECHO)["ok"]


def test_a_request_without_end_is_refused_and_its_client_shut_out(server: Server) -> None:
    with connected(server) as sock:
        told = asked(sock, b"x" * (REQUEST_BYTES + 1))
        assert told["code"] == "too-long"
        assert sock.recv(1) == b""


def test_a_verb_that_fails_costs_its_own_client_only(server: Server) -> None:
    with connected(server) as other, connected(server) as sock:
        sock.sendall(b'{"verb": "broken"}\n')
        assert sock.recv(1) == b""
        assert asked(other, ECHO)["ok"]


def test_a_client_that_does_not_read_holds_nobody_up(server: Server, verbs: Verbs) -> None:
    with connected(server) as deaf, connected(server) as other:
        deaf.sendall(b'{"verb": "flood"}\n')
        deaf.recv(1)
        assert asked(other, ECHO)["ok"]
    until(lambda: verbs.ended == 1, "its request ends when it leaves")


def test_too_many_clients_are_turned_away_with_a_word(server: Server) -> None:
    socks = [connected(server) for _ in range(CLIENTS_MAX)]
    assert asked(socks[-1], ECHO)["ok"]
    with connected(server) as late, late.makefile("rb") as file:
        assert json.loads(file.readline())["code"] == "busy"
    for sock in socks:
        sock.close()

    def free() -> bool:
        with connected(server) as sock:
            try:
                return bool(asked(sock, ECHO)["ok"])
            except (OSError, ValueError):
                return False  # still full

    until(free, "there is room again")


def test_the_socket_is_its_owners_alone_and_goes_with_the_server(server: Server) -> None:
    assert server.path is not None
    assert server.path.stat().st_mode & 0o777 == 0o600
    assert server.path.parent.stat().st_mode & 0o777 == 0o700
    server.close()
    assert not server.path.exists()


def test_a_socket_that_a_killed_agent_left_is_taken_over(server: Server, verbs: Verbs) -> None:
    again = Server(server.path, {"echo": verbs.echo}, time.monotonic)
    again.start()
    with connected(again) as sock:
        assert asked(sock, b'{"verb": "flood"}\n')["code"] == "unknown-verb"
    again.close()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may act as another user")
@pytest.mark.parametrize("opened", [False, True])
def test_another_user_gets_nothing(server: Server, opened: bool) -> None:
    assert server.path is not None
    modes = {path: path.stat().st_mode & 0o7777 for path in (server.path, *list(server.path.parents)[:-2])}
    for path in modes if opened else ():  # even where the modes were changed, the kernel says who is there
        path.chmod(0o777)
    program = (
        "import os, socket, sys; os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "s = socket.socket(socket.AF_UNIX); s.settimeout(20); s.connect(sys.argv[1])\n"
        "try: s.sendall(sys.argv[2].encode() + b'\\n')\nexcept BrokenPipeError: pass\n"
        "try: print(s.recv(1000))\nexcept ConnectionResetError: print(b'')"
    )
    command = [sys.executable, "-c", program, str(server.path), ECHO.decode().strip()]
    try:
        done = subprocess.run(command, capture_output=True, timeout=30, check=False)
    finally:
        for path, mode in modes.items():
            path.chmod(mode)
    if opened:
        assert done.stdout == b"b''\n", done.stderr
    else:
        assert b"PermissionError" in done.stderr
