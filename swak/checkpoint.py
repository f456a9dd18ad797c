"""Checkpoints: how far each source is settled, kept so that neither a kill nor a power cut loses or invents it."""

from __future__ import annotations

import json
import time
import zlib
from typing import TYPE_CHECKING, Any

from swak.errors import Problem, StateError
from swak.files import Files
from swak.log import Log

if TYPE_CHECKING:
    from pathlib import Path

    from swak.ack import Position

Positions = dict[str, dict[str, "Position"]]
"""Per input (its identity) and source: the position up to which everything is settled."""

FORMAT = 1
"""Version of the file's body. A newer one is refused, never guessed at."""

_log = Log("swak.checkpoint")


class _Corrupt(Exception):  # noqa: N818 - a verdict on one generation, never seen outside
    """The bytes are no checkpoint that was wholly written."""


class Checkpoint:
    """One file of positions and its previous generation (`.prev`). Used by one thread at a time.

    The file is a line of JSON and a line with its CRC-32. A save writes a temporary file, syncs it, keeps the current
    file as `.prev`, renames the temporary one into its place and syncs the directory: whatever step a kill or a power
    cut comes at, one whole generation is there. An older generation is never wrong, only less far: what came after it
    is read again.
    """

    def __init__(self, path: Path, files: Files | None = None) -> None:
        self._files = Files("checkpoint") if files is None else files
        self.path = path
        self.previous = path.with_name(f"{path.name}.prev")
        self._temporary = path.with_name(f"{path.name}.tmp")
        self._current_is_whole = False

    def load(self) -> Positions:
        """Return the newest whole generation; empty when there was never one.

        StateError when there are generations and none is whole: nothing is read from its start unasked.
        """
        self._current_is_whole = False
        bad: list[str] = []
        for path in (self.path, self.previous):
            try:
                positions = _decode(self._read(path), path)
            except FileNotFoundError:
                continue
            except _Corrupt as error:
                bad.append(f"{path} ({error})")
                continue
            self._current_is_whole = path is self.path
            if path is self.previous:
                self._set_aside(bad)
            return positions
        if bad:
            mend = "put a copy back, or remove these files to read every source of this flow from its start"
            raise StateError(str(Problem(f"the checkpoint is corrupt: {' and '.join(bad)}", mend)))
        return {}

    def save(self, positions: Positions) -> None:
        """Make `positions` the current generation; it is on disk when this returns.

        OSError (disk full) leaves the generations as they were: try again. TypeError and ValueError name a position
        that is no JSON value.
        """
        data = _encode(positions)
        try:
            self._files.write_synced(self._temporary, data)
            if self._current_is_whole:
                self._current_is_whole = False  # until the next rename is done, the whole one is `.prev`
                self._files.rename(self.path, self.previous)
            self._files.rename(self._temporary, self.path)
        except OSError:
            self._files.unlink(self._temporary)
            raise
        self._current_is_whole = True
        self._files.sync_folder(self.path.parent)

    def _read(self, path: Path) -> bytes:
        try:
            return self._files.read_all(path)
        except FileNotFoundError:
            raise
        except OSError as error:
            mend = "make it readable for the user that runs swak"
            raise StateError(str(Problem(f"{path}: cannot be read ({error.strerror or error})", mend))) from error

    def _set_aside(self, bad: list[str]) -> None:
        """Tell that the previous generation is used, and keep what is corrupt for whoever wants to know why."""
        if not bad:
            _log.warning("checkpoint is missing, its previous generation is used", path=str(self.path))
            return
        aside = self.path.with_name(f"{self.path.name}.bad-{time.time_ns()}")
        try:
            self._files.rename(self.path, aside)
        except OSError as error:
            _log.warning("corrupt checkpoint cannot be moved aside", path=str(self.path), error=error)
        what = "checkpoint is corrupt, its previous generation is used: some events will be read again"
        _log.warning(what, corrupt=bad[0], kept_as=str(aside))


def _encode(positions: Positions) -> bytes:
    body = json.dumps({"format": FORMAT, "positions": positions}, separators=(",", ":")).encode()
    return body + b"\n" + _seal(body)


def _decode(data: bytes, path: Path) -> Positions:
    body, line_feed, seal = data.partition(b"\n")
    if not line_feed or seal != _seal(body):
        raise _Corrupt("empty" if not data else f"the sum over its {len(data)} bytes does not fit")
    try:
        held: Any = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _Corrupt(str(error)) from error
    if isinstance(held, dict) and held.get("format") != FORMAT and "format" in held:
        mend = "start the swak that wrote it, or remove it to read every source of this flow from its start"
        raise StateError(str(Problem(f"{path}: has the unknown format {held['format']!r:.40}", mend)))
    positions = held.get("positions") if isinstance(held, dict) else None
    if not isinstance(positions, dict) or not all(isinstance(sources, dict) for sources in positions.values()):
        raise _Corrupt("it does not hold positions")
    return positions


def _seal(body: bytes) -> bytes:
    return b"crc32 %08x\n" % zlib.crc32(body)
