from __future__ import annotations

import gzip
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from swak.errors import ConfigError, Refused, Retry
from swak.plugins.outputs.http import Http
from swak.sockets.delivery import HOPELESS
from swak.testing import batch_of, event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from swak.event import Batch

Judge = "Callable[[list[dict[str, Any]], bytes], tuple[int, dict[str, str], str]]"


class Receiver:
    """The standard library's server, with a rule by which it takes bodies."""

    def __init__(self) -> None:
        self.taken: list[dict[str, Any]] = []
        self.requests: list[dict[str, str]] = []
        self.judge: Callable[[list[dict[str, Any]], bytes], tuple[int, dict[str, str], str]] = lambda *_: (200, {}, "")
        receiver = self

        class Peer(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                receiver.serve(self)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Peer)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/in"

    def serve(self, peer: BaseHTTPRequestHandler) -> None:
        body = peer.rfile.read(int(peer.headers["Content-Length"]))
        self.requests.append({**dict(peer.headers), "path": peer.path})
        raw = gzip.decompress(body) if peer.headers.get("Content-Encoding") == "gzip" else body
        records = json.loads(raw) if raw[:1] == b"[" else [json.loads(line) for line in raw.splitlines()]
        status, fields, text = self.judge(records, raw)
        if status < 300:
            self.taken += records
        peer.send_response(status)
        for name, value in {"Content-Length": str(len(text)), **fields}.items():
            peer.send_header(name, value)
        peer.end_headers()
        peer.wfile.write(text.encode())


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    thread = threading.Thread(target=made.server.serve_forever, args=(0.01,))
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


@contextmanager
def opened(receiver: Receiver, **options: Any) -> Iterator[Http]:
    plugin = Http(receiver.url, **options)
    try:
        plugin.open()
        yield plugin
    finally:
        plugin.close()


def numbers(*values: int) -> Batch:
    return batch_of([event({"n": value}) for value in values])


def taken(receiver: Receiver) -> list[int]:
    return [record["n"] for record in receiver.taken]


@pytest.mark.parametrize(
    ("options", "content_type"),
    [
        ({}, "application/x-ndjson"),
        ({"format": "json_array"}, "application/json"),
        ({"gzip": True}, "application/x-ndjson"),
    ],
)
def test_events_go_out_together(receiver: Receiver, options: dict[str, Any], content_type: str) -> None:
    with opened(receiver, **options) as plugin:
        plugin.write(numbers(1, 2, 3))
    assert taken(receiver) == [1, 2, 3]
    assert [one["Content-Type"] for one in receiver.requests] == [content_type]
    assert receiver.requests[0]["path"] == "/in"


def test_who_sends_is_told_to_the_server(receiver: Receiver) -> None:
    with opened(receiver, user="me", password="pw", headers={"X-Source": "web1"}) as plugin:
        plugin.write(numbers(1))
    with opened(receiver, token="abc") as plugin:
        plugin.write(numbers(2))
    assert receiver.requests[0]["Authorization"] == "Basic bWU6cHc="
    assert receiver.requests[0]["X-Source"] == "web1"
    assert receiver.requests[1]["Authorization"] == "Bearer abc"


def test_bodies_are_bounded(receiver: Receiver) -> None:
    with opened(receiver, max_body=20) as plugin:
        plugin.write(numbers(*range(10)))
    assert taken(receiver) == list(range(10))
    assert len(receiver.requests) == 5


def test_a_server_that_is_busy_says_when_to_come_again(receiver: Receiver) -> None:
    receiver.judge = lambda *_: (429, {"Retry-After": "7"}, "")
    with opened(receiver) as plugin, pytest.raises(Retry, match="429") as caught:
        plugin.write(numbers(1))
    assert caught.value.after_s == 7


@pytest.mark.parametrize("status", [408, 425, 500, 502, 503, 504])
def test_a_server_in_trouble_is_asked_again_with_growing_pauses(receiver: Receiver, status: int) -> None:
    receiver.judge = lambda *_: (status, {}, "")
    pauses = []
    with opened(receiver) as plugin:
        for _ in range(8):
            with pytest.raises(Retry) as caught:
                plugin.write(numbers(1))
            pauses.append(caught.value.after_s)
    assert pauses[0] <= 0.5
    assert 15 <= pauses[-1] <= 30


def test_what_was_taken_before_a_failure_is_not_sent_again(receiver: Receiver) -> None:
    bad = {5}
    receiver.judge = lambda records, _: (500 if records[0]["n"] in bad else 200, {}, "")
    with opened(receiver, max_body=1) as plugin:
        with pytest.raises(Retry):
            plugin.write(numbers(*range(10)))
        bad.clear()
        plugin.write(numbers(*range(10)))
        plugin.write(numbers(*range(10)))
    assert taken(receiver) == list(range(10)) * 2


