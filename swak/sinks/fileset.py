"""The files of one output: a path for each event, few of them open at a time, finished when they are full or old."""

from __future__ import annotations

import os
from collections import OrderedDict
from errno import ESTALE
from typing import TYPE_CHECKING, NamedTuple

from swak import log
from swak.errors import Refused
from swak.event import Batch, Block
from swak.formats.plain import readable
from swak.sinks.admission import Admission
from swak.sinks.append import AppendFile, Manner
from swak.sinks.compress import Packer
from swak.sinks.gathered import GatheredFile
from swak.sinks.rotation import STAMPED, Rules, modified_ns, move_aside, prune

if TYPE_CHECKING:
    from swak.clock import Clock
    from swak.event import Event
    from swak.formats.registry import Format
    from swak.sinks.guard import Guard
    from swak.sinks.pathname import PathTemplate

LOG = log.get("sinks")

PACK_S = 5.0
"""How long closing waits for files that are just being compressed."""
RETRY_NS = 60 * 1_000_000_000
"""How long a file that cannot be renamed is left alone before that is tried again."""
KNOWN_MAX = 10_000
"""Closed files that are remembered."""
NO_RULES = Rules()


class Bounds(NamedTuple):
    """How much of one output may vary at a time."""

    open_max: int = 64
    close_after_s: float = 300.0
    """How long a file of a varying path may be quiet before it is closed."""
    paths_max: int = 10_000
    """How many paths tags and fields may make within an hour."""


NO_BOUNDS = Bounds()


class _Open:
    """A file that is open, and when it was begun and last written to."""

    def __init__(self, path: str, sink: GatheredFile, began_ns: int) -> None:
        self.path = path
        self.sink = sink
        self.began_ns = began_ns
        self.used_s = 0.0
        self.rotate_after_ns = 0


