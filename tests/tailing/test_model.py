"""Files that are written, rotated, deleted and read in any order, with stops and crashes in between."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any, ClassVar
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from swak.testing import FakeClock
from tests.tailing.ledger import Reader
from tests.tailing.world import World

LONG = os.environ.get("SWAK_LONG") == "1"
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
KINDS = ["line", "half", "crlf", "empty", "half cr", "long", "bad", "more", "many", "empty cr"]
LENGTHS_S = st.sampled_from([0.01, 0.3, 1.2, 5.5, 11.0, 70.0])
ALL = 8
STEPS = st.sampled_from([0, 1, 2, 5, ALL])
INDEX = st.integers(0, 1)
CATCH_UP_S = 40.0
SETTLE = st.lists(st.integers(0, 3), max_size=4)


class Machine(RuleBasedStateMachine):
    """One directory of log files, who writes and rotates them, and their reader."""

    bases: ClassVar[list[str]] = ["a.log"]
    pattern = ""
    linked = False
    options: ClassVar[dict[str, Any]] = {}

    def __init__(self) -> None:
        super().__init__()
        self.root = tempfile.mkdtemp(dir=MEMORY)
        self.clock = FakeClock(time.time())
        self.patches = [patch(f"swak.tailing.{module}.time", self.clock) for module in ("files", "followed")]
        for one in self.patches:  # the file system's times are set by this clock, too
            one.start()
        self.world = World(self.root, self.clock, self.bases, linked=self.linked)
        paths = [f"{self.world.folder}/{name}" for name in ([self.pattern] if self.pattern else self.bases)]
        self.reader = Reader(self.world, paths, **self.options)
        self.numbers = itertools.count()
        self.save_at = 0.0

    def teardown(self) -> None:
        try:
            if not self.reader.failed:
                if not self.reader.running:
                    self.reader.start()
                self.catch_up()
        finally:
            self.clean_up()

    def clean_up(self) -> None:
        self.reader.close()
        for one in self.patches:
            one.stop()
        shutil.rmtree(self.root)

    @initialize(first=st.lists(st.sampled_from(KINDS), max_size=2))
    def begin(self, first: list[str]) -> None:
        """The very first start, which tells where everything begins."""
        for base in self.bases:
            self.world.create(base)
            for kind in ["line", *first]:  # what came and went in an empty file before the first start is nobody's
                self.world.write(base, self.data(base, kind))
        self.reader.start()
        self.reader.drain()
        self.reader.ledger.save()

    def base(self, index: int) -> str:
        return self.of(self.bases, index)

    @staticmethod
    def of(names: list[str], index: int) -> str:
        return names[index % len(names)]

    def data(self, base: str, kind: str) -> bytes:
        """Make bytes of that kind that nobody has written yet."""
        name = b"<%d>" % next(self.numbers)
        one = self.world.current(base)
        alone = one is None or b">" not in one.stream.content
        ends = {
            "line": b"\n",
            "half": b"",
            "crlf": b"\r\n",
            "half cr": b"\r",
            "long": b"x" * 130 + b"\n",
            "bad": b"\xff\xc3\n",
        }
        if kind == "many":
            return b"".join(b"<%d>\n" % next(self.numbers) for _ in range(30))
        if kind == "more":
            return b" " + name + b"\n"
        if kind in {"empty", "empty cr"} and not alone:  # a file of empty lines looks like any other
            return b"\n" if kind == "empty" else b"\r\n"
        return name + ends.get(kind, b"\n")

    # Writers

    @rule(index=INDEX, kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=3), steps=STEPS)
    def write(self, index: int, kinds: list[str], steps: int) -> None:
        base = self.base(index)
        for kind in kinds:
            self.world.write(base, self.data(base, kind))
        self.read(steps)

    @precondition(lambda self: self.world.late())
    @rule(which=st.integers(0, 5), kind=st.sampled_from(KINDS), steps=STEPS)
    def write_late(self, which: int, kind: str, steps: int) -> None:
        """A process that has not noticed a rotation writes on."""
        files = self.world.late()
        one = files[which % len(files)]
        self.world.add(one, self.data(one.stream.base, kind))
        self.read(steps)

    # Rotations

    @precondition(lambda self: not self.linked and self.world.idle())
    @rule(index=INDEX, dated=st.booleans(), create=st.booleans(), steps=STEPS)
    def rename(self, index: int, dated: bool, create: bool, steps: int) -> None:
        base = self.of(self.world.idle(), index)
        self.world.rename(base, dated=dated)
        if create:
            self.read(steps)
            self.world.create(base)

    @precondition(lambda self: self.world.packable())
    @rule(which=st.integers(0, 5), share=st.integers(0, 4), steps=STEPS, end=st.booleans())
    def pack(self, which: int, share: int, steps: int, end: bool) -> None:
        path = self.of(self.world.packable(), which)
        self.world.begin_packing(self.world.at[path].stream.base, path, share)
        self.read(steps)
        if end:
            self.end_packing()

    @precondition(lambda self: self.world.packing)
    @rule()
    def end_packing(self) -> None:
        for base in list(self.world.packing):
            self.world.end_packing(base)

    @precondition(lambda self: not self.linked and self.world.idle())
    @rule(index=INDEX, share=st.integers(0, 4), steps=STEPS, end=st.booleans())
    def copy(self, index: int, share: int, steps: int, end: bool) -> None:
        self.world.begin_copy(self.of(self.world.idle(), index), share)
        self.read(steps)
        if end:
            self.end_copy(window=True, steps=0)

    @precondition(lambda self: self.world.copying)
    @rule(window=st.booleans(), steps=STEPS)
    def end_copy(self, window: bool, steps: int) -> None:
        """Copy the rest, and truncate the file; in the `window` between the two something may be written."""
        for base in list(self.world.copying):
            self.world.go_on_copying(base)
            if window:
                self.world.write(base, self.data(base, "line"))
            self.read(steps)
            self.world.end_copy(base)

    @precondition(lambda self: self.world.idle())
    @rule(index=INDEX, steps=STEPS)
    def truncate(self, index: int, steps: int) -> None:
        self.world.rewrite(self.of(self.world.idle(), index), b"")
        self.read(steps)

    @precondition(lambda self: self.world.idle())
    @rule(index=INDEX, more=st.integers(0, 20), steps=STEPS)
    def rewrite(self, index: int, more: int, steps: int) -> None:
        """Write other content over what is there, at least as much."""
        base = self.of(self.world.idle(), index)
        one = self.world.current(base)
        assert one is not None
        name = b"<%d>" % next(self.numbers)
        self.world.rewrite(base, name.ljust(max(len(name), one.length + more - 1), b".") + b"\n")
        self.read(steps)

    @precondition(lambda self: self.world.deletable())
    @rule(which=st.integers(0, 5), create=st.booleans())
    def delete(self, which: int, create: bool) -> None:
        path = self.of(self.world.deletable(), which)
        self.world.delete(path)
        base = path.rpartition("/")[2]
        if create and base in self.bases:
            self.world.create(base)

    @precondition(lambda self: self.linked)
    @rule(steps=STEPS)
    def swap(self, steps: int) -> None:
        self.world.swap(self.bases[0])
        self.read(steps)

    @precondition(lambda self: not self.linked and self.world.idle())
    @rule(index=INDEX, steps=STEPS)
    def move_away(self, index: int, steps: int) -> None:
        self.world.move_away(self.of(self.world.idle(), index))
        self.read(steps)

    @precondition(lambda self: self.world.away)
    @rule()
    def move_back(self) -> None:
        for base in list(self.world.away):
            if not self.world.busy(base):
                self.world.move_back(base)

    @precondition(lambda self: not self.world.packing and not self.world.copying)
    @rule(create=st.booleans(), steps=STEPS)
    def rename_folder(self, create: bool, steps: int) -> None:
        self.world.rename_folder()
        if create:
            self.read(steps)
            for base in self.bases:
                self.world.create(base)

    # The reader

    @precondition(lambda self: self.reader.running)
    @rule(steps=STEPS)
    def read(self, steps: int) -> None:
        """Take so many steps, or all that can be taken now."""
        if self.reader.running and steps == ALL:
            self.reader.drain()
        for _ in range(steps % ALL if self.reader.running else 0):
            self.reader.step()
        self.save()

    @precondition(lambda self: self.reader.running)
    @rule(seconds=LENGTHS_S)
    def live(self, seconds: float) -> None:
        """Let time pass, and read all the while."""
        step_s = max(0.25, seconds / 40)
        while seconds > 0:
            self.clock.advance(min(step_s, seconds))
            seconds -= step_s
            self.reader.drain()
            self.save()

    @rule(seconds=LENGTHS_S)
    def sleep(self, seconds: float) -> None:
        """Let time pass at once: the reader waits for room in what comes after it, or it is down."""
        self.clock.advance(seconds)
        self.save()

    def save(self) -> None:
        """Save the positions, once a second."""
        if self.reader.running and self.clock.monotonic() >= self.save_at:
            self.reader.ledger.save()
            self.save_at = self.clock.monotonic() + 1.0

    @precondition(lambda self: self.reader.running)
    @rule(counts=SETTLE)
    def settle(self, counts: list[int]) -> None:
        for source, count in zip(self.reader.ledger.unsettled(), counts, strict=False):
            self.reader.ledger.settle(source, count)

    @precondition(lambda self: self.reader.running)
    @rule()
    def stop(self) -> None:
        self.reader.stop()

    @precondition(lambda self: self.reader.running)
    @rule(counts=SETTLE, save=st.booleans())
    def kill(self, counts: list[int], save: bool) -> None:
        self.settle(counts)
        if save:
            self.reader.ledger.save()
        self.reader.kill()

    @precondition(lambda self: not self.reader.running)
    @rule(steps=STEPS)
    def start(self, steps: int) -> None:
        self.reader.start()
        self.read(steps)

    @precondition(lambda self: self.reader.running)
    @rule()
    def catch_up(self) -> None:
        """In the end everything was read once, whatever happened."""
        self.reader.drain()
        for _ in range(int(CATCH_UP_S / 0.5)):
            self.clock.advance(0.5)
            self.reader.drain()
            self.reader.ledger.settle_all()
            self.save()
            if not self.missing():
                break
        missing = self.missing()
        self.reader.failed = bool(missing)
        assert not missing, missing
        self.reader.check_dropped()

    def missing(self) -> list[str]:
        """Name what can be had and was not handed out."""
        found = []
        for one in self.world.files():
            end = one.stream.whole(one.length)
            if one.stream.unread(0, end):
                left = [at for at in range(end) if one.stream.unread(at, at + 1)]
                found.append(f"{one.path}: {bytes(one.stream.content[left[0] : left[-1] + 1])!r}")
        return found


class Pattern(Machine):
    """Two paths of one pattern, which the names of rotated files match, too."""

    bases: ClassVar[list[str]] = ["a.log", "b.log"]
    pattern = "*.log*"


class Poll(Machine):
    options: ClassVar[dict[str, Any]] = {"poll": True}


class Events(Machine):
    options: ClassVar[dict[str, Any]] = {"multiline": {"start": "^<", "timeout": "1s", "max_bytes": 80}}


class Linked(Machine):
    linked = True


EXAMPLES = int(os.environ.get("MODEL_EXAMPLES", "500"))
for machine in (Machine, Pattern, Poll, Events, Linked):
    machine.TestCase.settings = settings(
        max_examples=EXAMPLES * (25 if LONG else 1),
        stateful_step_count=20,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        derandomize=not LONG,  # the same walks for everybody; SWAK_LONG=1 takes new ones, and many more
        phases=list(Phase) if LONG else [Phase.explicit, Phase.generate],
    )
pytestmark = pytest.mark.timeout(36_000 if LONG else 300)

TestMachine = Machine.TestCase
TestPattern = Pattern.TestCase
TestPoll = Poll.TestCase
if LONG:  # it still finds what others do not: see that it holds before it joins them
    TestEvents = Events.TestCase
TestLinked = Linked.TestCase
