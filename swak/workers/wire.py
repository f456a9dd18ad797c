"""What goes over a worker's socket: frames of a few values and of bytes that nobody has to look at."""

from __future__ import annotations

import pickle
import socket
import struct
from array import array
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec.structs import astuple

from swak.event import Batch, Block, Dicts, Rows
from swak.formats.found import Found, kind_of
from swak.formats.json_text import JsonText
from swak.formats.plain import readable
from swak.formats.rows import row_type
from swak.forward.entries import Packed as Entries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from swak.event import Body

LEFT_ALONE = ("SIGINT", "SIGHUP", "SIGTERM", "SIGQUIT", "SIGUSR1", "SIGUSR2")
"""Signals that go to whole process groups and service units. They are the agent's: a worker ends when that says so."""

_MAGIC = b"swkw"
_HEAD = struct.Struct("<4sI")
HEAD_BYTES_MAX = 64 * 1024 * 1024
"""A head that says it is longer is none: heads hold tags and times, and these for one batch."""
_BUFFERS_MAX = 500
"""Buffers for one system call; a system takes 1,024."""


class WireError(Exception):
    """What came is no frame."""


class Frame(NamedTuple):
    """What it is ("job", "answer", ...), its values, and bytes beside them."""

    kind: str
    values: tuple[Any, ...] = ()
    payloads: tuple[bytes, ...] = ()


Packed = tuple[tuple[Any, ...], bytes]
"""A body with its tags: the values that tell how to read the bytes, and these."""


def send(peer: socket.socket, frame: Frame) -> None:
    """Send a frame, waiting for room. Exceptions of `pickle` before anything was sent; OSError when the peer is gone.

    One system call sends it all, as a rule: each one gives up the interpreter's lock and has to get it again.
    """
    head = pickle.dumps((frame.kind, frame.values, [len(one) for one in frame.payloads]), protocol=5)
    first = _HEAD.pack(_MAGIC, len(head)) + head
    buffers = [first, *frame.payloads] if len(frame.payloads) < _BUFFERS_MAX else [first + b"".join(frame.payloads)]
    sent = peer.sendmsg(buffers)
    if sent < sum(map(len, buffers)):  # a signal came in between
        peer.sendall(memoryview(b"".join(buffers))[sent:])


def receive(peer: socket.socket) -> Frame | None:
    """Wait for a frame; None when the peer has closed its end. WireError, OSError: nothing can be expected any more."""
    first = _exactly(peer, _HEAD.size)
    if not first:
        return None
    magic, head_bytes = _HEAD.unpack(first) if len(first) == _HEAD.size else (b"", 0)
    if magic != _MAGIC or head_bytes > HEAD_BYTES_MAX:
        raise WireError(f"{first[:20]!r} is no frame")
    try:
        kind, values, lengths = pickle.loads(_exactly(peer, head_bytes))  # noqa: S301 - of our own child or parent
        payloads = tuple(_exactly(peer, length) for length in lengths)
    except OSError:
        raise
    except Exception as error:
        raise WireError(f"a frame cannot be read: {error!r}") from error
    if [len(one) for one in payloads] != lengths:
        raise WireError("a frame ends too early")
    return Frame(kind, values, payloads)


def _exactly(peer: socket.socket, length: int) -> bytes:
    """Read so many bytes, or fewer when the peer closes before. As a rule that is one system call, and no copy."""
    got = peer.recv(length, socket.MSG_WAITALL) if length else b""
    if len(got) == length or not got:
        return got
    parts, missing = [got], length - len(got)  # a signal came in between
    while missing and (more := peer.recv(missing, socket.MSG_WAITALL)):
        parts.append(more)
        missing -= len(more)
    return b"".join(parts)


def pack(body: Body, tags: str | list[str]) -> Packed:
    """Return what `unpack` makes the same body of. Exceptions of `pickle` when a record holds what cannot travel.

    Lines, JSON lines and entries of the forward protocol are the bytes that they are.
    """
    if isinstance(body, Block):
        return ("lines", tags, _times(body.times()), body.time_ns, body.encoding), body.data
    if isinstance(body, JsonText):
        return ("json", tags, _times(body.times()), body.size_bytes), body.data
    if isinstance(body, Entries):
        return ("entries", tags, body.stamps, body.size_bytes), body.data
    values: Any
    schema: tuple[Any, ...] | None = None
    if isinstance(body, Rows) and body.count:
        kind = kind_of(body)
        values = body.values if isinstance(body, Found) else list(map(astuple, body.rows))
        schema = (kind.__name__, kind.__struct_encode_fields__, *(body.constants() if isinstance(body, Found) else ()))
    else:
        values = readable(body)
    return ("records", tags, _times(body.times()), schema, body.size_bytes), pickle.dumps(values, protocol=5)


def unpack(packed: Packed) -> tuple[Body, str | list[str]]:
    """Return body and tags."""
    (kind, tags, times_, *rest), data = packed
    if kind == "entries":
        return Entries(data, times_, rest[0]), tags
    times = _told(times_)
    if kind == "lines":
        time_ns, encoding = rest
        varied = None if isinstance(times_[0], int) and times_[0] == time_ns else times
        return Block(data, time_ns, encoding, len(times), varied), tags
    if kind == "json":
        return JsonText(data, times, rest[0]), tags
    schema, size_bytes = rest
    values = pickle.loads(data)  # noqa: S301 - of our own child or parent
    if len(values) != len(times):
        raise WireError(f"{len(values)} records with {len(times)} times")
    if schema is None:
        return Dicts(values, times, size_bytes), tags
    return Found(row_type(schema[0], *schema[1:]), values, times, size_bytes), tags


def pack_batch(batch: Batch) -> Packed:
    """Return what `unpack` makes the body and the tags of a batch of."""
    return pack(batch.body, batch.tags)


def _times(times: Sequence[int]) -> tuple[Any, int]:
    """Return times in a few bytes: one number when they are all alike."""
    count = len(times)
    if count and times.count(times[0]) == count:
        return times[0], count
    try:
        return array("q", times).tobytes(), count
    except (TypeError, OverflowError):  # a filter of somebody's own may set any time
        return list(times), count


def _told(packed: tuple[Any, int]) -> list[int]:
    times, count = packed
    if isinstance(times, bytes):
        return array("q", times).tolist()
    return times if isinstance(times, list) else [times] * count
