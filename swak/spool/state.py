"""What of a spool is known besides its segments."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from swak.log import Log

if TYPE_CHECKING:
    from pathlib import Path

    from swak.files import Files

NAME = "state.json"

_log = Log("swak.spool")


class State(NamedTuple):
    """How far a spool is settled, and what did not come out of it."""

    spool: str = ""
    """Tells this spool from one that lay in this folder before: numbers begin anew with it. It begins with its time."""
    settled: int = 0
    """All frames up to this number are settled."""
    dropped: int = 0
    """Events that were dropped because they were too old, or the oldest in a full spool."""
    dropped_to: int = 0
    """Frames up to this number may be missing because they were dropped."""
    damaged: int = 0
    """Frames, or pieces of unknown size, that could not be read."""


def load(folder: Path, files: Files) -> State | None:
    """Return the state that was saved last, None where there is none that can be read: then everything comes again."""
    try:
        held = json.loads(files.read_all(folder / NAME))
        return State(str(held["spool"]), **{name: int(held.get(name, 0)) for name in State._fields[1:]})
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        what = "the spool's state cannot be read: what is in the spool is sent again"
        _log.warning(what, spool=str(folder), error=repr(error))
        return None


def save(state: State, folder: Path, files: Files) -> None:
    """Have the state on disk, whole. OSError: the one before is."""
    files.write_whole(folder / NAME, json.dumps(state._asdict()).encode())
    files.sync_folder(folder)
