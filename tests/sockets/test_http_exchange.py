from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from swak.sockets.http_content import HttpError
from swak.sockets.http_exchange import HEAD_BYTES_MAX, Exchange

POST = b"POST /logs?x=1 HTTP/1.1\r\nHost: a\r\n"
WHOLE = POST + b"Content-Length: 5\r\n\r\nhello"
CHUNKED = POST + b"Transfer-Encoding: Chunked\r\n\r\n3;note=x\r\nhel\r\n2\r\nlo\r\n0\r\nX-Sum: 1\r\n\r\n"

Seen = tuple[str, str, dict[str, str], bytes, bool]


def read(data: bytes, cuts: list[int] | None = None, body_max: int = 1_000) -> list[Seen | int]:
    """Answer all requests; return what was seen of them, and the status of the error that ended it."""
    exchange = Exchange(body_max)
    seen: list[Seen | int] = []
    parts, at = [], 0
    for size in cuts or []:
        parts.append(data[at : at + size])
        at += size
    try:
        for part in [*parts, data[at:]]:
            exchange.feed(part)
            while exchange.complete:
                answer, reusable = exchange.answer(200, "OK", [], b"done")
                assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
                seen.append((exchange.method, exchange.target, exchange.headers, bytes(exchange.body), reusable))
                if not reusable:
                    return seen
                exchange.next()
    except HttpError as error:
        answer, reusable = exchange.answer(error.status, "No", [("Connection", "close")], error.text.encode())
        refused = answer.startswith(b"HTTP/1.1 %d No\r\n" % error.status) and not reusable
        seen.append(error.status if refused else 0)
    return seen


def seen(data: bytes) -> list[Seen]:
    """Return the requests where all are whole."""
    return [one for one in read(data) if not isinstance(one, int)]


def test_a_request_with_a_length() -> None:
    assert read(WHOLE) == [("POST", "/logs?x=1", {"host": "a", "content-length": "5"}, b"hello", True)]


def test_a_request_in_chunks() -> None:
    assert read(CHUNKED) == [("POST", "/logs?x=1", {"host": "a", "transfer-encoding": "chunked"}, b"hello", True)]


def test_one_request_after_the_other() -> None:
    assert [one[3] for one in seen(WHOLE + b"\r\n" + CHUNKED + WHOLE)] == [b"hello"] * 3


@given(st.lists(st.integers(1, 40)))
def test_however_bytes_arrive_the_requests_are_the_same(cuts: list[int]) -> None:
    data = WHOLE + CHUNKED + WHOLE
    assert read(data, cuts) == read(data)


@pytest.mark.parametrize(
    ("line", "alive"),
    [
        (b"POST / HTTP/1.1\r\nHost: a", True),
        (b"POST / HTTP/1.1\r\nHost: a\r\nConnection: foo, Close", False),
        (b"POST / HTTP/1.0", False),
        (b"POST / HTTP/1.0\r\nConnection: Keep-Alive", False),
    ],
)
def test_a_connection_is_kept_where_both_sides_can(line: bytes, alive: bool) -> None:
    assert seen(line + b"\r\nContent-Length: 0\r\n\r\n")[0][4] is alive


def test_fields_of_one_name_are_joined() -> None:
    assert seen(b"GET / HTTP/1.1\r\nHost: a\r\nX-A: 1 \r\nx-a:\t2\r\n\r\n")[0][2]["x-a"] == "1, 2"


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"hello\r\n\r\n", 400),
        (b"POST / HTTP/2.0\r\n\r\n", 505),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        (b"POST  / HTTP/1.1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\n\r\n", 400),
        (b"POST /\xff HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (POST + b"Name : x\r\n\r\n", 400),
        (POST + b"A: x\ry\r\n\r\n", 400),
        (POST + b"A: \x00\r\n\r\n", 400),
        (POST + b"host: b\r\n\r\n", 400),
        (POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n", 400),
        (POST + b"Content-Length: 5, 6\r\n\r\n", 400),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n1;" + b"x" * HEAD_BYTES_MAX, 431),
        (b"\x16\x03\x01\x02", 400),
        (POST + b"Content-Length: +5\r\n\r\n", 400),
        (POST + b"Content-Length: 0x5\r\n\r\n", 400),
        (POST + b"Content-Length: 1001\r\n\r\n", 413),
        (POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n", 501),
        (POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n", 501),
        (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n", 400),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n0x3\r\n", 400),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nhello\r\n", 400),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 1_001, 413),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"a: b\r\n" * HEAD_BYTES_MAX, 431),
        (b"POST /" + b"x" * HEAD_BYTES_MAX, 431),
        (b"A: b\r\n" * HEAD_BYTES_MAX, 431),
    ],
)
def test_what_is_not_taken_has_its_status(data: bytes, status: int) -> None:
    assert read(data) == [status]


PIECES = st.sampled_from(
    [WHOLE, CHUNKED, POST, b"\r\n", b"\r\n\r\n", b"Content-Length: ", b"7", b"0\r\n", b"Transfer-Encoding: chunked\r\n"]
)


@given(st.lists(PIECES | st.binary(max_size=20), max_size=8).map(b"".join), st.lists(st.integers(1, 30), max_size=20))
@example(POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nhel", [40, 30, 1, 1])
def test_whatever_comes_is_read_the_same_way_however_it_is_cut(data: bytes, cuts: list[int]) -> None:
    assert read(data, cuts) == read(data)


def test_nothing_yet_is_no_request() -> None:
    exchange = Exchange(10)
    states = [exchange.begun]
    exchange.feed(b"\r\n")
    states.append(exchange.begun)
    exchange.feed(b"P")
    assert [*states, exchange.begun, exchange.has_head] == [False, False, True, False]


def test_who_waits_with_his_body_is_told_once_to_send_it() -> None:
    exchange = Exchange(10)
    exchange.feed(POST + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n")
    assert exchange.go_on() == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert exchange.go_on() == b""
    exchange.feed(b"hello")
    assert exchange.complete
    assert exchange.answer(200, "OK", [], b"x")[1]


def test_head_gets_a_head() -> None:
    exchange = Exchange(10)
    exchange.feed(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert exchange.answer(200, "OK", [], b"hello") == (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", True)


@pytest.mark.parametrize(
    "wrong",
    [b"Transfer-Encoding: chunked\r\nContent-Length: 1\r\n", b"A: " + b"x" * HEAD_BYTES_MAX, b"Content-Length: 99\r\n"],
)
def test_head_gets_a_head_also_when_it_is_refused(wrong: bytes) -> None:
    exchange = Exchange(10)
    with pytest.raises(HttpError) as refused:
        exchange.feed(b"HEAD / HTTP/1.1\r\nHost: a\r\n" + wrong + b"\r\n")
    answered, _ = exchange.answer(refused.value.status, "Wrong", [], b"hello")
    assert answered.startswith(b"HTTP/1.1 4")


def test_a_wish_for_another_protocol_is_not_heard() -> None:
    upgrade = POST + b"Upgrade: h2c\r\nConnection: Upgrade\r\nContent-Length: 1\r\n\r\nx"
    assert [one[3:] for one in seen(upgrade + WHOLE)] == [(b"x", True), (b"hello", True)]
