"""Taking up the positions of an earlier run: which of the files are there, and what they are called now."""

from __future__ import annotations

# ruff: noqa: PTH116 - a Path changes spellings, and costs ten times as much
import os
from collections import defaultdict
from typing import TYPE_CHECKING

from swak.tailing.closed import Spot
from swak.tailing.discovery import find_known, holds
from swak.tailing.identity import key_of, path_from
from swak.tailing.lineage import Lineage
from swak.tailing.listing import Listings

if TYPE_CHECKING:
    from collections.abc import Collection

    from swak.clock import Clock
    from swak.tailing.discovery import Opened
    from swak.tailing.followed import Followed
    from swak.tailing.identity import Mark
    from swak.tailing.lineage import Pace


def restore(followed: Followed, plain: Collection[str], pace: Pace, clock: Clock) -> dict[str, str]:
    """Find the files of the positions, wherever they were renamed to, and read on where they were left.

    Return by path why its files cannot be looked for. `plain`: the paths that are no match of a pattern.
    """
    troubles: dict[str, str] = {}
    now = clock.monotonic()
    listings = Listings()
    by_path: defaultdict[str, dict[str, Mark]] = defaultdict(dict)
    for source, mark in followed.closed.marks.items():
        by_path[path_from(mark.path)][source] = mark
    for path, known in by_path.items():
        lineage = followed.lineages[path] = Lineage(path, globbed=path not in plain)
        lineage.since_ns = max(mark.time_ns for mark in known.values()) or None
        try:
            found, missing = find_known(path, known, listings)
        except OSError as error:
            troubles[path] = str(error)
            found, missing = [], set(known)
        copies = followed.copies.of_missing(
            path, {source: known[source] for source in missing}, {one.source for one in found}
        )
        unseen: list[Opened] = []
        unsettled_ns = [known[source].time_ns for source in missing if not known[source].offset]
        if unsettled_ns and lineage.since_ns is not None:
            lineage.since_ns = min(lineage.since_ns, *unsettled_ns)  # a copy of such a file is known by its time only
            unseen = followed.unseen(lineage, {one.source for one in copies})
        found = followed.twins.left_out(found + copies)
        _restore_lineage(followed, lineage, found, unseen, now, clock.time_ns() - int(pace.keep_s * 1_000_000_000))
    return troubles


def _restore_lineage(  # noqa: PLR0917 - all of one step
    followed: Followed, lineage: Lineage, found: list[Opened], unseen: list[Opened], now: float, young_ns: int
) -> None:
    """Follow, oldest first, what has unread bytes or may still get some, and what nobody read, then the newest."""
    try:
        current = key_of(os.stat(lineage.path))
    except OSError:  # not there, or not to be reached: told when the path is looked at
        current = None
    unread: list[Opened] = []
    for one in found:
        assert one.mark is not None
        is_read = one.is_read and (one.packed or holds(one.content, one.mark))  # it may be rewritten, at the same size
        due = one.key == current or not is_read or one.touched_ns > young_ns
        if due and one.key not in followed.open and not followed.full:
            unread.append(one)
            continue
        if is_read:
            followed.closed.add(one.source, one.mark, Spot.of(one.path, one.status))
        one.close()
    if found:
        changed_ns = max(one.status.st_mtime_ns for one in found)
        lineage.since_ns = min(lineage.since_ns or changed_ns, changed_ns)
    unread += unseen
    unread.sort(key=lambda one: (one.key == current, one.status.st_mtime_ns, one.mark.time_ns if one.mark else 0))
    followed.follow_all(lineage, unread, current, now)
    if current is None:
        followed.follow_all(lineage, followed.unseen(lineage), current, now)
