from __future__ import annotations

import gzip
import json
import socket
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from swak.event import EVENTS_MAX
from swak.plugins.inputs.http import LOOK_S, Http
from swak.testing import FakeClock
from tests.flows.waiting import WAIT_S

if TYPE_CHECKING:
    from collections.abc import Iterator

    from swak.event import Chunk, Record


@contextmanager
def opened(**options: Any) -> Iterator[Http]:
    plugin = Http(0, **options)
    plugin.clock = FakeClock()
    plugin.wait_s = 0.02
    plugin.open()
    with closing(plugin):
        yield plugin


def post(plugin: Http, body: bytes, extra: str = "", *, line: str = "POST / HTTP/1.1") -> socket.socket:
    assert plugin.address is not None
    sock = socket.create_connection(plugin.address, timeout=WAIT_S)
    head = f"{line}\r\nHost: a\r\n{extra}Content-Length: {len(body)}\r\n\r\n"
    sock.sendall(head.encode() + body)
    return sock


def chunks(plugin: Http) -> list[Chunk]:
    ends_at = time.monotonic() + WAIT_S
    while time.monotonic() < ends_at:
        if made := plugin.read():
            return made
    raise AssertionError("nothing came")


def settle(made: list[Chunk]) -> None:
    for chunk in made:
        assert chunk.told is not None
        chunk.told()


def records(made: list[Chunk]) -> list[Record]:
    return [record for chunk in made for record in chunk.body.records()]


def answer(plugin: Http, sock: socket.socket) -> tuple[int, dict[str, Any]]:
    """Let the input work until the answer has come."""
    sock.setblocking(False)
    data, ends_at = b"", time.monotonic() + WAIT_S
    while time.monotonic() < ends_at:
        assert plugin.read() is None
        try:
            data += sock.recv(65_536)
        except BlockingIOError:
            continue
        head, _, body = data.partition(b"\r\n\r\n")
        if body.endswith(b"\n"):
            sock.close()
            return int(head.split()[1]), json.loads(body)
    raise AssertionError(f"no answer, only {data!r}")


def test_an_answer_comes_when_all_events_are_settled() -> None:
    with opened() as plugin:
        sock = post(plugin, b'{"n":1}\n{"n":2}\n')
        made = chunks(plugin)
        assert records(made) == [{"n": 1, "host": "127.0.0.1"}, {"n": 2, "host": "127.0.0.1"}]
        assert plugin.read() is None
        sock.setblocking(False)
        with pytest.raises(BlockingIOError):
            sock.recv(1)
        settle(made)
        settle(made)
        assert answer(plugin, sock) == (200, {"events": 2})


def test_a_long_body_is_answered_when_its_last_part_is_settled() -> None:
    with opened() as plugin:
        sock = post(plugin, b"{}\n" * (2 * EVENTS_MAX + 1))
        made = chunks(plugin)
        assert [chunk.body.count for chunk in made] == [EVENTS_MAX, EVENTS_MAX, 1]
        settle(made[1:])
        assert plugin.read() is None
        settle(made[:1])
        assert answer(plugin, sock) == (200, {"events": 2 * EVENTS_MAX + 1})


@pytest.mark.parametrize(
    ("body", "extra"),
    [
        (b'[{"n":1}]', ""),
        (b'{"n":\n1}', "Content-Type: application/json\r\n"),
        (gzip.compress(b'{"n":1}', mtime=0), "Content-Encoding: gzip\r\n"),
    ],
)
def test_bodies_come_in_several_shapes(body: bytes, extra: str) -> None:
    with opened(host_field=None) as plugin, post(plugin, body, extra):
        assert records(chunks(plugin)) == [{"n": 1}]


def test_lines_can_be_asked_for() -> None:
    with opened(codec="line", host_field=None, tag="app") as plugin, post(plugin, b"a\n{"):
        made = chunks(plugin)
        assert records(made) == [{"message": "a"}, {"message": "{"}]
        assert made[0].tag == "app"


def test_a_body_that_is_wrong_in_one_line_is_not_taken() -> None:
    with opened() as plugin:
        status, said = answer(plugin, post(plugin, b'{"n":1}\n{"n":\n'))
        assert status == 400
        assert said["error"].startswith("line 2: ")
        assert plugin.notes() == "1 requests answered with 400"


def test_no_events_are_delivered_at_once() -> None:
    with opened() as plugin:
        assert answer(plugin, post(plugin, b"[]")) == (200, {"events": 0})


@pytest.mark.parametrize(
    ("options", "line", "extra", "status"),
    [
        ({}, "GET / HTTP/1.1", "", 405),
        ({"user": "me", "password": "pw"}, "POST / HTTP/1.1", "Authorization: Basic bWU6cHg=\r\n", 401),
        ({}, "POST / HTTP/1.1", "Content-Type: application/msgpack\r\n", 415),
        ({"path": "/logs"}, "POST /other HTTP/1.1", "", 404),
        ({"token": "abc"}, "POST / HTTP/1.1", "", 401),
        ({"token": "abc"}, "POST / HTTP/1.1", "Authorization: Bearer abd\r\n", 401),
        ({"max_body": 1}, "POST / HTTP/1.1", "", 413),
        ({}, "POST / HTTP/1.1", "Content-Encoding: br\r\n", 415),
    ],
)
def test_what_is_not_taken_has_its_status(options: dict[str, Any], line: str, extra: str, status: int) -> None:
    with opened(**options) as plugin:
        assert answer(plugin, post(plugin, b"{}", extra, line=line))[0] == status


