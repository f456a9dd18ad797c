"""Positions in a spool: the spool's name, and how far of its frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swak.ack import Ack

if TYPE_CHECKING:
    from swak.ack import Position

SOURCE = "spool"


def place_of(ack: Ack) -> str:
    """Return what names a batch just as a spool gave it, whenever it comes; empty for any other batch.

    A part of a batch, and what was joined of several, has the place of a whole one, or of the last: that names it not.
    """
    source, position = ack.origin
    name = parts_of(position)[0]
    return " ".join(map(str, position)) if type(ack) is Ack and source == SOURCE and name else ""


def parts_of(position: Position) -> tuple[str, int, int]:
    """Return a spool's name, the number of a frame, and how many events of the next one; no name: it is no position."""
    match position:
        case [str(name), int(number)]:
            return name, number, 0
        case [str(name), int(number), int(events)]:
            return name, number, events
    return "", 0, 0


def cycle_of(name: str) -> int | None:
    """Return the number that a spool's name begins with: when it was made."""
    try:
        return int(name.partition("-")[0], 16)
    except ValueError:
        return None