def test_a_body_that_is_too_large_is_halved_and_later_ones_stay_below(receiver: Receiver) -> None:
    receiver.judge = lambda _, raw: (413 if len(raw) > 30 else 200, {}, "too large")
    with opened(receiver) as plugin:
        plugin.write(numbers(*range(10, 30)))
        first = len(receiver.requests)
        plugin.write(numbers(*range(30, 50)))
    assert taken(receiver) == list(range(10, 50))
    assert len(receiver.requests) - first < first


def test_one_event_that_is_too_large_is_refused_and_the_others_go_out(receiver: Receiver) -> None:
    receiver.judge = lambda records, _: (413 if any(one["n"] == 3 for one in records) else 200, {}, "no room")
    with opened(receiver) as plugin, pytest.raises(Refused, match=r"413 .*: no room") as caught:
        plugin.write(numbers(1, 2, 3, 4))
    assert [one.record for one in caught.value.events] == [{"n": 3}]
    assert taken(receiver) == [1, 2, 4]


def test_the_events_that_the_server_does_not_want_are_found(receiver: Receiver) -> None:
    receiver.judge = lambda records, _: (400 if {one["n"] for one in records} & {7, 70} else 200, {}, "bad n")
    with opened(receiver) as plugin, pytest.raises(Refused, match="400 Bad Request: bad n") as caught:
        plugin.write(numbers(*range(100)))
    assert [one.record["n"] for one in caught.value.events] == [7, 70]
    assert taken(receiver) == [number for number in range(100) if number not in {7, 70}]


def test_a_server_that_wants_nothing_is_not_asked_about_each(receiver: Receiver) -> None:
    receiver.judge = lambda *_: (400, {}, "never")
    with opened(receiver) as plugin, pytest.raises(Refused) as caught:
        plugin.write(numbers(*range(1000)))
    assert len(caught.value.events) == 1000
    assert len(receiver.requests) < 4 * HOPELESS


@pytest.mark.parametrize("status", [301, 401, 403, 404, 405, 415])
def test_other_answers_refuse_the_whole_with_the_servers_text(receiver: Receiver, status: int) -> None:
    receiver.judge = lambda *_: (status, {}, "not you")
    with opened(receiver) as plugin, pytest.raises(Refused, match=f"{status} .*: not you") as caught:
        plugin.write(numbers(1, 2))
    assert len(caught.value.events) == 2
    assert len(receiver.requests) == 1


def test_an_answer_may_speak_of_each_event(receiver: Receiver) -> None:
    busy = {3, 4}

    def judge(records: list[dict[str, Any]], _: bytes) -> tuple[int, dict[str, str], str]:
        statuses = [429 if one["n"] in busy else 400 if one["n"] == 1 else 201 for one in records]
        items = [{"create": {"status": status, "error": "bad n"}} for status in statuses]
        text = json.dumps({"errors": max(statuses) > 201, "items": items})
        return 200, {"Content-Type": "application/json"}, text

    receiver.judge = judge
    with opened(receiver) as plugin:
        with pytest.raises(Retry, match="2 of 6 events"):
            plugin.write(numbers(*range(6)))
        busy.clear()
        with pytest.raises(Refused, match="400 bad n") as caught:
            plugin.write(numbers(*range(6)))
    assert [one.record["n"] for one in caught.value.events] == [1]
    assert taken(receiver) == [0, 1, 2, 3, 4, 5, 3, 4]


def test_errors_that_belong_to_no_event_cost_all_of_them(receiver: Receiver) -> None:
    receiver.judge = lambda *_: (200, {"Content-Type": "application/json"}, '{"errors": ["no"]}')
    with opened(receiver) as plugin, pytest.raises(Refused, match="there were errors") as caught:
        plugin.write(numbers(1, 2))
    assert len(caught.value.events) == 2


def test_a_server_that_is_gone_is_an_oserror(receiver: Receiver) -> None:
    plugin = Http("http://127.0.0.1:1/")
    with pytest.raises(ConnectionRefusedError, match=r"127\.0\.0\.1:1: "):
        plugin.open()
    assert not plugin.probe()
    plugin.close()
    with opened(receiver) as other:
        assert other.probe()


def test_an_empty_batch_is_not_sent(receiver: Receiver) -> None:
    with opened(receiver) as plugin:
        plugin.write(batch_of([]))
    assert receiver.requests == []


def test_an_aborted_plugin_cannot_be_opened(receiver: Receiver) -> None:
    plugin = Http(receiver.url)
    plugin.abort()
    with pytest.raises(OSError, match="told to stop"):
        plugin.open()
    plugin.close()


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"url": "logs"}, "url: "),
        ({"method": "GET"}, "sends no events"),
        ({"user": "a", "token": "b"}, "both given"),
        ({"headers": {"A": "x\r\nB: y"}}, "is no header field"),
        ({"format": "csv"}, "without fields"),
    ],
)
def test_options_that_cannot_be_are_named(options: dict[str, Any], what: str) -> None:
    problems = Http(**({"url": "http://a"} | options)).check()
    assert any(what in text for text, _ in problems)


def test_a_url_is_needed() -> None:
    with pytest.raises(ConfigError, match='option "url" is missing'):
        Http()
