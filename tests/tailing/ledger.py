"""A reader of a world's files that can be stopped and killed, and an account of every byte that it hands out."""

from __future__ import annotations

import json
import re
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from swak.event import Block
from swak.tailing.files import Files
from swak.tailing.growth import Growth
from swak.tailing.identity import Mark, mark_from, marks_from
from swak.tailing.lineage import Generation, Pace
from swak.tailing.multiline import parse_multiline
from swak.tailing.shape import Limits, Shape
from swak.tailing.shortfalls import Shortfalls
from swak.tailing.tree import Tree

if TYPE_CHECKING:
    from swak.event import Body
    from swak.tailing.turns import Taken
    from tests.tailing.world import File, Stream, World

LIMITS = Limits(line_bytes=100, block_bytes=64)
STEPS_MAX = 5_000
"""More steps than any world here takes to read: a reader that takes more runs in a circle."""


class Chunk(NamedTuple):
    """One step of a reader: the bytes from `start` to `end` of a stream, none when only a position was told."""

    mark: Mark
    stream: Stream
    start: int
    end: int


class Ledger:
    """What is settled of each source, and what of that is on disk."""

    def __init__(self) -> None:
        self.settled: dict[str, Chunk] = {}
        """By source, the last chunk of which all before it is settled, too."""
        self.pending: dict[str, deque[Chunk]] = {}
        self.saved: dict[str, Chunk] = {}
        self.unsaved: list[Chunk] = []
        """Settled after the last save."""

    def add(self, source: str, chunk: Chunk) -> None:
        """Note what was handed out. A position alone is settled as soon as all before it is."""
        self.pending.setdefault(source, deque()).append(chunk)
        self._settle_empty(source)

    def settle(self, source: str, count: int) -> None:
        """Settle the next so many chunks of a source."""
        for _ in range(min(count, len(self.pending[source]))):
            self._settle_one(source)
        self._settle_empty(source)

    def settle_all(self) -> None:
        """Settle everything."""
        for source, chunks in self.pending.items():
            self.settle(source, len(chunks))

    def drop(self, sources: list[str]) -> None:
        """Forget sources of which the reader says that they are gone."""
        for source in sources:
            if not self.pending.get(source):
                self.settled.pop(source, None)

    def save(self) -> None:
        """Write the positions."""
        self.saved, self.unsaved = dict(self.settled), []

    def crash(self) -> list[Chunk]:
        """Go back to what was saved; return the chunks that were handed out after that."""
        lost = [*self.unsaved, *(chunk for chunks in self.pending.values() for chunk in chunks)]
        self.settled, self.unsaved, self.pending = dict(self.saved), [], {}
        return lost

    def unsettled(self) -> list[str]:
        """Return the sources of which something is not settled."""
        return [source for source, chunks in self.pending.items() if chunks]

    def _settle_one(self, source: str) -> None:
        chunk = self.settled[source] = self.pending[source].popleft()
        self.unsaved.append(chunk)

    def _settle_empty(self, source: str) -> None:
        while self.pending[source] and self.pending[source][0].start == self.pending[source][0].end:
            self._settle_one(source)


