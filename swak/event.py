"""Event and Batch: what flows, and the three shapes in which it travels."""

from __future__ import annotations

from itertools import starmap
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from swak.ack import Ack, join

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from swak.ack import Position, Told

Record = dict[str, Any]

EVENTS_MAX = 1_000
"""Events in one batch of Rows or Dicts: at 1,000 an actor hop costs 0.02 CPU-s a million events, and a batch 0.7 MB."""

BLOCK_BYTES = 256 * 1024
"""Bytes in one Block: larger blocks read no faster (measured: 64 KiB to 1 MiB tie, 4 MiB is slower)."""

ROW_BYTES = 730
DICT_BYTES = 910
"""Resident bytes of an access-log event as a struct and as a dict, measured."""


_TAG, _TIME_NS, _RECORD = attrgetter("tag"), attrgetter("time_ns"), attrgetter("record")


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
    """Bytes of whole lines, each ending in a line feed, as they were read at `time_ns`. Nothing has looked inside.

    A block that a buffer joined of several reads has a time for each line; `time_ns` is then that of the first.
    """

    __slots__ = ("_times", "count", "data", "encoding", "time_ns")

    def __init__(
        self,
        data: bytes,
        time_ns: int,
        encoding: str = "utf-8",
        count: int | None = None,
        times: Sequence[int] | None = None,
    ) -> None:
        self.data = data
        self.time_ns = time_ns
        self.encoding = encoding
        # Line ends, counted by leaving them out: `bytes.count` looks at each byte, `replace` jumps from one to the next
        # (measured for 183 bytes a line: 0.061 and 0.016 CPU-s a million lines).
        self.count = len(data) - len(data.replace(b"\n", b"")) if count is None else count
        self._times = times

    @property
    def size_bytes(self) -> int:
        """Resident size."""
        return len(self.data)

    def lines(self) -> list[str]:
        """Decode and split; line ends (LF or CRLF) are cut off, undecodable bytes become U+FFFD."""
        lines = self.data.decode(self.encoding, "replace").split("\n")
        lines.pop()
        if len(lines) != self.count:  # a multi-byte encoding took a line feed for part of a broken character
            each = [line.decode(self.encoding, "replace") for line in self.data.split(b"\n")[:-1]]
            lines = [line.replace("\n", "\ufffd") for line in each]
        if b"\r" in self.data and b"\r\n" in self.data:  # looking for one byte costs a fifth of looking for two
            return [line.removesuffix("\r") for line in lines]
        return lines

    def records(self) -> list[Record]:
        """Make one record a line: `{"message": line}`."""
        return [{"message": line} for line in self.lines()]

    def times(self) -> Sequence[int]:
        """Give every line the time at which it was read."""
        return [self.time_ns] * self.count if self._times is None else self._times

    def cut(self, start: int, stop: int) -> Block:
        """Return the lines from `start` to `stop` as a block of their own."""
        stop = min(stop, self.count)
        part = self.data.split(b"\n", start)[start] if start else self.data
        if stop < self.count:
            part = part[: len(part) - len(part.split(b"\n", stop - start)[-1])]
        times = None if self._times is None else self._times[start:stop]
        return Block(part, times[0] if times else self.time_ns, self.encoding, stop - start, times)


