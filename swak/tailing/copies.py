"""Copies of what was read: made by a rotation that truncates, by compression, or by hand. Nothing is read twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swak.log import get
from swak.tailing.discovery import Opened, find_copy, find_unseen, holds, originals
from swak.tailing.identity import HEAD_SHOWN, Mark, head_hash, path_text
from swak.tailing.origins import as_copy, mark_at, origin_of
from swak.tailing.turns import Taken

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Mapping

    from swak.tailing.closed import Closed
    from swak.tailing.content import Content
    from swak.tailing.identity import Truncated
    from swak.tailing.lineage import Generation, Lineage
    from swak.tailing.shortfalls import Shortfalls

log = get("swak.tailing")


class Copies:
    """Tells what a file is that was met for the first time: new, or a copy of another one, and of how much of it."""

    def __init__(
        self,
        lineages: Mapping[str, Lineage],
        closed: Closed,
        followed: Mapping[str, Generation],
        shortfalls: Shortfalls,
        told: deque[Generation | Taken],
    ) -> None:
        """`told` takes positions that are to be kept, though there is nothing to read."""
        self._lineages = lineages
        self._closed = closed
        self._followed = followed
        self._shortfalls = shortfalls
        self._told = told

    def compare(self, opened: Opened) -> Opened | None:
        """Return a file that nobody read as it is to be followed: from its start, or after what was read elsewhere.

        None: it is a copy of what a file holds that is followed now. Only what is named as a generation of a followed
        file is taken for one.
        """
        paths = originals(opened.path)
        for path in paths - {opened.path}:
            lineage = self._lineages.get(path)
            for generation in lineage.generations if lineage is not None else ():
                if _may_come_of(generation, opened):
                    return None
        for source, mark in self._closed.of_paths(paths).items():
            if mark.offset and source != opened.source and holds(opened.content, mark):
                return continued(opened, mark, source)
        return opened

    def without_copies(self, found: list[Opened]) -> list[Opened]:
        """Return those that are to be followed; the others are closed."""
        kept: list[Opened] = []
        for one in found:
            compared = self.compare(one)
            if compared is None:
                one.close()
            else:
                kept.append(compared)
        return kept

    def of_truncated(self, generation: Generation, truncated: Truncated) -> list[Opened]:
        """Find what a truncated file held and nobody read: the rest of its copy, and copies made after that.

        What is in no copy is counted as dropped, as far as it was seen.
        """
        mark, path, source = truncated.mark, generation.lineage.path, generation.follower.source
        if self._is_continued(mark, source):
            return []
        copy = find_copy(path, mark, set(self._followed))
        if copy is not None:
            copy = continued(copy, mark, source)
        unread = [copy] if copy is not None else []
        for one in self._met_beside(generation, {*self._followed, *(one.source for one in unread)}):
            if _is_part(one.content, mark):
                position = mark_at(one.content, as_copy(mark, source), one.content.size())
                self._closed.add(one.source, position)
                self._told.append(Taken(None, one.source, position))
                one.close()
            elif copy is not None and one.status.st_mtime_ns <= copy.status.st_mtime_ns:
                one.close()
            elif (compared := self.compare(one)) is not None:
                unread.append(compared._replace(is_copy=True))
            else:
                one.close()
        self._tell(path, truncated, unread[0] if unread and not mark.offset else copy)
        return unread

    def of_missing(self, path: str, known: Mapping[str, Mark], others: set[str]) -> list[Opened]:
        """Find copies of files that are not there any more: compressed meanwhile, or moved to another file system."""
        found: list[Opened] = []
        for source, mark in known.items():
            if self._is_continued(mark, source):
                continue
            copy = find_copy(path, mark, {*others, *self._followed, *(one.source for one in found)})
            if copy is not None:
                log.info("reading on in a copy", path=path_text(path), copy=path_text(copy.path), offset=mark.offset)
                found.append(continued(copy, mark, source))
                self._closed.remove(source)
                continue
            log.bind(path=path_text(path), source=source).warning(
                "a file that was read before is not found; what was added to it since is not read",
                read_to=mark.offset,
            )
            if mark.size_bytes > mark.offset:
                self._shortfalls.note_dropped(mark.size_bytes - mark.offset, path, "the file is gone")
        return found

    def _is_continued(self, mark: Mark, source: str) -> bool:
        """Tell whether a copy of the file is followed already; where it began later than here, take it back to here."""
        origin = origin_of(mark, source)
        for one in self._followed.values():
            follower = one.follower
            if follower.origin == origin and holds(follower.content, mark):
                if mark.offset < follower.begin:
                    follower.resume(as_copy(mark, source))
                return True
        return any(one.origin == origin and one.begin == mark.offset for one in self._closed.marks.values())

    def _met_beside(self, generation: Generation, known: set[str]) -> list[Opened]:
        """Open rotated files beside a truncated one that nobody read."""
        lineage = generation.lineage
        try:
            since_ns = lineage.successors_since_ns()
            return [] if since_ns is None else find_unseen(lineage.path, self._closed.marks, known, since_ns)
        except OSError as error:
            log.bind(path=path_text(lineage.path)).warning("cannot look for copies", error=str(error))
            return []

    def _tell(self, path: str, truncated: Truncated, copy: Opened | None) -> None:
        mark = truncated.mark
        log.bind(path=path_text(path)).warning(
            "file was truncated or rewritten; reading it from its start",
            read_to=mark.offset,
            seen_bytes=truncated.seen_bytes,
            copy=path_text(copy.path) if copy is not None else "none",
        )
        held = mark.offset
        if copy is not None:
            held = truncated.seen_bytes if copy.packed else max(held, copy.status.st_size)
        if truncated.seen_bytes > held:
            self._shortfalls.note_dropped(truncated.seen_bytes - held, path, "the file was truncated")


def _may_come_of(generation: Generation, opened: Opened) -> bool:
    """Tell whether a file may be a copy of one that is followed. What is damaged is none: whoever reads it tells."""
    try:
        return generation.follower.may_have_made(opened.content)
    except OSError as error:
        log.debug("cannot be compared", path=path_text(opened.path), error=str(error))
        return False


def continued(opened: Opened, mark: Mark, source: str) -> Opened:
    """Return a copy as what it is: the rest of the file `source` that was read up to `mark`."""
    return opened._replace(mark=as_copy(mark, source), is_copy=True)


def _is_part(content: Content, mark: Mark) -> bool:
    """Tell whether a file holds nothing but the beginning of what was read, as far as its head tells."""
    try:
        size = content.size()
        if not 0 < size <= mark.offset:
            return False
        if size < mark.head_len:
            return bool(mark.head) and bytes.fromhex(mark.head).startswith(content.pread(min(size, HEAD_SHOWN), 0))
        return head_hash(content.pread(mark.head_len, 0)) == mark.head_hash
    except OSError as error:  # damaged: whoever reads it tells where
        log.debug("cannot be compared", error=str(error))
        return False
