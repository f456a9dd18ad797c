"""What becomes of the whole lines of a file: bytes of UTF-8, or records where more was asked for."""

from __future__ import annotations

from hashlib import blake2b
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple
from zlib import crc32

from swak.event import BLOCK_BYTES, EVENTS_MAX, Block, Dicts
from swak.tailing.encoding import codec_for

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from swak.event import Body, Record
    from swak.tailing.encoding import Codec
    from swak.tailing.multiline import Multiline
    from swak.tailing.shortfalls import Shortfalls


class Limits(NamedTuple):
    """Bounds of one read: `block_bytes` in one block, `line_bytes` of a line (without its end) that are delivered."""

    line_bytes: int = 2**20
    block_bytes: int = BLOCK_BYTES


class Piece(NamedTuple):
    """Bytes of one file, from the beginning of a line on."""

    data: bytes
    start: int
    """Where in the file they begin."""
    path: str
    time_ns: int
    """When they were read."""
    cut_bytes: int = 0
    """What was left out before the end of their only line."""
    origin: str = ""
    """Which content of which file they are; nothing where they come a second time on purpose."""

    def generation(self) -> str:
        """Return a short text for that content of that file, the same whatever the file is called."""
        return blake2b(self.origin.encode(), digest_size=8).hexdigest() if self.origin else ""


class Shape:
    """Makes bodies of pieces of files. One for all files of an input."""

    def __init__(
        self,
        shortfalls: Shortfalls,
        limits: Limits,
        *,
        encoding: str = "utf-8",
        multiline: Multiline | None = None,
        fields: Collection[str] = (),
        host: str = "",
        raw_field: str = "",
        header: Sequence[str] = (),
    ) -> None:
        """`fields`: which of "path", "offset", "host" and "id" are added; `raw_field`: where bytes go that are no text.

        `header`: how lines begin that say how the ones after them are read.
        """
        self.header = header
        self.shortfalls = shortfalls
        self.multiline = multiline
        if multiline is not None:  # the longest event fits twice, so a block without an end of one cannot be full
            limits = limits._replace(block_bytes=max(limits.block_bytes, 2 * multiline.max_bytes))
        self.limits = limits
        self._encoding = encoding
        self._path = "path" in fields
        self._offset = "offset" in fields
        self._id = "id" in fields
        self._host = {"host": host} if "host" in fields else {}
        self._raw_field = raw_field
        self._plain = multiline is None and not fields

    def codec(self, head: bytes) -> Codec:
        """Return the codec of a file that begins with `head`."""
        return codec_for(self._encoding, head)

    def take(self, codec: Codec, piece: Piece, *, whole: bool = False) -> tuple[int, Body] | None:
        """Return how many bytes of the piece are whole events, and the body made of them; None when none is.

        With `whole` what is there of a last event is one: its end will not come.
        """
        end = codec.last_end(piece.data)
        if not end:
            return None
        lines = piece.data[:end]
        if not self._plain or (self._raw_field and codec.to_utf8(lines)[1]):
            return self._records(codec, piece._replace(data=lines), whole=whole)
        if piece.cut_bytes:
            self._note_cut(piece.cut_bytes, piece)
        if end - codec.width > self.limits.line_bytes:
            lines = self._shorten(codec, lines, piece)
        text, bad = codec.to_utf8(lines)
        if bad:
            self.shortfalls.note_bad(bad, piece.path, codec.name, piece.time_ns)
        return end, Block(text, piece.time_ns)

    def _records(self, codec: Codec, piece: Piece, *, whole: bool) -> tuple[int, Body] | None:
        lines = codec.split(piece.data)
        sizes = [len(line) + codec.width for line in lines]
        counts = [1] * min(len(lines), EVENTS_MAX)
        if self.multiline is not None:
            counts, splits = self.multiline.events(self._texts(codec, lines), sizes, events_max=EVENTS_MAX)
            rest = len(lines) - sum(counts)
            if whole and rest and len(counts) < EVENTS_MAX:
                counts.append(rest)
            if not counts:
                return None
            if splits:
                self.shortfalls.note_split(splits, piece.path, self.multiline.max_bytes, piece.time_ns)
        used = sum(counts)
        lines = lines[:used]
        end = sum(sizes[:used])
        bad = codec.to_utf8(piece.data[:end])[1]
        if bad:
            self.shortfalls.note_bad(bad, piece.path, codec.name, piece.time_ns)
        return end, self._each(codec, lines, counts, piece)

    def _each(self, codec: Codec, lines: list[bytes], counts: list[int], piece: Piece) -> Body:
        """Make a record of each event; event number `i` has `counts[i]` lines."""
        if piece.cut_bytes:
            self._note_cut(piece.cut_bytes, piece)
        limit = self.limits.line_bytes
        offsets = [piece.start, *accumulate((len(line) + codec.width for line in lines), initial=piece.start)][1:]
        for index, line in enumerate(lines):
            if len(line) > limit:
                lines[index] = codec.shorten(line, limit)
                self._note_cut(len(line) - len(lines[index]), piece)
        texts = self._texts(codec, lines)
        generation = piece.generation() if self._id else ""
        records: list[Record] = []
        at = 0
        for count in counts:
            record: Record = {"message": texts[at] if count == 1 else "\n".join(texts[at : at + count])}
            if self._path:
                record["path"] = piece.path
            if self._offset:
                record["offset"] = offsets[at]
            if generation:
                # The text counts, too: an event that was handed out before it was complete is another one, when it
                # is read again; so is what stands at the same place after a truncation that no checkpoint knows of.
                check = crc32(codec.line_end.join(lines[at : at + count]))
                record["id"] = f"{generation}-{offsets[at]}-{check:08x}"
            record |= self._host
            if self._raw_field and any(map(codec.is_bad, lines[at : at + count])):
                record[self._raw_field] = codec.line_end.join(lines[at : at + count])
            records.append(record)
            at += count
        return Dicts(records, [piece.time_ns] * len(records))

    @staticmethod
    def _texts(codec: Codec, lines: list[bytes]) -> list[str]:
        """Decode lines; CR at their ends is cut off."""
        text = codec.to_utf8(b"".join([line + codec.line_end for line in lines]))[0].decode("utf-8", "replace")
        return [line.removesuffix("\r") for line in text.split("\n")[:-1]]

    def _shorten(self, codec: Codec, lines: bytes, piece: Piece) -> bytes:
        """Cut lines that are too long. Looks at one line end in each `line_bytes`, not at each line."""
        limit, width = self.limits.line_bytes, codec.width
        parts: list[bytes] = []
        kept = at = 0
        while len(lines) - at > limit + width:
            end = codec.last_end(lines[at : at + limit + width])
            if not end:
                end = codec.first_end(lines, at) - at
                line = codec.shorten(lines[at : at + limit], limit)
                parts += (lines[kept:at], line, codec.line_end)
                kept = at + end
                self._note_cut(end - width - len(line), piece)
            at += end
        return b"".join((*parts, lines[kept:])) if parts else lines

    def _note_cut(self, size_bytes: int, piece: Piece) -> None:
        self.shortfalls.note_cut(size_bytes, piece.path, self.limits.line_bytes, piece.time_ns)