class Rows:
    """Rows of one schema, a msgspec struct without gc: a quarter cheaper to make and to encode than dicts."""

    __slots__ = ("_rows", "_times", "size_bytes")

    def __init__(self, rows: list[Any], times: Sequence[int], size_bytes: int | None = None) -> None:
        self._rows = rows
        self._times = times
        self.size_bytes = len(rows) * ROW_BYTES if size_bytes is None else size_bytes

    @property
    def rows(self) -> list[Any]:
        """The rows, to read and never to change."""
        return self._rows

    @property
    def count(self) -> int:
        """Number of events."""
        return len(self._rows)

    def records(self) -> list[Record]:
        """Make plain dicts, fresh ones at each call."""
        return records_of(self.rows, type(self.rows[0])) if self.rows else []

    def times(self) -> Sequence[int]:
        """Return the time of each row, in nanoseconds."""
        return self._times

    def cut(self, start: int, stop: int) -> Rows:
        """Return the rows from `start` to `stop`."""
        rows = self.rows[start:stop]
        return Rows(rows, self._times[start:stop], self.size_bytes * len(rows) // max(1, self.count))


def record_of(row: Any) -> Record:
    """Make a plain dict of a row. Its fields have the names that they are written with, be they identifiers or not."""
    kind = type(row)
    if kind.__struct_encode_fields__ == kind.__struct_fields__:
        return msgspec.structs.asdict(row)
    return dict(zip(kind.__struct_encode_fields__, msgspec.structs.astuple(row), strict=True))


def records_of(rows: Iterable[Any], kind: type[Any]) -> list[Record]:
    """Make plain dicts of rows of one type; by one call into C each where all names are identifiers."""
    if kind.__struct_encode_fields__ == kind.__struct_fields__:
        return list(map(msgspec.structs.asdict, rows))
    return list(map(record_of, rows))


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

    @staticmethod
    def joined(bodies: Sequence[Any], times: Sequence[int], size_bytes: int) -> Dicts:
        """Join bodies that are all of this one class; `times` are those of all of them."""
        return Dicts([record for body in bodies for record in body.shared], times, size_bytes)

    def cut(self, start: int, stop: int) -> Dicts:
        """Return the records from `start` to `stop`."""
        records = self._records[start:stop]
        return Dicts(records, self._times[start:stop], self.size_bytes * len(records) // max(1, self.count))


Body = Block | Rows | Dicts


class Chunk(NamedTuple):
    """What an input read: events of one tag (or a list with the tag of each), and the position right after them."""

    body: Body
    tag: str | list[str]
    source: str = ""
    position: Position = None
    told: Told = None
    """Called when all of the events are settled."""


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
        return list(starmap(Event, zip(self.tag_list(), self.body.times(), self.body.records(), strict=True)))

    def cut(self, start: int, stop: int, ack: Ack) -> Batch:
        """Return the events from `start` to `stop` as a batch with an Ack of its own."""
        tags = self.tags if isinstance(self.tags, str) else self.tags[start:stop]
        return Batch(self.body.cut(start, stop), tags, ack)

    def pick(self, indices: list[int]) -> Batch:
        """Return the events at `indices`, with their tags, under the same Ack. A Block, of one tag, is never picked."""
        tags = self.tag_list()
        times = self.body.times()
        chosen_times = [times[index] for index in indices]
        size_bytes = self.size_bytes * len(indices) // max(1, self.count)
        body: Body
        if isinstance(self.body, Rows):
            body = Rows([self.body.rows[index] for index in indices], chosen_times, size_bytes)
        else:
            records = self.body.shared if isinstance(self.body, Dicts) else self.body.records()
            body = Dicts([records[index] for index in indices], chosen_times, size_bytes)
        chosen = [tags[index] for index in indices]
        return Batch(body, chosen[0] if chosen.count(chosen[0]) == len(chosen) else chosen, self.ack)

    def with_ack(self, ack: Ack) -> Batch:
        """Return the same events under another Ack."""
        return Batch(self.body, self.tags, ack)


def from_events(events: Sequence[Event], ack: Ack, size_bytes: int | None = None) -> Batch:
    """Make one batch of `events`."""
    body, tags = gather(events, size_bytes)
    return Batch(body, tags, ack)


def gather(events: Sequence[Event], size_bytes: int | None = None) -> tuple[Dicts, str | list[str]]:
    """Put events into one body; their tags come as one string when they are all the same."""
    tags = list(map(_TAG, events))
    alike = bool(tags) and tags.count(tags[0]) == len(tags)
    body = Dicts(list(map(_RECORD, events)), list(map(_TIME_NS, events)), size_bytes)
    return body, tags[0] if alike else tags


def merge(batches: list[Batch]) -> list[Batch]:
    """Join neighbours into as few batches as hold at most EVENTS_MAX events (BLOCK_BYTES for lines), in order.

    Lines are joined with lines of the same tag and encoding only: bytes stay as they were read.
    """
    merged: list[Batch] = []
    run: list[Batch] = []
    count = size_bytes = 0
    for batch in batches:
        if run and not _fits(run[0], batch, count, size_bytes):
            merged.append(_joined(run))
            run, count, size_bytes = [], 0, 0
        run.append(batch)
        count += batch.count
        size_bytes += batch.size_bytes
    return [*merged, _joined(run)] if run else merged


def _fits(first: Batch, batch: Batch, count: int, size_bytes: int) -> bool:
    """Tell whether `batch` may join a run that begins with `first` and holds that many events and bytes."""
    mine, other = first.body, batch.body
    if isinstance(mine, Block):
        alike = isinstance(other, Block) and mine.encoding == other.encoding
        return alike and first.tags == batch.tags and size_bytes + batch.size_bytes <= BLOCK_BYTES
    return not isinstance(other, Block) and count + batch.count <= EVENTS_MAX


def _joined(run: list[Batch]) -> Batch:
    if len(run) == 1:
        return run[0]
    ack = join(batch.ack for batch in run)
    bodies = [batch.body for batch in run]
    times = [time_ns for body in bodies for time_ns in body.times()]
    blocks = [body for body in bodies if isinstance(body, Block)]
    if blocks:
        times_or_none = None if times.count(times[0]) == len(times) else times
        first, data = blocks[0], b"".join(block.data for block in blocks)
        return Batch(Block(data, times[0], first.encoding, len(times), times_or_none), run[0].tags, ack)
    tags = [tag for batch in run for tag in batch.tag_list()]
    alike: str | list[str] = tags[0] if tags.count(tags[0]) == len(tags) else tags
    size_bytes = sum(body.size_bytes for body in bodies)
    parsed = [body for body in bodies if isinstance(body, Rows)]
    if len(parsed) == len(bodies) and len({type(row) for body in parsed for row in body.rows[:1]}) == 1:
        rows = [row for body in parsed for row in body.rows]
        return Batch(Rows(rows, times, size_bytes), alike, ack)
    if len({type(body) for body in bodies}) == 1 and isinstance(bodies[0], Dicts):
        return Batch(bodies[0].joined(bodies, times, size_bytes), alike, ack)
    records = [record for body in bodies for record in (body.shared if isinstance(body, Dicts) else body.records())]
    return Batch(Dicts(records, times, size_bytes), alike, ack)


def _resident(records: list[Record]) -> int:
    """Estimate resident bytes: a dict's own weight, and the text beyond what that measure held."""
    text = sum(len(value) for record in records for value in record.values() if type(value) in (str, bytes))
    return len(records) * DICT_BYTES + text