class Reader:
    """A reader that is started, stopped and killed, and whose steps are checked against the world one by one."""

    def __init__(self, world: World, paths: list[str], *, poll: bool = False, multiline: Any = None) -> None:
        self.world = world
        self.ledger = Ledger()
        self.running: Files | None = None
        self.failed = False
        """Whether something was wrong: then nothing more is to be learned."""
        self.known: set[str] = set()
        """Sources that this run of the reader has met."""
        self.due_bytes = 0
        """How many bytes must have been counted as dropped since the last start, when everything was noticed."""
        self._paths = paths
        self._poll = poll
        self._multiline = None if multiline is None else parse_multiline(multiline)
        self._next: dict[str, tuple[Stream, int]] = {}
        self._shortfalls = Shortfalls()
        world.holds = self._holds
        world.knows = self._knows
        world.loses = self._note_loss

    # Its life

    def start(self) -> None:
        """Start at the positions that were saved."""
        saved = {source: json.loads(json.dumps(one.mark.as_position())) for source, one in self.ledger.saved.items()}
        self.known = set(saved)
        self._next = {source: (chunk.stream, chunk.mark.offset) for source, chunk in self.ledger.saved.items()}
        self.due_bytes = sum(self._lost_while_down(source, chunk) for source, chunk in self.ledger.saved.items())
        self._shortfalls = Shortfalls()
        self.failed = True
        self.running = Files(
            Tree(self._paths),
            marks_from(saved),
            clock=self.world.clock,
            shape=Shape(
                self._shortfalls, LIMITS, multiline=self._multiline, raw_field="raw" if self._multiline else ""
            ),
            growth=Growth[Generation](poll=self._poll),
            pace=Pace(),
            from_end=False,
            open_max=1_000,
            settled=self._settled,
        )
        self.failed = False

    def stop(self) -> None:
        """Stop in order: all that was handed out is settled and saved."""
        assert self.running is not None
        self.failed = True
        while (taken := self.running.rest()) is not None:
            self._note(taken)
        self.failed = False
        self.ledger.settle_all()
        self.ledger.save()
        self._leave()

    def kill(self) -> None:
        """Die: what was saved last is what counts."""
        self._leave()
        for chunk in self.ledger.crash():
            chunk.stream.handed[chunk.start : chunk.end] = bytes(chunk.end - chunk.start)
        for stream in self.world.streams:
            stream.handed_to = 0

    def _leave(self) -> None:
        assert self.running is not None
        self.running.close()
        self.running = None
        self.due_bytes = 0

    def close(self) -> None:
        """Let everything go."""
        if self.running is not None:
            self.running.close()

    # What it reads

    def step(self) -> bool:
        """Take one step; return whether there may be more to do at once."""
        assert self.running is not None
        self.failed = True  # unless it goes well
        taken = self.running.next()
        if taken is not None:
            self._note(taken)
        self._check_open()
        self.failed = False
        if taken is None:
            self.ledger.drop(self.running.gone())
        return taken is not None or self.running.busy

    def drain(self) -> None:
        """Read until there is nothing to do now."""
        for _ in range(STEPS_MAX):
            if not self.step():
                return
        self.failed = True
        raise AssertionError("the reader never rests")

    def check_dropped(self) -> None:
        """Compare what was counted as dropped with what is gone."""
        gone = sum(stream.unread(self.world.extent(stream), len(stream.content)) for stream in self.world.streams)
        dropped = self._shortfalls.bytes_dropped
        assert dropped <= gone, f"dropped {dropped}, seen and gone {self.due_bytes}, gone {gone}"

    def _note(self, taken: Taken) -> None:
        """Check one step."""
        one = self.world.of_source[taken.source]
        self.known.add(taken.source)
        mark = taken.mark
        if taken.body is None:
            self.ledger.add(taken.source, Chunk(mark, one.stream, mark.offset, mark.offset))
            self._next[taken.source] = one.stream, mark.offset
            return
        start = self._place(one, _lines(taken.body), mark.offset)
        stream = one.stream
        part = bytes(stream.content[start : mark.offset])
        assert not any(stream.handed[start : mark.offset]), f"{part!r} of {one.path} was handed out before"
        assert start >= stream.handed_to, f"{part!r} of {one.path} comes after what follows it"
        stream.handed[start : mark.offset] = b"\1" * len(part)
        stream.handed_to = mark.offset
        self._next[taken.source] = stream, mark.offset
        self.ledger.add(taken.source, Chunk(mark, stream, start, mark.offset))

    def _place(self, one: File, lines: list[bytes], end: int) -> int:
        """Find lines in the content of their file, such that they end at their position."""
        stream, expected = self._next.get(one.source, (one.stream, 0))
        starts = [expected if stream is one.stream else 0]
        first = next((line for line in lines if line.strip(b"\r")), None)
        if first is not None:
            starts += [match.start() for match in re.finditer(re.escape(first), one.stream.content)]
        else:
            starts += range(max(0, end - 2 * len(lines)), end)
        for start in starts:
            walked = Walk(one, start, exact=self._multiline is None)
            if all(walked.over(line) for line in lines) and walked.at == end:
                one.stream.torn |= walked.torn
                return walked.began
        content = bytes(one.stream.content[: one.length])
        raise AssertionError(f"{lines} up to {end} was not written to {one.path}, expected at {starts[0]}: {content!r}")

    def _check_open(self) -> None:
        """No file may be closed of which something is not settled."""
        assert self.running is not None
        for source in self.ledger.unsettled():
            assert source in self.running._followed.sources, f"{source} was closed unsettled"

    # What it knows

    def _settled(self, source: str) -> Mark | None:
        chunk = self.ledger.settled.get(source)
        return None if chunk is None else mark_from(chunk.mark.as_position())

    def _holds(self, source: str) -> bool:
        return self.running is not None and source in self.running._followed.sources

    def _knows(self, source: str) -> bool:
        return source in (self.known if self.running is not None else self.ledger.saved)

    def _note_loss(self, one: File) -> None:
        """Count what a stat of the reader showed of a file that is about to be truncated, and nobody has read."""
        generation = self.running._followed.sources.get(one.source) if self.running is not None else None
        if generation is None or self._next.get(one.source, (None, 0))[0] is not one.stream:
            return
        follower = generation.follower
        if follower.offset:
            seen = min(follower._size_bytes, one.length)
            self.due_bytes += one.stream.unread(max(follower.offset, self.world.copied(one.stream, one)), seen)

    def _lost_while_down(self, source: str, chunk: Chunk) -> int:
        """Return the same of a file that was truncated or deleted while nobody read."""
        one, mark = self.world.of_source[source], chunk.mark
        deleted = one.path is None
        if one.stream is chunk.stream and not deleted:
            return 0
        if not (mark.offset or deleted):
            return 0
        start = max(mark.offset, self.world.copied(chunk.stream, one))
        return chunk.stream.unread(start, min(mark.size_bytes, len(chunk.stream.content)))


