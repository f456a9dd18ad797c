"""A JSON document on disk with its sum and its previous generation: neither a kill nor a power cut takes both."""

from __future__ import annotations

import json
import time
import zlib
from typing import TYPE_CHECKING, Any

from swak.errors import Problem, StateError
from swak.log import Log

if TYPE_CHECKING:
    from pathlib import Path

    from swak.files import Files

FORMAT = 1
"""Version of the file's body. A newer one is refused, never guessed at."""

_log = Log("swak.sealed")


class CorruptError(Exception):
    """No generation is whole; what follows from that, the owner of the document knows."""


class _Corrupt(Exception):  # noqa: N818 - a verdict on one generation, never seen outside
    """The bytes are no document that was wholly written."""


class Sealed:
    """One file of the object `{"format": 1, FIELD: …}` and its previous generation (`.prev`). For one thread at a time.

    The file is a line of JSON and a line with its CRC-32. A save writes a temporary file, syncs it, keeps the current
    file as `.prev`, renames the temporary one into its place and syncs the directory: whatever step a kill or a power
    cut comes at, one whole generation is there.
    """

    def __init__(self, what: str, field: str, path: Path, files: Files) -> None:
        """Keep what is under `field`, an object of objects; `what` names the document in errors and the log."""
        self._what = what
        self._field = field
        self._files = files
        self.path = path
        self.previous = path.with_name(f"{path.name}.prev")
        self._temporary = path.with_name(f"{path.name}.tmp")
        self._current_is_whole = False

    def load(self, *, touch: bool = True) -> dict[str, Any]:
        """Return the newest whole generation; empty when there was never one. Without `touch`, nothing is moved aside.

        CorruptError when there are generations and none is whole; StateError when they cannot be read, or are of a
        format that this version does not know.
        """
        self._current_is_whole = False
        bad: list[str] = []
        for path in (self.path, self.previous):
            try:
                held = self._decode(self._read(path), path)
            except FileNotFoundError:
                continue
            except _Corrupt as error:
                bad.append(f"{path} ({error})")
                continue
            self._current_is_whole = path is self.path
            if path is self.previous and touch:
                self._tell(bad)
            return held
        if bad:
            raise CorruptError(" and ".join(bad))
        return {}

    def save(self, held: dict[str, Any]) -> None:
        """Make `held` the current generation; it is on disk when this returns.

        OSError (disk full) leaves the generations as they were: try again. TypeError and ValueError name a value that
        JSON cannot hold.
        """
        body = json.dumps({"format": FORMAT, self._field: held}, separators=(",", ":")).encode()
        try:
            self._files.write_synced(self._temporary, body + b"\n" + _seal(body))
            if self._current_is_whole:
                self._current_is_whole = False  # until the next rename is done, the whole one is `.prev`
                self._files.rename(self.path, self.previous)
            self._files.rename(self._temporary, self.path)
        except OSError:
            self._files.unlink(self._temporary)
            raise
        self._current_is_whole = True
        self._files.sync_folder(self.path.parent)

    def set_aside(self, path: Path) -> Path | None:
        """Keep a corrupt generation for whoever wants to know why. Return where; None when it cannot be moved."""
        aside = path.with_name(f"{path.name}.bad-{time.time_ns()}")
        try:
            self._files.rename(path, aside)
        except OSError as error:
            _log.warning(f"corrupt {self._what} cannot be moved aside", path=str(path), error=error)
            return None
        return aside

    def _read(self, path: Path) -> bytes:
        try:
            return self._files.read_all(path)
        except FileNotFoundError:
            raise
        except OSError as error:
            mend = "make it readable for the user that runs swak"
            raise StateError(str(Problem(f"{path}: cannot be read ({error.strerror or error})", mend))) from error

    def _tell(self, bad: list[str]) -> None:
        """Tell that the previous generation is used, and keep what is corrupt."""
        if not bad:
            _log.warning(f"{self._what} is missing, its previous generation is used", path=str(self.path))
            return
        kept_as = self.set_aside(self.path)
        what = f"{self._what} is corrupt, its previous generation is used"
        _log.warning(what, corrupt=bad[0], kept_as=str(kept_as or self.path))

    def _decode(self, data: bytes, path: Path) -> dict[str, Any]:
        body, line_feed, seal = data.partition(b"\n")
        if not line_feed or seal != _seal(body):
            raise _Corrupt("empty" if not data else f"the sum over its {len(data)} bytes does not fit")
        try:
            document: Any = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise _Corrupt(str(error)) from error
        if isinstance(document, dict) and document.get("format") != FORMAT and "format" in document:
            mend = f"start the swak that wrote it, or remove it and begin without its {self._field}"
            raise StateError(str(Problem(f"{path}: has the unknown format {document['format']!r:.40}", mend)))
        held = document.get(self._field) if isinstance(document, dict) else None
        if not isinstance(held, dict) or not all(isinstance(one, dict) for one in held.values()):
            raise _Corrupt(f"it does not hold {self._field}")
        return held


def _seal(body: bytes) -> bytes:
    return b"crc32 %08x\n" % zlib.crc32(body)
