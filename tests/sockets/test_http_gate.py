from __future__ import annotations

import pytest

from swak.sockets.http_content import HttpError
from swak.sockets.http_exchange import Exchange
from swak.sockets.http_gate import Gate, admitted, authorization

GATE = Gate("/logs", "/health", "Bearer abc")
RIGHT = "Authorization: Bearer abc\r\n"


def status_of(line: str, fields: str = "", gate: Gate = GATE) -> int:
    request = Exchange(1_000)
    request.feed(f"{line} HTTP/1.1\r\nHost: a\r\n{fields}\r\n".encode())
    try:
        gate.admit(request)
    except HttpError as error:
        return error.status
    return 200


@pytest.mark.parametrize(
    ("line", "fields", "status"),
    [
        ("POST /logs", RIGHT + "Content-Length: 1\r\n", 200),
        ("PUT /logs?x", RIGHT + "Transfer-Encoding: chunked\r\n", 200),
        ("POST /logs", RIGHT, 411),
        ("POST /logs", RIGHT + "Content-Length: 0\r\n", 411),
        ("POST /logs", RIGHT + "Content-Length: 1\r\nContent-Type: application/msgpack\r\n", 415),
        ("POST /logs", "Content-Length: 1\r\n", 401),
        ("POST /logs", "Authorization: Bearer abd\r\nContent-Length: 1\r\n", 401),
        ("POST /other", RIGHT + "Content-Length: 1\r\n", 404),
        ("DELETE /logs", RIGHT, 405),
        ("GET /logs", RIGHT, 405),
        ("GET /health?x", "", 200),
        ("HEAD /health", "", 200),
    ],
)
def test_a_head_decides_what_is_let_in(line: str, fields: str, status: int) -> None:
    assert status_of(line, fields) == status


def test_any_path_takes_events_where_none_is_named() -> None:
    assert status_of("POST /any/path", "Content-Length: 1\r\n", Gate("/", "/health", None)) == 200


def test_who_sends_is_a_token_or_a_name_and_password() -> None:
    assert authorization("Aladdin", "open sesame", None) == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
    assert authorization(None, "", "abc") == "Bearer abc"
    assert authorization(None, "", None) is None


@pytest.mark.parametrize(
    ("given", "wanted", "right"),
    [
        ("", None, True),
        ("", "Bearer abc", False),
        ("bearer  abc ", "Bearer abc", True),
        ("Bearer ABC", "Bearer abc", False),
        ("Basic abc", "Bearer abc", False),
        ("Bearer \xe9", "Bearer \xe9", False),
    ],
)
def test_only_what_is_wanted_is_admitted(given: str, wanted: str | None, right: bool) -> None:
    assert admitted(given, wanted) is right
