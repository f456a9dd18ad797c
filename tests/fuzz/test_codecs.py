"""Bytes in any pieces through the line cutter and the codecs: every line is an event, whichever way it is read.

SWAK_LONG=1 looks for new bytes for five minutes.
"""

from __future__ import annotations

import json
import os
import time

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as some

from swak.event import EVENTS_MAX, Body, Dicts
from swak.formats.json_text import JsonText
from swak.formats.lines import json_lines
from swak.sockets.codecs import FAILURE, Codec, CodecName
from swak.sockets.lines import LineCutter

LONG = os.environ.get("SWAK_LONG") == "1"
LONG_S = float(os.environ.get("SWAK_FUZZ_S", "300"))
NOW_NS = 10**18
LINE_BYTES_MAX = 200

pytestmark = pytest.mark.timeout(LONG_S + 120 if LONG else 60)  # the last look may begin at the end

TEXTS = ["", "a", "host", "@timestamp", "message", "한", "\\", '"', "\ud800", "\x00", "}\n{", "2026-11-21T01:07:27Z"]
VALUES = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.sampled_from(TEXTS) | some.text(max_size=5),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.sampled_from(TEXTS), inner, max_size=3),
    max_leaves=6,
)
OBJECTS = some.dictionaries(some.sampled_from(TEXTS), VALUES, max_size=4)
ODD = [
    b"",
    b" ",
    b"\r",
    b"\n",
    b"\r\n",
    b"{",
    b"}",
    b"[",
    b"]",
    b'"',
    b",",
    b":",
    b"\xff",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
]
ODDER = [
    b"1e999",
    b"-1e999",
    b"9" * 400,
    b"NaN",
    b"01",
    b"\\ud800",
    b"\\",
    b"\x00",
    b"{}",
    b'{"a":1}',
    b"tru",
    b"[" * 600,
]


@some.composite
def streams(draw: some.DrawFn) -> bytes:
    """Make JSON lines, in about half of the cases with odd bytes in between."""
    written = draw(some.lists(OBJECTS, max_size=8))
    tight = (",", ":") if draw(some.booleans()) else None
    data = b"".join(
        json.dumps(one, separators=tight).encode() + draw(some.sampled_from([b"\n", b"\r\n"])) for one in written
    )
    for _ in range(draw(some.integers(0, 3))):
        at = draw(some.integers(0, len(data)))
        left_out = draw(some.integers(0, 3))
        data = data[:at] + draw(some.sampled_from(ODD + ODDER) | some.binary(max_size=4)) + data[at + left_out :]
    return data


def read(data: bytes, cuts: list[int], name: CodecName, host_field: str | None, *, closely: bool) -> list[Body]:
    """Read a stream that comes in pieces."""
    cutter, codec = LineCutter(LINE_BYTES_MAX), Codec(name, host_field=host_field, time_field="@timestamp")
    if closely:
        codec._heads = None
    bodies: list[Body] = []
    at = 0
    for size in [*cuts, len(data)]:
        bodies += codec.lines([(cutter.feed(data[at : at + size]), "1.2.3.4")], NOW_NS)
        at += size
        assert cutter.held_bytes <= LINE_BYTES_MAX
    return bodies + codec.lines([(cutter.end(), "1.2.3.4")], NOW_NS)


def check_ways(data: bytes, cuts: list[int], host_field: str | None) -> None:
    """Every line is read alike the fast way and closely, in one piece and in many."""
    ways = [
        read(data, pieces, "json", host_field, closely=closely) for pieces in ([], cuts) for closely in (True, False)
    ]
    records = [[record for body in way for record in body.records()] for way in ways]
    times = [[time_ns for body in way for time_ns in body.times()] for way in ways]
    assert all(repr(one) == repr(records[0]) for one in records)
    assert all(one == times[0] for one in times)
    for way in ways:
        for body in way:
            assert isinstance(body, Dicts)
            assert 0 < body.count <= EVENTS_MAX
            written = json_lines(body)
            assert written.count(b"\n") == body.count == len(body.records())
            if isinstance(body, JsonText):
                assert written == body.data
                assert repr([_seen(line) for line in written.splitlines()]) == repr(body.records())


def _seen(line: bytes) -> object:
    """Read a line as another reader does; numbers beyond a float's range are text."""
    return json.loads(line, parse_float=lambda digits: digits if abs(float(digits)) == float("inf") else float(digits))


def check_conserved(data: bytes, cuts: list[int], name: CodecName, host_field: str | None) -> None:
    """No line is missing: each is an event, of JSON only the empty ones are not, and an array may be several."""
    count = sum(body.count for body in read(data, cuts, name, host_field, closely=False))
    lines = data.split(b"\n")
    lines = lines if lines[-1] else lines[:-1]
    if name != "json":
        assert count == len(lines)
        return
    texts = [line[:LINE_BYTES_MAX].decode(errors="replace").strip() for line in lines]
    wanted = [text for text in texts if text]
    assert count >= len([text for text in wanted if not text.startswith("[")])
    assert count <= len(wanted) + data.count(b"{")


def check_datagram(data: bytes, name: CodecName) -> None:
    """A datagram never fails, and what is no JSON keeps its text."""
    codec = Codec(name, host_field=None, time_field=None)
    records = [record for body in codec.texts([(data, "x")], NOW_NS) for record in body.records()]
    if name == "plain":
        assert records == [{"message": data.decode(errors="replace")}]
    failed = [record for record in records if record.get("tags") == [FAILURE]]
    assert codec.failures == len(failed) or name != "json" or FAILURE.encode() in data


@settings(
    max_examples=500 if LONG else 300,
    deadline=None,
    derandomize=not LONG,
    database=None,
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)
@given(
    streams() | some.binary(max_size=300),
    some.lists(some.integers(0, 60), max_size=12),
    some.sampled_from([None, "host", "sender"]),
)
def look(data: bytes, cuts: list[int], host_field: str | None) -> None:
    """Check one stream in every way."""
    check_ways(data, cuts, host_field)
    for name in ("json", "line", "plain"):
        check_conserved(data, cuts, name, host_field)
        check_datagram(data, name)


def test_whatever_comes_in_whatever_pieces_is_conserved_and_read_alike() -> None:
    look()
    ends_s = time.monotonic() + LONG_S
    while LONG and time.monotonic() < ends_s:
        look()
