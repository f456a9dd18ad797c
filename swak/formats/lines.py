"""Bodies as lines: JSON, or the text that they were made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swak.event import Block
from swak.formats.json_text import JsonText, encode_body, encode_lines
from swak.formats.plain import readable, utf8

if TYPE_CHECKING:
    from swak.event import Body, Record


def json_lines(body: Body) -> bytes:
    """Return one JSON object a line, encoded as a whole: 0.28 CPU-s a million rows, 0.46 dicts.

    TypeError when a record holds what JSON cannot carry (an object, a key that is not text or number).
    NaN and infinity become null, bytes base64, times ISO text, lone surrogates U+FFFD.
    """
    if isinstance(body, JsonText):
        return body.data
    return encode_body(body)


def raw_lines(body: Body) -> bytes:
    """Return a Block's bytes as they are; of other bodies the field `message` of each record, or else its JSON."""
    if isinstance(body, Block):
        return body.data if body.data.endswith(b"\n") or not body.data else body.data + b"\n"
    return b"".join([_raw_line(record) for record in readable(body)])


def _raw_line(record: Record) -> bytes:
    text = record.get("message")
    if isinstance(text, str):
        return utf8(text) + b"\n"
    return text + b"\n" if isinstance(text, bytes) else encode_lines([record])
