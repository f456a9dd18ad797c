"""Files that are rotated, moved away, deleted and killed at every step hold what was settled, once and in order."""

from __future__ import annotations

import errno
import os
import tempfile
from collections import Counter, deque
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from swak.errors import Refused
from swak.formats.registry import Shape
from swak.sinks import append, rotation
from swak.sinks.append import Manner
from swak.sinks.fileset import Bounds, FileSet
from swak.sinks.guard import Guard
from swak.sinks.pathname import PathTemplate
from swak.sinks.rotation import Rules
from swak.testing import FakeClock, batch_of, event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from swak.event import Batch

FORMAT = Shape("raw").made()
KEYS = ["a", "b", "c"]
TRIES = 40
"""How often one batch is offered before the test gives up: each try meets at most one fault."""

OPERATIONS = st.one_of(
    st.lists(st.sampled_from(KEYS), min_size=1, max_size=6),
    st.sampled_from(["sync", "restart", "successor"]),
    st.tuples(st.sampled_from(["move", "delete"]), st.sampled_from(KEYS)),
)
FAULTS = st.dictionaries(st.integers(0, 150), st.sampled_from(["kill", "fail"]), max_size=4)
RULES = st.sampled_from(
    [Rules(), Rules(size_bytes=12), Rules(suffix=".part"), Rules(size_bytes=12, every_s=5, suffix=".part")]
)


class Killed(BaseException):
    """The process is dead: nothing that it still does has an effect."""


