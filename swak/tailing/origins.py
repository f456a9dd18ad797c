"""Several copies of one content: how far it is settled in all of them together, and which of them is read on."""

from __future__ import annotations

import sys
from collections import defaultdict
from typing import TYPE_CHECKING

import msgspec

from swak.log import get
from swak.tailing.closed import Spot
from swak.tailing.content import begins_with
from swak.tailing.identity import HEAD_BYTES, HEAD_SHOWN, TAIL_BYTES, Mark, head_hash, origin_text, path_text
from swak.tailing.turns import Taken

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Mapping

    from swak.tailing.closed import Closed
    from swak.tailing.content import Content
    from swak.tailing.discovery import Opened
    from swak.tailing.lineage import Generation

log = get("swak.tailing")


def origin_of(mark: Mark, source: str) -> str:
    """Say whose content it is that was read up to `mark`. A copy of a copy is one of the same."""
    return mark.origin or origin_text(source, mark.cycle)


def as_copy(mark: Mark, source: str) -> Mark:
    """Return the position in the file `source` as one in a copy of it."""
    return msgspec.structs.replace(mark, begin=mark.offset, cycle=0, origin=origin_of(mark, source))


def mended(marks: Mapping[str, Mark]) -> dict[str, Mark]:
    """Return, as they should be, those positions that do not fit together: each source is settled on its own.

    They are to be told in this order, before anything is read: what is saved after that must not say of a file that it
    has gone on to other content, and of its copies what they were before.
    """
    found = _taken_back(marks)
    found |= _caught_up({**marks, **found})
    return found | _gone_on(marks)


def _taken_back(marks: Mapping[str, Mark]) -> dict[str, Mark]:
    """Return the copies whose position is beyond what is settled of the file of which they are copies."""
    found = {}
    for source, mark in marks.items():
        name, cycle = _parts(mark)
        original = marks.get(name)
        if original is None:
            continue
        if original.cycle < cycle:  # nothing is settled of the content of which it is a copy
            original = Mark(0, original.path, time_ns=original.time_ns, cycle=cycle)
        if original.cycle == cycle and original.offset < mark.begin:
            back = as_copy(original, name)
            found[source] = _placed(back, mark, begin=back.begin, size_bytes=mark.size_bytes)
    return found


def _caught_up(marks: Mapping[str, Mark]) -> dict[str, Mark]:
    """Return the copies of a content of which more is settled in another copy, which may be gone by now."""
    groups: defaultdict[str, dict[str, Mark]] = defaultdict(dict)
    for source, mark in marks.items():
        if mark.origin:
            groups[mark.origin][source] = mark
    found = {}
    for group in groups.values():
        steps = sorted(group.values(), key=lambda one: one.begin)
        for source, mark in group.items():
            most = mark
            for one in steps:
                if one.begin <= most.offset < one.offset:
                    most = one
            if most is not mark:
                found[source] = _placed(most, mark, begin=mark.begin, size_bytes=most.size_bytes)
    return found


def _gone_on(marks: Mapping[str, Mark]) -> dict[str, Mark]:
    """Return the files of which only the beginning is settled, and that now hold something else than their copies."""
    found: dict[str, Mark] = {}
    for mark in marks.values():
        name, cycle = _parts(mark)
        original = found.get(name) or marks.get(name)
        if original is not None and original.cycle <= cycle and not original.offset:
            found[name] = msgspec.structs.replace(original, cycle=cycle + 1)
    return found


def _parts(mark: Mark) -> tuple[str, int]:
    """Return of a copy the identity of its original, and the cycle of its content."""
    name, _, cycle = mark.origin.rpartition(" ")
    return (name, int(cycle)) if cycle.isdecimal() else ("", 0)


def _placed(position: Mark, mark: Mark, *, begin: int, size_bytes: int) -> Mark:
    """Return a position of another copy as one in the file of `mark`."""
    return msgspec.structs.replace(
        position,
        path=mark.path,
        real=mark.real,
        folder=mark.folder,
        cycle=mark.cycle + 1,
        begin=begin,
        size_bytes=size_bytes,
    )


class Twins:
    """Copies that hold nothing but what is read in another copy of the same content.

    Their positions are told when that one is settled, and not before: after a crash it may be gone.
    """

    def __init__(self, closed: Closed, followed: Mapping[str, Generation], told: deque[Generation | Taken]) -> None:
        """`told` takes positions that are to be kept, though there is nothing to read."""
        self._closed = closed
        self._followed = followed
        self._told = told
        self._of: defaultdict[str, list[Taken]] = defaultdict(list)
        """By the source that is read, the ends of its twins."""

    def left_out(self, found: list[Opened]) -> list[Opened]:
        """Return those that are to be read; their twins are closed."""
        kept = list(found)
        for one in found:
            assert one.mark is not None, "only called for files with positions"
            origin, offset = one.mark.origin, one.mark.offset
            if not origin:
                continue
            others = {
                other.source: other.content
                for other in kept
                if other is not one and other.mark and other.mark.origin == origin and other.mark.offset <= offset
            }
            others |= {
                source: generation.follower.content
                for source, generation in self._followed.items()
                if generation.follower.origin == origin and generation.follower.offset <= offset
            }
            twin = next((source for source, content in others.items() if _is_in(one.content, content)), None)
            if twin is not None:
                kept.remove(one)
                self._note(one, twin)
        return kept

    def tell(self, source: str) -> None:
        """Everything of a file is settled: so it is in its twins."""
        self._told.extend(self._of.pop(source, ()))

    def _note(self, one: Opened, twin: str) -> None:
        try:
            assert one.mark is not None, "only called for files with positions"
            end = mark_at(one.content, one.mark, one.content.size())
            log.info("the same is read in another copy", path=path_text(one.path))
            self._closed.add(one.source, end, Spot.of(one.path, one.status))
            self._of[twin].append(Taken(None, one.source, end))
        finally:
            one.close()


def mark_at(content: Content, mark: Mark, offset: int) -> Mark:
    """Return the position `offset` in a copy of the file of `mark`: all before it was read elsewhere."""
    head = content.pread(min(HEAD_BYTES, offset), 0)
    tail_len = min(TAIL_BYTES, offset)
    return msgspec.structs.replace(
        mark,
        offset=offset,
        head=head[:HEAD_SHOWN].hex(),
        head_len=len(head),
        head_hash=head_hash(head),
        tail_len=tail_len,
        tail_hash=head_hash(content.pread(tail_len, offset - tail_len)),
        size_bytes=offset,
        begin=offset,
        cycle=0,
    )


def _is_in(copy: Content, content: Content) -> bool:
    """Tell whether a file holds nothing but the beginning of another. A damaged one does not."""
    try:
        copy.reaches(sys.maxsize)  # then its size is known
        content.reaches(copy.size())
        return begins_with(content, copy)
    except OSError as error:  # whoever reads it tells where
        log.debug("cannot be compared", error=str(error))
        return False
