"""Which bytes of which file were read: what the ledger asks of the tailer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swak.plugin import Extent
from swak.tailing.identity import mark_from

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from swak.ack import Position
    from swak.tailing.identity import Mark

CYCLES_KEPT = 4
"""Contents of one file, each begun anew, that are told of: the ledger looks once a second."""


def reached(position: Position) -> tuple[int, int] | None:
    """Return the cycle and the byte of a checkpoint's position; None when it makes no sense, which the tailer tells."""
    try:
        return mark_from(position).reached
    except ValueError:
        return None


class Extents:
    """Marks as they were handed out. Noted by the reading thread, asked by another one."""

    def __init__(self, known: Mapping[str, Mark]) -> None:
        self._known = known
        self._begins: dict[tuple[str, int], tuple[int, int]] = {}
        self._marks: dict[tuple[str, int], Mark] = {}

    def note(self, source: str, mark: Mark, *, empty: bool) -> None:
        """Note the position after what is handed out; `empty` when that is nothing but the position."""
        key = (source, mark.cycle)
        if key not in self._marks:
            self._begins[key] = self._begin(source, mark, empty=empty)
            old = (source, mark.cycle - CYCLES_KEPT)
            self._marks.pop(old, None)
            self._begins.pop(old, None)
        self._marks[key] = mark

    def forget(self, sources: Iterable[str]) -> None:
        """Tell of these no more."""
        gone = set(sources)
        for key in [key for key in self._marks if key[0] in gone]:
            del self._marks[key]
            del self._begins[key]

    def told(self) -> dict[str, list[Extent]]:
        """Return what was read, by source."""
        found: dict[str, list[Extent]] = {}
        for (source, cycle), mark in self._marks.copy().items():
            begin, skipped = self._begins.get((source, cycle), (0, 0))  # forgotten in this very moment
            found.setdefault(source, []).append(Extent(cycle, mark.path, begin, skipped, mark.offset, mark.size_bytes))
        return found

    def _begin(self, source: str, mark: Mark, *, empty: bool) -> tuple[int, int]:
        """Return where reading began, and up to where bytes were passed over before that."""
        known = self._known.get(source)
        if known is not None and known.cycle == mark.cycle:
            return known.offset, 0
        return mark.begin, mark.offset if empty else 0