class FileSet:
    """Writes each event to the file that the template names for it. At most `open_max` files are open.

    A batch for several files is written to one after the other; after an OSError the same batch may come again, and
    what was written of it is not written twice.
    """

    def __init__(
        self,
        template: PathTemplate,
        clock: Clock,
        manner: Manner,
        rules: Rules = NO_RULES,
        bounds: Bounds = NO_BOUNDS,
    ) -> None:
        self._template = template
        self._clock = clock
        self._manner = manner
        self._rules = rules
        self._bounds = bounds
        self._admission = Admission(template, rules.suffix, bounds.paths_max, clock)
        self._closed: OrderedDict[str, tuple[tuple[int, int], int]] = OrderedDict()
        """Identity and size of files that we closed whole: those of them that did not change need no look."""
        self._unfinished: dict[str, tuple[str, int]] = {}
        """Files that could not get their lasting name yet, that name, and when to try again."""
        self._files: OrderedDict[str, _Open] = OrderedDict()
        self._written: dict[str, bytes] = {}
        """What was written by a write that failed at another file."""
        self._lost = ""
        self._guard: Guard | None = None
        self._alone = template.fixed and rules.size_bytes is None and rules.every_s is None
        """Whether all that is pending is in one file: then what failed can be cut off before it is written again."""
        self._packer = Packer(rules.compress) if rules.compress else None

    @property
    def pending_bytes(self) -> int:
        """Written and not synced."""
        return sum(file.sink.pending_bytes for file in self._files.values())

    @property
    def lost(self) -> bool:
        """Whether something that is pending is known not to be safe."""
        return bool(self._lost) or any(file.sink.lost for file in self._files.values())

    def open(self, guard: Guard) -> None:
        """Open what is known by now: the one file of a fixed path, and what was inherited."""
        self._guard = guard
        for path in list(self._files) or ([self._template.path("", 0, {})] if self._template.fixed else []):
            self._file(path)
        if self._rules.finishes:
            self._finish_leftovers()

    def write(self, batch: Batch, form: Format, *, more: bool = False) -> None:
        """Append a batch; with `more` to come at once it may wait for that, where there is one file only.

        TypeError comes before anything is written; OSError names the file. Refused: events whose own path can never be
        written; all others are safe then.
        """
        refused: list[Event] = []
        why, parts = "", []
        for path, part in self._parts(batch):
            reason = "" if path in self._files else self._admission.hopeless(path)
            if reason:
                refused += part.events()
                why = why or reason
            else:
                parts.append((path, form.encode(part)))
        self._write_parts(parts, more=more and self._alone)
        if not self._manner.durable:
            self._close_quiet()
        if refused:
            self._flush()
            raise Refused(refused, why)

    def _flush(self) -> None:
        """Make everything safe now. OSError: something is not, and the next `sync` says so, too."""
        for file in self._files.values():
            file.sink.flush()
        self._check_lost()

    def _check_lost(self) -> None:
        """Add nothing as long as something that a closed file held is to be written again: that comes first."""
        if self._lost:
            raise OSError(ESTALE, self._lost)

    def _write_parts(self, parts: list[tuple[str, bytes]], *, more: bool = False) -> None:
        done: dict[str, bytes] = {}
        try:
            for path, data in parts:
                if data and self._written.get(path) != data:
                    self._append(path, data, more=more)
                done[path] = data
        except OSError:
            self._written = done if len(parts) > 1 else {}
            raise
        self._written = {}

    def sync(self) -> None:
        """Make everything that was written safe. OSError: something pending is not, and must be written again."""
        reason, self._lost = self._lost, ""
        failure = OSError(ESTALE, reason) if reason else None
        for file in self._files.values():
            try:
                file.sink.sync()
            except OSError as error:
                failure = error
        if failure is not None:
            self._written = {}
            raise failure
        self._close_quiet()

    def due_at(self) -> float | None:
        """Return when `sync` has something to do though nothing is pending: a file to be closed or finished."""
        ahead_s = self._clock.monotonic() - self._clock.time_ns() / 1e9
        times = [again_ns / 1e9 + ahead_s for _, again_ns in self._unfinished.values()]
        if not self._template.fixed and self._files:
            times.append(next(iter(self._files.values())).used_s + self._bounds.close_after_s)
        return min(times, default=None)

    def inherit(self, old: FileSet) -> bool:
        """Take over what `old` left pending. False: some of it is not safe with us and must be written again."""
        if old._lost:
            return False
        for path, file in old._files.items():
            sink = GatheredFile(file.sink.path, self._manner)
            if not sink.inherit(file.sink):
                self._files.clear()
                return False
            self._files[path] = _Open(path, sink, file.began_ns)
        self._written = old._written
        return True

    def close(self, *, finish: bool) -> None:
        """Close every file. `finish`: the run ends well, so they are finished. Without, they stay known."""
        for path, file in list(self._files.items()):
            self._close_file(file)
            if finish and self._rules.finishes and not file.sink.lost:
                self._finish_path(file.sink.path, file.path)
                del self._files[path]
        if self._packer is not None:
            self._packer.stop(PACK_S if finish else 0.0)

    def _parts(self, batch: Batch) -> list[tuple[str, Batch]]:
        """Cut a batch up by path, in the order of first events; within a path the order stays."""
        template = self._template
        if template.fixed or not batch.count:
            return [(template.path("", 0, {}), batch)] if batch.count else []
        times, body = batch.body.times(), batch.body
        if not template.by_field and isinstance(batch.tags, str) and (len(set(times)) == 1 or not template.by_time):
            return [(template.path(batch.tags, times[0], {}), batch)]
        if template.by_field:
            paths = [template.path(*event) for event in zip(batch.tag_list(), times, readable(body), strict=True)]
        else:  # few of them differ
            keys = list(zip(batch.tag_list(), times, strict=True))
            made = {key: template.path(*key, {}) for key in set(keys)}
            paths = [made[key] for key in keys]
        groups: dict[str, list[int]] = {}
        for index, path in enumerate(paths):
            groups.setdefault(path, []).append(index)
        if len(groups) == 1:
            return [(paths[0], batch)]
        if isinstance(body, Block):
            return [(path, _lines(batch, body, indices)) for path, indices in groups.items()]
        return [(path, batch.pick(indices)) for path, indices in groups.items()]

    def _append(self, path: str, data: bytes, *, more: bool) -> None:
        file = self._file(path)
        now_ns = self._clock.time_ns()
        if now_ns >= file.rotate_after_ns and self._rules.due(file.sink.length_bytes, len(data), file.began_ns, now_ns):
            file = self._file(path, like=self._rotate(file, now_ns))
        self._check_lost()
        try:
            file.sink.write(data, more=more)
        except OSError as error:
            raise OSError(error.errno, error.strerror, file.sink.path) from error
        file.used_s = self._clock.monotonic()

    def _file(self, path: str, like: os.stat_result | None = None) -> _Open:
        """Return the open file of that path; another one is closed if there would be too many."""
        assert self._guard is not None
        file = self._files.get(path)
        if file is None:
            while len(self._files) >= self._bounds.open_max:
                self._put_away(next(iter(self._files.values())))
            name = path + self._rules.suffix
            file = _Open(path, GatheredFile(name, self._manner), modified_ns(name))
            file.sink.like = like
            file.sink.identity, file.sink.size_bytes = self._closed.pop(path, ((0, 0), 0))
            self._unfinished.pop(name, None)  # it is finished when it is closed again
        if not file.sink.is_open:
            file.sink.open(self._guard)
            file.began_ns = file.began_ns if file.sink.size_bytes else self._clock.time_ns()
            file.used_s = self._clock.monotonic()
        self._files[path] = file
        self._files.move_to_end(path)
        return file

    def _put_away(self, file: _Open) -> None:
        """Close a file for now, synced; what cannot be synced is told by the next `sync`."""
        self._close_file(file)
        del self._files[file.path]
        self._lost = self._lost or file.sink.lost
        if not file.sink.lost and file.sink.debt is None and not self._rules.finishes:
            self._closed[file.path] = (file.sink.identity, file.sink.size_bytes)
            if len(self._closed) > KNOWN_MAX:
                self._closed.popitem(last=False)
        if self._rules.finishes and not file.sink.lost:
            self._finish_path(file.sink.path, file.path)

    def _close_file(self, file: _Open) -> None:
        if self._rules.suffix:
            file.sink.remove_if_empty()
        file.sink.close()

    def _close_quiet(self) -> None:
        """Close files of the past, whose day is over or whose tag fell silent. A fixed path is never quiet."""
        now_ns = self._clock.time_ns()
        for written, (path, again_ns) in list(self._unfinished.items()):
            if now_ns >= again_ns:
                del self._unfinished[written]
                self._finish_path(written, path)
        before_s = self._clock.monotonic() - self._bounds.close_after_s
        while not self._template.fixed and self._files and next(iter(self._files.values())).used_s <= before_s:
            self._put_away(next(iter(self._files.values())))

    def _rotate(self, file: _Open, now_ns: int) -> os.stat_result | None:
        """Move a file aside and close it; return what it was like, or None when that failed and it is written on."""
        file.sink.flush()
        like = None
        try:
            if file.sink.leads_here():
                like = os.stat(file.sink.path)  # noqa: PTH116 - both are text
                moved = move_aside(file.sink.path, file.path, now_ns, self._rules.zone, stamp=True)
                LOG.info("the file was rotated", path=file.path, to=moved)
                self._pack(moved, moved)
        except OSError as error:
            LOG.warning("the file cannot be rotated; it is written on", path=file.path, error=str(error))
            file.rotate_after_ns = now_ns + RETRY_NS
            return None
        file.sink.close()
        del self._files[file.path]
        self._prune(file.path)
        return like

    def _prune(self, path: str) -> None:
        if self._rules.keep is None:
            return
        try:
            for removed in prune(path, self._rules.keep):
                LOG.info("an old file was removed", path=removed, keep=self._rules.keep)
        except OSError as error:
            LOG.warning("an old file cannot be removed; it stays", path=error.filename or path, error=str(error))

    def _finish_path(self, written: str, path: str) -> None:
        """Give a closed file its lasting name, then have it compressed."""
        if STAMPED.search(written):
            self._pack(written, written)  # rotated by a process that was killed
            return
        try:
            if not os.stat(written).st_size:  # noqa: PTH116 - an empty file is left alone
                return
            stamp = self._rules.compress is not None  # so that it is known after a crash
            moved = move_aside(written, path, self._clock.time_ns(), self._rules.zone, stamp=stamp)
            self._pack(moved, moved if self._template.fixed else path)
        except FileNotFoundError:
            LOG.info("the file was moved away before it was finished", path=written)
        except OSError as error:
            LOG.warning("the file cannot be finished; it is tried again", path=written, error=str(error))
            self._unfinished[written] = (path, self._clock.time_ns() + RETRY_NS)

    def _pack(self, path: str, wanted: str) -> None:
        if self._packer is not None:
            self._packer.add(path, wanted)

    def _finish_leftovers(self) -> None:
        """Finish what a process that was killed left, unless another one writes it. Torn lines are cut first."""
        assert self._guard is not None
        busy = {file.sink.path for file in self._files.values()}
        for path in self._rules.leftovers(self._template.pattern(), self._template.exact()):
            sink = AppendFile(path, self._manner)
            try:
                if path in busy:
                    continue
                sink.open(self._guard)
                alone = sink.alone()
                if self._rules.suffix and path.endswith(self._rules.suffix):
                    sink.remove_if_empty()
                sink.close()
            except OSError as error:
                LOG.warning("an unfinished file cannot be opened; it stays as it is", path=path, error=str(error))
                continue
            if alone:
                LOG.info("a file that was left unfinished is finished", path=path)
                self._finish_path(path, path.removesuffix(self._rules.suffix))


def _lines(batch: Batch, body: Block, indices: list[int]) -> Batch:
    """Return some lines of a block as a block of their own, byte for byte."""
    lines, times = body.data.split(b"\n"), body.times()
    data = b"".join([lines[index] + b"\n" for index in indices])
    chosen = [times[index] for index in indices]
    return Batch(Block(data, chosen[0], body.encoding, len(indices), chosen), batch.tags, batch.ack)
