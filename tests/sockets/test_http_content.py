from __future__ import annotations

import gzip
import zlib

import pytest

from swak.sockets.http_content import VALUES_MAX, HttpError, check_text, check_type, unpacked


def status_of(body: bytes, *, strict: bool = True) -> tuple[int, str]:
    with pytest.raises(HttpError) as caught:
        check_text(body, strict=strict)
    return caught.value.status, caught.value.text


@pytest.mark.parametrize("body", [b"{}," * VALUES_MAX, b"[" * (VALUES_MAX + 1), b"\n" * (VALUES_MAX + 1)])
def test_a_body_that_would_become_huge_in_memory_is_refused(body: bytes) -> None:
    assert status_of(body, strict=False)[0] == 413


def test_what_is_no_utf8_is_named_with_its_line() -> None:
    assert status_of(b"{}\n\xff") == (400, "line 2: this is no UTF-8")
    check_text(b"{}\n\xff", strict=False)
    check_text("{}\n\N{HANGUL SYLLABLE GA}".encode(), strict=True)


@pytest.mark.parametrize(
    "named",
    [
        "",
        "application/json",
        "application/json; charset=UTF-8",
        'text/plain;charset="utf-8"',
        "application/x-www-form-urlencoded",
        "application/x-ndjson; a; b=c",
    ],
)
def test_a_type_that_may_be_text_is_taken(named: str) -> None:
    check_type(named)


@pytest.mark.parametrize(
    "named", ["application/msgpack", "Multipart/Form-Data; boundary=x", "text/plain; charset=latin1", "text/xml"]
)
def test_a_type_that_is_something_else_is_refused(named: str) -> None:
    with pytest.raises(HttpError) as caught:
        check_type(named)
    assert caught.value.status == 415


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        ("", b"hello"),
        ("identity", b"hello"),
        ("GZIP", gzip.compress(b"hello", mtime=0)),
        ("x-gzip", gzip.compress(b"hel", mtime=0) + gzip.compress(b"lo", mtime=0)),
        ("deflate", zlib.compress(b"hello")),
    ],
)
def test_a_body_is_unpacked(coding: str, packed: bytes) -> None:
    assert unpacked(packed, coding, 5) == b"hello"


@pytest.mark.parametrize(
    ("coding", "packed", "status"),
    [
        ("br", b"", 415),
        ("gzip", b"hello", 400),
        ("gzip", gzip.compress(b"hello", mtime=0)[:-3], 400),
        ("gzip", gzip.compress(b"hello", mtime=0) + b"junk", 400),
        ("gzip", gzip.compress(b"x" * 6, mtime=0), 413),
        ("gzip", gzip.compress(b"xxx", mtime=0) * 2, 413),
        ("gzip", gzip.compress(b"\0" * 50_000_000, mtime=0), 413),
    ],
)
def test_a_body_that_cannot_be_unpacked_has_its_status(coding: str, packed: bytes, status: int) -> None:
    with pytest.raises(HttpError) as caught:
        unpacked(packed, coding, 5)
    assert caught.value.status == status
