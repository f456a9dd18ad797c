"""The requests of one HTTP connection and their answers, one after the other: h11, with bounds of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import h11

from swak.sockets.http_content import HttpError

if TYPE_CHECKING:
    from collections.abc import Sequence

HEAD_BYTES_MAX = 16 * 1024
"""Bytes of a head, of a chunk's own line, and of what follows the last chunk."""
TEXT_CHARS = 200
"""What is said at most of a mistake, which may quote the request."""
_READING = (h11.IDLE, h11.SEND_BODY)


class Exchange:
    """Reads a request and writes its answer. `feed` bytes until `complete`, `answer`, and go on with `next`.

    At most HEAD_BYTES_MAX of a head and `body_bytes_max` of a body are kept, besides what one read gave: `feed` is
    called with that, and what lies behind a complete request is kept for the next one.
    """

    def __init__(self, body_bytes_max: int) -> None:
        self._body_max = body_bytes_max
        self._begin()

    def _begin(self) -> None:
        # A new state machine for each request: h11 takes an empty line in front of one (RFC 9112, 2.2) for an error,
        # and what it has in its buffer cannot be taken out again.
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_BYTES_MAX)
        self.begun = False
        """Whether anything of a request has come."""
        self.method = ""
        self.target = ""
        self.headers: dict[str, str] = {}
        """Names in lower case; of several fields of one name, the values with commas between them."""
        self.body = bytearray()
        self.length: int | None = None
        """Bytes of the body, when the head has said so."""
        self.complete = False

    @property
    def has_head(self) -> bool:
        """Whether the head has come."""
        return bool(self.method)

    def feed(self, data: bytes) -> None:
        """Take what came, never b"". HttpError says what is wrong; the connection is of no use then but to say so."""
        if not self.begun:
            data = data.lstrip(b"\r\n")
            self.begun = bool(data)
        if data:
            self._http.receive_data(data)
        try:
            more = True
            while more and self._http.their_state in _READING:
                more = self._take(self._http.next_event())
        except h11.RemoteProtocolError as error:
            text = (
                f"the head is longer than {HEAD_BYTES_MAX} bytes"
                if error.error_status_hint == 431
                else str(error)[:TEXT_CHARS]
            )
            raise HttpError(error.error_status_hint, text) from None

    def go_on(self) -> bytes:
        """Return what tells a sender that waits with its body to send it; nothing when it does not wait."""
        if not self._http.they_are_waiting_for_100_continue:
            return b""
        return self._http.send(h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue"))

    def answer(self, status: int, reason: str, fields: Sequence[tuple[str, str]], body: bytes) -> tuple[bytes, bool]:
        """Return the bytes of the answer, and whether the connection can be used again after it."""
        length = ("Content-Length", str(len(body)))
        http = self._http
        head = h11.Response(status_code=status, reason=reason.encode(), headers=[*fields, length])
        parts = [http.send(head)]
        if self.method != "HEAD":
            parts.append(http.send(h11.Data(data=body)))
        parts.append(http.send(h11.EndOfMessage()))
        return b"".join(parts), http.our_state is h11.DONE and http.their_state is h11.DONE

    def next(self) -> None:
        """Begin with the next request, which may have come already."""
        rest, _ = self._http.trailing_data
        self._begin()
        if rest:
            self.feed(rest)

    def _take(self, event: object) -> bool:
        """Note what h11 has found; False when it waits for more bytes."""
        if isinstance(event, h11.Request):
            self._take_head(event)
        elif isinstance(event, h11.Data):
            self._check_size(len(self.body) + len(event.data))
            self.body += event.data
        elif isinstance(event, h11.EndOfMessage):
            self.complete = True
        else:
            return False
        return True

    def _take_head(self, request: h11.Request) -> None:
        self.method, self.target = request.method.decode(), request.target.decode()  # first: HEAD has no body in errors
        if request.http_version not in (b"1.0", b"1.1"):
            raise HttpError(505, "only HTTP/1.1 and HTTP/1.0 are spoken here")
        if sum([len(name) + len(value) + 4 for name, value in request.headers]) > HEAD_BYTES_MAX:
            raise HttpError(431, f"the head is longer than {HEAD_BYTES_MAX} bytes")  # h11 looks when it wants more
        for raw_name, raw_value in request.headers:
            name, value = raw_name.decode(), raw_value.decode("latin-1")
            self.headers[name] = f"{self.headers[name]}, {value}" if name in self.headers else value
        chunked = "transfer-encoding" in self.headers
        if chunked and ("content-length" in self.headers or request.http_version == b"1.0"):
            # A proxy in front might see the end of such a request elsewhere.
            raise HttpError(400, "transfer-encoding does not go with content-length, nor with HTTP/1.0")
        if not chunked:
            self.length = int(self.headers.get("content-length", "0"))
            self._check_size(self.length)

    def _check_size(self, size_bytes: int) -> None:
        if size_bytes > self._body_max:
            raise HttpError(413, f"the body is longer than {self._body_max} bytes")
