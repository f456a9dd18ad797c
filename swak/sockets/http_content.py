"""What the bodies of HTTP requests may be: their coding, their type, and how much they may become."""

from __future__ import annotations

import zlib

VALUES_MAX = 1_000_000
"""Values that a body may hold: a value of one byte, e.g. `[]` in an array, takes about 100 in memory."""
_NO_EVENTS = {"application/msgpack", "application/x-msgpack", "application/x-protobuf", "application/xml", "text/xml"}
_CHARSETS = {"", "utf-8", "utf8", "us-ascii", "ascii"}


class HttpError(Exception):
    """A request that is not taken: the status of the answer, and a text for people."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


def check_type(content_type: str) -> None:
    """Refuse what says itself that it is no text in UTF-8. All else is tried: many senders name a wrong type.

    HttpError 415 says what was named.
    """
    media, *parameters = [part.strip().lower() for part in content_type.split(";")]
    if media in _NO_EVENTS or media.startswith("multipart/"):
        raise HttpError(415, f"{media[:80]} is not read here; send JSON, or one event a line")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "charset" and value.strip(' "') not in _CHARSETS:
            raise HttpError(415, f"charset {value[:80]} is not read here; send UTF-8")


def check_text(body: bytes, *, strict: bool) -> None:
    """Refuse a body of more than VALUES_MAX values or, when `strict`, one that is no UTF-8, before it is read.

    A body of a few MiB could otherwise take gigabytes. Commas, brackets and lines are counted, also inside of texts.
    HttpError 413, or 400 with the line.
    """
    if len(body) > VALUES_MAX and sum([body.count(mark) for mark in (b",", b"[", b"{", b"\n")]) > VALUES_MAX:
        raise HttpError(413, f"the body holds more than {VALUES_MAX} values; send it in parts")
    if strict:
        try:
            body.decode()
        except UnicodeDecodeError as error:
            line = body.count(b"\n", 0, error.start) + 1
            raise HttpError(400, f"line {line}: this is no UTF-8") from None


def unpacked(body: bytes, coding: str, size_bytes_max: int) -> bytes:
    """Return a body as it was before `Content-Encoding`. HttpError for one that is broken, or becomes too large."""
    coding = coding.strip().lower()
    if coding in {"", "identity"}:
        return body
    if coding not in {"gzip", "x-gzip", "deflate"}:
        raise HttpError(415, "the body is compressed in a way that is not known here; gzip is, and deflate")
    made: list[bytes] = []
    left = size_bytes_max
    while body:
        unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16 if coding != "deflate" else zlib.MAX_WBITS)
        try:
            made.append(unpacker.decompress(body, left + 1))
        except zlib.error as error:
            raise HttpError(400, f"the body is no {coding}: {error}") from None
        left -= len(made[-1])
        if left < 0:
            raise HttpError(413, f"the body is longer than {size_bytes_max} bytes once it is unpacked")
        if not unpacker.eof:
            raise HttpError(400, f"the body's {coding} ends too early")
        body = unpacker.unused_data  # gzip may come in several parts
    return b"".join(made)
