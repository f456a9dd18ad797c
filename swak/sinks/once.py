"""A file of JSON lines that takes no event twice: each line has a field that tells."""

from __future__ import annotations

import os
from hashlib import blake2b
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from swak import log
from swak.recall import Recall
from swak.sinks.fileset import FileSet
from swak.sinks.whole import lines_backwards

if TYPE_CHECKING:
    from swak.clock import Clock
    from swak.event import Batch
    from swak.formats.registry import Format
    from swak.sinks.append import Manner
    from swak.sinks.guard import Guard
    from swak.sinks.pathname import PathTemplate

LOG = log.get("sinks")

TELL_S = 10.0
"""How often it is told that something came again."""

_NO_ID = (b"", b"null", b'""')
"""What tells no event from another: a field that is missing, null or empty."""
_ID_BYTES = 64
"""Longer values are remembered by their hash: whoever writes the events does not decide how much memory that takes."""
_doubted: set[str] = set()
"""Files of which a sync failed in this process: what is read there may not be on disk, though the next one succeeds."""


class Once(FileSet):
    """The file of a fixed path. Lines whose field has a value that one of the last lines has are left out.

    What the file holds is learned when it is opened first, and made safe before: a process that was killed may have
    written it without a sync. What is written is noted when the write went well, and forgotten when its sync fails.
    """

    def __init__(self, template: PathTemplate, clock: Clock, manner: Manner, field: str, count_max: int) -> None:
        """`count_max`: how many lines are looked through, and how many values are remembered."""
        super().__init__(template, clock, manner)
        self._path = template.path("", 0, {})
        self._decode = decoder_of(field).decode
        self._count_max = count_max
        self._recall = Recall(count_max)
        self._learned = False
        self._refused = self._told = 0
        self._tell_at = 0.0

    def open(self, guard: Guard) -> None:
        super().open(guard)
        if not self._learned:
            self._learn(guard)
            self._learned = True

    def write(self, batch: Batch, form: Format, *, more: bool = False) -> None:
        """Append what the file does not hold. OSError: nothing was written, and nothing is noted."""
        del more  # what is noted has to be in the file
        data, ids = self._new(form.encode(batch))
        self._write_parts([(self._path, data)])
        self._recall.note(ids)
        if not self._manner.durable:
            self._recall.keep()
        self._tell(self._clock.monotonic())

    def sync(self) -> None:
        try:
            super().sync()
        except OSError:
            self._recall.take_back()
            _doubted.add(self._name)
            raise
        self._recall.keep()

    def close(self, *, finish: bool) -> None:
        super().close(finish=finish)
        self._tell(self._tell_at)

    @property
    def _name(self) -> str:
        return os.path.abspath(self._path)  # noqa: PTH100 - a Path keeps "a/../b"

    def _learn(self, guard: Guard) -> None:
        if self._name in _doubted:
            LOG.warning("a sync of the file failed; what it holds is not trusted and may come again", path=self._path)
            return
        try:
            fd = self._file(self._path).sink.secured()
        except OSError:
            _doubted.add(self._name)
            raise
        found = []
        for line in islice(lines_backwards(fd), self._count_max + 1):  # one is the nothing behind the last line end
            guard.check()
            if (one := self._id_of(line)) is not None:
                found.append(one)
        self._recall.note(reversed(found))
        self._recall.keep()
        LOG.debug("what the file holds is known", path=self._path, ids=len(self._recall))

    def _new(self, data: bytes) -> tuple[bytes, dict[bytes, None]]:
        """Return the lines that are to be written, and their ids."""
        ids: dict[bytes, None] = {}
        lines, refused = [], 0
        for line in data.split(b"\n")[:-1]:
            one = self._id_of(line)
            if one is not None and (one in self._recall or one in ids):
                refused += 1
                continue
            lines.append(line)
            if one is not None:
                ids[one] = None
        self._refused += refused
        return (b"".join([line + b"\n" for line in lines]) if refused else data), ids

    def _id_of(self, line: bytes) -> bytes | None:
        """Return the field as it is written: 1, 1.0 and "1" are three values."""
        try:
            raw = bytes(self._decode(line).value)
        except (msgspec.DecodeError, ValueError, RecursionError):
            return None  # no JSON object: somebody else wrote it
        if len(raw) > _ID_BYTES:
            raw = blake2b(raw, digest_size=32).digest()
        return None if raw in _NO_ID else raw

    def _tell(self, now: float) -> None:
        if self._refused > self._told and now >= self._tell_at:
            count, self._told, self._tell_at = self._refused - self._told, self._refused, now + TELL_S
            what = "events that the file holds already were not written again"
            LOG.info(what, path=self._path, events=count, so_far=self._refused)


def decoder_of(field: str) -> msgspec.json.Decoder[Any]:
    """Return what takes the `value` of one field out of a JSON object. ValueError: no field can have that name here."""
    kind = msgspec.defstruct("Line", [("value", msgspec.Raw, msgspec.Raw())], rename={"value": field})
    return msgspec.json.Decoder(kind)
