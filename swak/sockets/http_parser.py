"""Reading HTTP/1.x requests from bytes as they come (RFC 9112), strictly: what can be read in two ways is refused."""

from __future__ import annotations

import re

HEAD_BYTES_MAX = 16 * 1024
FIELDS_MAX = 100
CHUNK_LINE_BYTES_MAX = 256
"""The size of a chunk, with what some senders put behind it."""
TRAILER_BYTES_MAX = 8 * 1024

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_REQUEST_LINE = re.compile(rb"(" + _TOKEN + rb") ([!-~]+) HTTP/(\d)\.(\d)")
_FIELD = re.compile(rb"(" + _TOKEN + rb"):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*")
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[\t\x20-\x7e\x80-\xff]*)?")
_LENGTH = re.compile(r"[0-9]{1,15}", re.ASCII)


class HttpError(Exception):
    """A request that is not taken: the status of the answer, and a text for people."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


class RequestParser:
    """Reads one request after the other. `feed` bytes until `complete`, look at the request, then call `next`.

    At most HEAD_BYTES_MAX of head and `body_bytes_max` of body are kept; `feed` is called with what one read gave, and
    what lies behind a complete request is kept for the next one.
    """

    def __init__(self, body_bytes_max: int) -> None:
        self._body_max = body_bytes_max
        self._rest = bytearray()
        self._begin()

    def _begin(self) -> None:
        self.method = ""
        self.target = ""
        self.headers: dict[str, str] = {}
        """Names in lower case; of several fields of one name, the values with commas between them."""
        self.body = bytearray()
        self.length: int | None = None
        """Bytes of the body, when the head has said so."""
        self.keeps_alive = True
        self.has_head = False
        self.complete = False
        self._looked = 0
        self._chunked = False
        self._chunk_left: int | None = None
        """Bytes that are still to come of a chunk; None when its size is."""
        self._in_trailer = False
        self._trailer_bytes = 0

    @property
    def begun(self) -> bool:
        """Whether anything of a request has come."""
        return self.has_head or bool(self._rest)

    @property
    def held_bytes(self) -> int:
        """What is kept of it."""
        return len(self._rest) + len(self.body)

    def feed(self, data: bytes) -> None:
        """Take what came. HttpError says what is wrong; the connection is of no use then."""
        self._rest += data
        if not self.has_head and not self._read_head():
            return
        if not self.complete:
            if self._chunked:
                self._read_chunks()
            else:
                self._read_body()

    def next(self) -> None:
        """Begin with the next request, which may have come already."""
        self._begin()
        self.feed(b"")

    def _read_head(self) -> bool:
        while self._rest.startswith(b"\r\n"):  # some senders end a body so (RFC 9112, 2.2)
            del self._rest[:2]
            self._looked = 0
        end = self._rest.find(b"\r\n\r\n", max(0, self._looked - 3))
        self._looked = len(self._rest)
        if end > HEAD_BYTES_MAX or (end < 0 and self._looked > HEAD_BYTES_MAX):
            raise HttpError(431, f"the head is longer than {HEAD_BYTES_MAX} bytes")
        if end < 0:
            return False
        head = bytes(self._rest[:end])
        del self._rest[: end + 4]
        request_line, *fields = head.split(b"\r\n")
        self._read_request_line(request_line)
        self._read_fields(fields)
        self._read_framing()
        self.has_head = True
        return True

    def _read_request_line(self, line: bytes) -> None:
        match = _REQUEST_LINE.fullmatch(line)
        if match is None:
            raise HttpError(400, "the first line is no request")
        if match[3] != b"1":
            raise HttpError(505, "only HTTP/1.1 and HTTP/1.0 are spoken here")
        self.method, self.target = match[1].decode(), match[2].decode()
        self.keeps_alive = match[4] != b"0"

    def _read_fields(self, lines: list[bytes]) -> None:
        if len(lines) > FIELDS_MAX:
            raise HttpError(431, f"there are more than {FIELDS_MAX} header fields")
        for line in lines:
            match = _FIELD.fullmatch(line)
            if match is None:
                raise HttpError(400, "a header field cannot be read")
            name, value = match[1].decode().lower(), match[2].decode("latin-1")
            if name in self.headers and name in {"content-length", "transfer-encoding", "host"}:
                raise HttpError(400, f"{name} is given twice")
            self.headers[name] = f"{self.headers[name]}, {value}" if name in self.headers else value

    def _read_framing(self) -> None:
        newer = self.keeps_alive
        if newer and "host" not in self.headers:
            raise HttpError(400, "there is no host field")
        wishes = {one.strip().lower() for one in self.headers.get("connection", "").split(",")}
        self.keeps_alive = "close" not in wishes and (newer or "keep-alive" in wishes)
        length, coding = self.headers.get("content-length"), self.headers.get("transfer-encoding")
        if coding is not None:
            if length is not None or not newer:
                raise HttpError(400, "transfer-encoding does not go with content-length, nor with HTTP/1.0")
            if coding.lower() != "chunked":
                raise HttpError(501, "the only transfer-encoding is chunked")
            self._chunked = True
        elif length is not None:
            if _LENGTH.fullmatch(length) is None:
                raise HttpError(400, "content-length is no number")
            self.length = int(length)
            self._check_size(self.length)
        else:
            self.length = 0

    def _read_body(self) -> None:
        assert self.length is not None
        wanted = self.length - len(self.body)
        self.body += self._rest[:wanted]
        del self._rest[:wanted]
        self.complete = len(self.body) == self.length

    def _read_chunks(self) -> None:
        at = 0
        while not self.complete:
            if self._chunk_left:
                part = self._rest[at : at + self._chunk_left]
                self.body += part
                at += len(part)
                self._chunk_left -= len(part)
                if self._chunk_left:
                    break
            end = self._rest.find(b"\r\n", at, at + CHUNK_LINE_BYTES_MAX + 2)
            if end < 0:
                if len(self._rest) - at > CHUNK_LINE_BYTES_MAX:
                    raise HttpError(400, "a chunk has no end, or its size none")
                break
            line = bytes(self._rest[at:end])
            at = end + 2
            self._read_chunk_line(line)
        del self._rest[:at]

    def _read_chunk_line(self, line: bytes) -> None:
        """Take a line between chunks: the end of one, the size of the next, or a field behind the last."""
        if self._in_trailer:
            self._trailer_bytes += len(line)
            if self._trailer_bytes > TRAILER_BYTES_MAX:
                raise HttpError(431, f"what follows the body is longer than {TRAILER_BYTES_MAX} bytes")
            self.complete = not line
        elif self._chunk_left == 0:
            if line:
                raise HttpError(400, "a chunk is longer than it said")
            self._chunk_left = None
        else:
            match = _SIZE.fullmatch(line)
            if match is None:
                raise HttpError(400, "the size of a chunk cannot be read")
            size_bytes = int(match[1], 16)
            self._check_size(len(self.body) + size_bytes)
            self._in_trailer = size_bytes == 0
            self._chunk_left = size_bytes or None

    def _check_size(self, size_bytes: int) -> None:
        if size_bytes > self._body_max:
            raise HttpError(413, f"the body is longer than {self._body_max} bytes")
