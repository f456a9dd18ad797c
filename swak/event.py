"""Event and Batch: what flows, and the three shapes in which it travels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from swak.ack import Ack, join

if TYPE_CHECKING:
    from swak.ack import Position

Record = dict[str, Any]

EVENTS_MAX = 1_000
"""Events in one batch of Rows or Dicts: at 1,000 an actor hop costs 0.02 CPU-s a million events, and a batch 0.7 MB."""

BLOCK_BYTES = 256 * 1024
"""Bytes in one Block: larger blocks read no faster (measured: 64 KiB to 1 MiB tie, 4 MiB is slower)."""

ROW_BYTES = 730
DICT_BYTES = 910
"""Resident bytes of an access-log event as a struct and as a dict, measured."""


class Event(msgspec.Struct, gc=False):
    """One thing that happened: a tag to route by, a time in nanoseconds since 1970 (UTC), a record of fields."""

    tag: str
    time_ns: int
    record: Record

    def replace(self, *, tag: str | None = None, time_ns: int | None = None, record: Record | None = None) -> Event:
        """Return a copy with the given parts replaced."""
        return Event(
            self.tag if tag is None else tag,
            self.time_ns if time_ns is None else time_ns,
            self.record if record is None else record,
        )


class Block:
    """Bytes of whole lines, each ending in a line feed, as they were read at `time_ns`. Nothing has looked inside."""

    __slots__ = ("count", "data", "encoding", "time_ns")

    def __init__(self, data: bytes, time_ns: int, encoding: str = "utf-8", count: int | None = None) -> None:
        self.data = data
        self.time_ns = time_ns
        self.encoding = encoding
        self.count = data.count(b"\n") if count is None else count

    @property
    def size_bytes(self) -> int:
        """Resident size."""
        return len(self.data)

    def lines(self) -> list[str]:
        """Decode and split; line ends (LF or CRLF) are cut off, undecodable bytes become U+FFFD."""
        lines = self.data.decode(self.encoding, "replace").split("\n")
        lines.pop()
        if b"\r\n" in self.data:
            return [line.removesuffix("\r") for line in lines]
        return lines

    def records(self) -> list[Record]:
        """Make one record a line: `{"message": line}`."""
        return [{"message": line} for line in self.lines()]

    def times(self) -> Sequence[int]:
        """Give every line the time at which the block was read."""
        return [self.time_ns] * self.count

    def cut(self, start: int, stop: int) -> Block:
        """Return the lines from `start` to `stop` as a block of their own."""
        part = self.data.split(b"\n")[start : min(stop, self.count)]
        return Block(b"\n".join(part) + b"\n", self.time_ns, self.encoding, len(part))


class Rows:
    """Rows of one schema, a msgspec struct without gc: a quarter cheaper to make and to encode than dicts."""

    __slots__ = ("_times", "rows", "size_bytes")

    def __init__(self, rows: list[Any], times: Sequence[int], size_bytes: int | None = None) -> None:
        self.rows = rows
        self._times = times
        self.size_bytes = len(rows) * ROW_BYTES if size_bytes is None else size_bytes

    @property
    def count(self) -> int:
        """Number of events."""
        return len(self.rows)

    def records(self) -> list[Record]:
        """Make plain dicts, fresh ones at each call."""
        return [msgspec.structs.asdict(row) for row in self.rows]

    def times(self) -> Sequence[int]:
        """Return the time of each row, in nanoseconds."""
        return self._times

    def cut(self, start: int, stop: int) -> Rows:
        """Return the rows from `start` to `stop`."""
        rows = self.rows[start:stop]
        return Rows(rows, self._times[start:stop], self.size_bytes * len(rows) // max(1, self.count))


class Dicts:
    """Records as plain dicts. They are shared until somebody asks for `records()`, which makes copies."""

    __slots__ = ("_records", "_times", "size_bytes")

    def __init__(self, records: list[Record], times: Sequence[int], size_bytes: int | None = None) -> None:
        self._records = records
        self._times = times
        self.size_bytes = _resident(records) if size_bytes is None else size_bytes

    @property
    def count(self) -> int:
        """Number of events."""
        return len(self._records)

    @property
    def shared(self) -> list[Record]:
        """The records themselves, to read and never to change."""
        return self._records

    def records(self) -> list[Record]:
        """Make a shallow copy of each record, so that two branches never see each other's changes."""
        return [record.copy() for record in self._records]

    def times(self) -> Sequence[int]:
        """Return the time of each record, in nanoseconds."""
        return self._times

    def cut(self, start: int, stop: int) -> Dicts:
        """Return the records from `start` to `stop`."""
        records = self._records[start:stop]
        return Dicts(records, self._times[start:stop], self.size_bytes * len(records) // max(1, self.count))


Body = Block | Rows | Dicts


class Chunk(NamedTuple):
    """What an input read: events of one tag, and the position right after them in one source."""

    body: Body
    tag: str
    source: str = ""
    position: Position = None


class Batch:
    """Events that travel together with one Ack: the only data that passes between actors. Immutable."""

    __slots__ = ("ack", "body", "tags")

    def __init__(self, body: Body, tags: str | list[str], ack: Ack) -> None:
        self.body = body
        self.tags = tags
        self.ack = ack

    @property
    def count(self) -> int:
        """Number of events."""
        return self.body.count

    @property
    def size_bytes(self) -> int:
        """Resident bytes, as far as they can be estimated cheaply."""
        return self.body.size_bytes

    def tag_list(self) -> list[str]:
        """Return the tag of each event."""
        return [self.tags] * self.count if isinstance(self.tags, str) else self.tags

    def events(self) -> list[Event]:
        """Make the events, with records of their own."""
        return [Event(*parts) for parts in zip(self.tag_list(), self.body.times(), self.body.records(), strict=True)]

    def cut(self, start: int, stop: int, ack: Ack) -> Batch:
        """Return the events from `start` to `stop` as a batch with an Ack of its own."""
        tags = self.tags if isinstance(self.tags, str) else self.tags[start:stop]
        return Batch(self.body.cut(start, stop), tags, ack)

    def with_ack(self, ack: Ack) -> Batch:
        """Return the same events under another Ack."""
        return Batch(self.body, self.tags, ack)


def from_events(events: Sequence[Event], ack: Ack, size_bytes: int | None = None) -> Batch:
    """Make one batch of `events`."""
    body, tags = gather(events, size_bytes)
    return Batch(body, tags, ack)


def gather(events: Sequence[Event], size_bytes: int | None = None) -> tuple[Dicts, str | list[str]]:
    """Put events into one body; their tags come as one string when they are all the same."""
    tags = [event.tag for event in events]
    alike = bool(tags) and tags.count(tags[0]) == len(tags)
    body = Dicts([event.record for event in events], [event.time_ns for event in events], size_bytes)
    return body, tags[0] if alike else tags


def merge(batches: list[Batch]) -> list[Batch]:
    """Join neighbours into as few batches as hold at most EVENTS_MAX events (BLOCK_BYTES for lines), in order."""
    merged: list[Batch] = []
    run: list[Batch] = []
    for batch in batches:
        if run and not _fits(run, batch):
            merged.append(_joined(run))
            run = []
        run.append(batch)
    return [*merged, _joined(run)] if run else merged


def _fits(run: list[Batch], batch: Batch) -> bool:
    first = run[0].body
    if isinstance(first, Block):
        same = isinstance(batch.body, Block) and (first.encoding, first.time_ns) == (
            batch.body.encoding,
            batch.body.time_ns,
        )
        return same and run[0].tags == batch.tags and sum(b.size_bytes for b in run) + batch.size_bytes <= BLOCK_BYTES
    return not isinstance(batch.body, Block) and sum(b.count for b in run) + batch.count <= EVENTS_MAX


def _joined(run: list[Batch]) -> Batch:
    if len(run) == 1:
        return run[0]
    ack = join(batch.ack for batch in run)
    tags = [tag for batch in run for tag in batch.tag_list()]
    alike: str | list[str] = tags[0] if tags.count(tags[0]) == len(tags) else tags
    bodies = [batch.body for batch in run]
    size_bytes = sum(body.size_bytes for body in bodies)
    first = bodies[0]
    if isinstance(first, Block):
        data = b"".join(body.data for body in bodies if isinstance(body, Block))
        return Batch(Block(data, first.time_ns, first.encoding), alike, ack)
    times = [time_ns for body in bodies for time_ns in body.times()]
    if all(isinstance(body, Rows) and type(body.rows[0]) is type(first.rows[0]) for body in bodies if body.count):  # type: ignore[union-attr]
        rows = [row for body in bodies for row in body.rows]  # type: ignore[union-attr]
        return Batch(Rows(rows, times, size_bytes), alike, ack)
    records = [record for body in bodies for record in (body.shared if isinstance(body, Dicts) else body.records())]
    return Batch(Dicts(records, times, size_bytes), alike, ack)


def _resident(records: list[Record]) -> int:
    """Estimate resident bytes: a dict's own weight, and the text beyond what that measure held."""
    text = sum(len(value) for record in records for value in record.values() if type(value) in (str, bytes))
    return len(records) * DICT_BYTES + text