class Faults:
    """Calls of the system that are counted; some of them fail, or are the last ones."""

    def __init__(self, plan: dict[int, str]) -> None:
        self.plan = plan
        self.calls = 0
        self.dead = False

    def meet(self) -> str:
        """Count a call and return what happens to it. Killed when nothing may happen any more."""
        if self.dead:
            raise Killed
        fate = self.plan.get(self.calls, "")
        self.calls += 1
        self.dead = fate == "kill"
        return fate

    def wrapped(self, call: Callable[..., Any], *, late: bool = False) -> Callable[..., Any]:
        def faulty(*args: Any, **options: Any) -> Any:
            fate = self.meet()
            if fate == "fail":
                raise OSError(errno.EIO, "disk error")
            if fate == "kill" and not late:
                raise Killed
            made = call(*args, **options)
            if fate == "kill":
                raise Killed
            return made

        return faulty

    def write(self, fd: int, data: bytes) -> int:
        fate = self.meet()
        if fate:
            os.write(fd, data[: len(data) // 2])
            if fate == "kill":
                raise Killed
            self.plan[self.calls] = "full"  # the second half finds no room
            return len(data) // 2
        return os.write(fd, data)

    def write_or_full(self, fd: int, data: bytes) -> int:
        if self.plan.get(self.calls) == "full":
            self.calls += 1
            raise OSError(errno.ENOSPC, "no space left")
        return self.write(fd, data)

    @contextmanager
    def applied(self) -> Iterator[None]:
        faults = self

        class System:
            write = staticmethod(faults.write_or_full)
            ftruncate = staticmethod(faults.wrapped(os.ftruncate))
            fsync = staticmethod(faults.wrapped(os.fsync))

            def __getattr__(self, name: str) -> Any:
                return getattr(os, name)

        with (
            patch.object(append, "os", System()),
            patch.object(append, "_datasync", faults.wrapped(os.fsync)),
            patch.object(rotation, "_renamed_at_once", faults.wrapped(rotation._renamed_at_once, late=True)),
            patch.object(rotation, "sync_folder", faults.wrapped(append.sync_folder)),
            patch.object(Path, "unlink", faults.wrapped(Path.unlink, late=True)),
        ):
            yield


class Agent:
    """Does what the seat of an output does: offers batches, keeps what is pending, and begins anew after a death."""

    def __init__(self, folder: Path, rules: Rules, faults: Faults) -> None:
        self.folder, self.rules, self.faults = folder, rules, faults
        self.clock = FakeClock()
        self.sent = 0
        self.settled: set[int] = set()
        self.again: set[int] = set()
        """Numbers that were offered more than once."""
        self.waiting: deque[list[tuple[str, int]]] = deque()
        self.held: list[list[tuple[str, int]]] = []
        self.guard: Guard | None = None
        self.begin()

    def begin(self) -> None:
        self.files = FileSet(
            PathTemplate(str(self.folder / "{k}.log")), self.clock, Manner(), self.rules, Bounds(open_max=2)
        )
        self.open()

    def open(self) -> None:
        for _ in range(TRIES):
            self.guard = Guard()
            try:
                self.files.open(self.guard)
            except OSError:
                self.files.close(finish=False)
                self.guard.release()
            else:
                return
        raise AssertionError("it cannot be opened")

    def survive(self, work: Callable[[], None]) -> None:
        """Do something; when that kills the process, start another one, which reads on from what is settled."""
        self.clock.advance(1)
        try:
            work()
        except Killed:
            assert self.guard is not None
            self.guard.release()
            self.faults.dead = False
            self.unhold()
            self.survive(self.begin)

    def unhold(self) -> None:
        for batch in reversed(self.held):
            self.waiting.appendleft(batch)
        self.again.update(number for batch in self.waiting for _, number in batch)
        self.held.clear()

    def offer(self, keys: list[str]) -> None:
        self.waiting.append([(key, self.sent + index) for index, key in enumerate(keys)])
        self.sent += len(keys)
        self.drain()

    def drain(self) -> None:
        for _ in range(TRIES):
            if not self.waiting:
                return
            self.survive(self._write_one)
        raise AssertionError("it is never written")

    def _write_one(self) -> None:
        try:
            self.files.write(_batch(self.waiting[0]), FORMAT)
        except Refused as refused:
            raise AssertionError(refused.reason) from refused
        except OSError:
            self.again.update(number for _, number in self.waiting[0])
            self._sync()
            self._reopen()
        else:
            self.held.append(self.waiting.popleft())

    def _reopen(self) -> None:
        self.files.close(finish=False)
        assert self.guard is not None
        self.guard.release()
        self.open()

    def _sync(self) -> None:
        try:
            self.files.sync()
        except OSError:
            self.unhold()
        else:
            self.settled.update(number for batch in self.held for _, number in batch)
            self.held.clear()

    def safe(self, key: str) -> set[int]:
        """Return the numbers that need not be written again when the file of that key is deleted now."""
        file = self.files._files.get(str(self.folder / f"{key}.log"))
        return self.settled if file is not None and file.sink.pending_bytes else set(range(self.sent))

    def sync(self) -> None:
        self.survive(self._sync)
        self.drain()

    def restart(self) -> None:
        def work() -> None:
            self._sync()
            self.files.close(finish=True)
            assert self.guard is not None
            self.guard.release()
            self.begin()

        self.survive(work)
        self.drain()

    def successor(self) -> None:
        """The seat died with its thread: a fresh plugin takes over what is pending, or it is written again."""

        def work() -> None:
            old, guard = self.files, self.guard
            self.files = FileSet(
                PathTemplate(str(self.folder / "{k}.log")), self.clock, Manner(), self.rules, Bounds(open_max=2)
            )
            assert guard is not None
            guard.abort()
            if not self.files.inherit(old):
                self.unhold()
            self.open()
            guard.release()

        self.survive(work)
        self.drain()


def _batch(numbers: list[tuple[str, int]]) -> Batch:
    return batch_of([event({"k": key, "message": f"{key}{number:05d}"}) for key, number in numbers])


def _numbers(path: Path) -> list[int]:
    data = path.read_bytes()
    assert not data or data.endswith(b"\n"), f"torn: {path.name}"
    assert all(line[:1].decode() == path.name[0] for line in data.split(b"\n")[:-1]), "each line is in its own file"
    return [int(line[1:]) for line in data.split(b"\n")[:-1]]


def _stored(folder: Path) -> dict[str, list[int]]:
    return {one.name: _numbers(one) for one in sorted(folder.iterdir()) if not one.name.endswith(".torn")}


@settings(max_examples=150, deadline=None)
@given(st.lists(OPERATIONS, max_size=14), FAULTS, RULES)
def test_what_is_settled_is_in_the_files_once_and_in_order(
    operations: list[Any], plan: dict[int, str], rules: Rules
) -> None:
    faults = Faults(dict(plan))
    excused: set[int] = set()
    arrived: dict[str, set[int]] = {key: set() for key in KEYS}
    with tempfile.TemporaryDirectory() as name, faults.applied():
        folder = Path(name)
        agent = Agent(folder, rules, faults)
        for index, operation in enumerate(operations):
            if isinstance(operation, list):
                agent.offer(operation)
            elif isinstance(operation, str):
                getattr(agent, operation)()
            elif (path := folder / f"{operation[1]}.log{rules.suffix}").exists():
                if operation[0] == "move":
                    path.rename(f"{path.with_suffix('')}.moved{index}")
                else:
                    excused |= set(_whole(path)) & agent.safe(operation[1])
                    os.unlink(path)  # noqa: PTH108 - Path's is ours
            note_arrivals(folder, arrived)
        agent.sync()
        note_arrivals(folder, arrived)
        agent.restart()
        faults.plan.clear()
        agent.restart()
        assert agent.settled == set(range(agent.sent))
        stored = _stored(folder)
        counts = Counter(number for numbers in stored.values() for number in numbers)
        assert agent.settled - set(counts) <= excused, "settled, and nowhere"
        assert {number for number, count in counts.items() if count > 1} <= agent.again, "twice without a reason"
        assert not [file for file in stored if rules.suffix and file.endswith(rules.suffix)], "left unfinished"


def note_arrivals(folder: Path, arrived: dict[str, set[int]]) -> None:
    """Check that what is new in the files of each path came in order, and after all that had come before."""
    for key, known in arrived.items():
        news: set[int] = set()
        for path in folder.glob(f"{key}.*"):
            if path.name.endswith(".torn"):
                continue
            firsts = [number for number in dict.fromkeys(_whole(path)) if number not in known]
            assert firsts == sorted(firsts), f"order in {path.name}"
            news.update(firsts)
        assert not news or not known or min(news) > max(known), f"{key}: {news} after {known}"
        known.update(news)


def _whole(path: Path) -> list[int]:
    return [int(line[1:]) for line in path.read_bytes().split(b"\n")[:-1]]
