"""Compressed chunks: gzip, of one member or several, and never more of it than there is room for."""

from __future__ import annotations

import zlib

from swak.forward.faults import ProtocolError

FIRST_BYTES = 4 * 1024
"""What is fed to a member at first: there may be a million members, and what is left over of each feed is copied."""
MOST_BYTES = 1024 * 1024


def inflated(data: memoryview, room: int) -> bytes:
    """Decompress one or more gzip members to at most `room` bytes. ProtocolError: it is more, or no gzip, or torn."""
    parts: list[bytes] = []
    at = 0
    while at < len(data):
        inflater = zlib.decompressobj(wbits=31)
        size = FIRST_BYTES
        while not inflater.eof:
            piece = data[at : at + size]
            if not piece:
                raise ProtocolError("a compressed chunk ends too early")
            try:
                parts.append(inflater.decompress(piece, room + 1))
            except zlib.error as error:
                raise ProtocolError(f"a compressed chunk cannot be read: {error}") from error
            room -= len(parts[-1])
            if room < 0:
                raise ProtocolError("a compressed chunk is too large")
            at += len(piece) - len(inflater.unused_data)
            size = min(2 * size, MOST_BYTES)
    return b"".join(parts)