class Walk:
    """Compares lines that were handed out with what is in a file, one after another."""

    def __init__(self, one: File, start: int, *, exact: bool) -> None:
        self.torn: set[int] = set()
        """Where a line was handed out before its end was written."""
        self._content = bytes(one.stream.content[: one.length])
        self._known_torn = one.stream.torn
        self._may_tear = one.was_moved or one.is_copy
        self._exact = exact
        self.at = self.began = self._after_late_end(start)

    def over(self, line: bytes) -> bool:
        """Go over one line, without its end; tell whether it is there."""
        content, after = self._content, self.at + len(line)
        begins = self.at == 0 or content[self.at - 1 : self.at] == b"\n" or self.at in self._known_torn
        if not begins or content[self.at : after] != line:
            return False
        if not self._exact and content[after : after + 1] == b"\r":
            after += 1  # cut off at the end of a text
        if content[after : after + 1] == b"\n":
            after += 1
        elif LIMITS.line_bytes - 4 < len(line) <= LIMITS.line_bytes:
            end = content.find(b"\n", after)
            after = end + 1 if end >= 0 else self._tear(len(content))
        elif after == len(content):
            self._tear(after)
        else:
            return False
        self.at = after
        return not self.torn or self._may_tear

    def _tear(self, at: int) -> int:
        self.torn.add(at)
        return at

    def _after_late_end(self, start: int) -> int:
        """Skip the line end of a line that was handed out before it had one."""
        if start in self._known_torn:
            for end in (b"\n", b"\r\n"):
                if self._content.startswith(end, start):
                    return start + len(end)
        return start


def _lines(body: Body) -> list[bytes]:
    if isinstance(body, Block):
        assert body.data.endswith(b"\n")
        return body.data.split(b"\n")[:-1]
    return [line for record in body.records() for line in _lines_of(record)]


def _lines_of(record: dict[str, Any]) -> list[bytes]:
    if "raw" in record:
        lines = [line.removesuffix(b"\r") for line in record["raw"].split(b"\n")]
    else:
        lines = record["message"].encode().split(b"\n")
    assert not any(line.startswith(b"<") for line in lines[1:]), f"two events in one: {lines}"
    return lines