def test_a_request_without_a_body_is_told() -> None:
    with opened() as plugin:
        assert answer(plugin, post(plugin, b""))[0] == 411


def test_the_right_token_and_path_are_taken() -> None:
    fields, line = "Authorization: Bearer abc\r\n", "PUT /logs?x=1 HTTP/1.1"
    with opened(path="/logs", token="abc") as plugin, post(plugin, b"{}", fields, line=line):
        assert len(chunks(plugin)) == 1


def test_the_right_name_and_password_are_taken() -> None:
    fields = "Authorization: Basic bWU6cHc=\r\n"
    with opened(user="me", password="pw") as plugin, post(plugin, b"{}", fields):
        assert len(chunks(plugin)) == 1


@pytest.mark.parametrize(("path", "tag"), [("/app/web?x=1", "app.web"), ("/", "http"), ("/a.b/", "a.b")])
def test_the_path_may_be_the_tag(path: str, tag: str) -> None:
    with opened(tag=None) as plugin, post(plugin, b"{}", line=f"POST {path} HTTP/1.1"):
        assert [chunk.tag for chunk in chunks(plugin)] == [tag]


def test_anybody_may_ask_whether_it_is_up() -> None:
    with opened(token="abc") as plugin:
        assert answer(plugin, post(plugin, b"", line="GET /health HTTP/1.1")) == (200, {"up": True})


def test_what_is_no_utf8_is_not_taken_as_json() -> None:
    with opened() as plugin:
        assert answer(plugin, post(plugin, b'{}\n"\xff"')) == (400, {"error": "line 2: this is no UTF-8"})


def test_events_that_are_not_delivered_in_time_are_to_be_sent_again() -> None:
    with opened(ack_timeout="30s") as plugin:
        sock = post(plugin, b"{}")
        made = chunks(plugin)
        assert isinstance(plugin.clock, FakeClock)
        plugin.clock.advance(30 + LOOK_S)
        status, said = answer(plugin, sock)
        assert (status, said["error"]) == (503, "not delivered in time; send it again")
        settle(made)
        assert plugin.read() is None


def test_without_acks_an_answer_comes_when_the_next_stage_has_the_events() -> None:
    with opened(ack_timeout=None) as plugin:
        sock = post(plugin, b"{}")
        (chunk,) = chunks(plugin)
        assert chunk.told is None
        assert answer(plugin, sock) == (200, {"events": 1})
        assert plugin.patience_s() is None


def test_while_there_is_no_room_senders_are_told_so() -> None:
    with opened(memory=1_000) as plugin:
        first = post(plugin, b'"' + b"x" * 900 + b'"')
        ends_at = time.monotonic() + WAIT_S
        while not plugin._ready and time.monotonic() < ends_at:
            plugin.answer()
        second = post(plugin, b"x" * 200)
        second.setblocking(False)
        data = b""
        while not data and time.monotonic() < ends_at:
            plugin.answer()
            try:
                data = second.recv(1_000)
            except BlockingIOError:
                continue
        assert data.startswith(b"HTTP/1.1 429 ")
        assert b"Retry-After: 1" in data
        first.close()
        second.close()


def test_at_the_end_what_was_not_taken_is_to_be_sent_again_and_the_rest_is_told() -> None:
    with opened() as plugin:
        taken, left = post(plugin, b'{"n":1}'), post(plugin, b'{"n":2}')
        made = chunks(plugin)
        ends_at = time.monotonic() + WAIT_S
        while not plugin._ready and time.monotonic() < ends_at:
            plugin.answer()
        plugin.rest()
        settle(made)
        plugin.answer()
        statuses = sorted(int(sock.recv(100).split()[1]) for sock in (taken, left))
        assert statuses == [200, 503]
        taken.close()
        left.close()


def test_closing_tells_those_who_wait() -> None:
    with opened() as plugin:
        sock = post(plugin, b"{}")
        chunks(plugin)
        plugin.close()
        assert sock.recv(100).startswith(b"HTTP/1.1 503 ")
        sock.close()


def test_a_read_that_waits_can_be_interrupted() -> None:
    with opened() as plugin:
        plugin.wait_s = 60
        plugin.interrupt()
        assert plugin.read() is None


def test_options_that_cannot_be_are_named() -> None:
    assert [what for what, _ in Http(70_000, path="logs").check()] == [
        'path "logs" has no slash',
        "there is no port 70000",
    ]
    assert [what for what, _ in Http(1, user="a", token="b").check()] == ["user and token are both given"]


def test_without_h11_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("swak.plugins.inputs.http.find_spec", lambda _: None)
    assert Http(1).check() == [("there is no h11, which reads HTTP", "pip install h11")]


def test_before_it_is_open_there_is_nothing_to_tell() -> None:
    assert Http(0).notes() == ""
    assert Http(0).address is None
    assert Http(0).patience_s() == 30
