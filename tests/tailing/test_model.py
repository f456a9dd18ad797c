"""Files that are written, rotated and read in any order, with crashes in between, against a model."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from swak.tailing.discovery import Wanted
from swak.tailing.files import Files
from swak.tailing.follow import Cuts, Limits
from swak.tailing.identity import Mark, key_of
from swak.tailing.lineage import Pace
from swak.testing import FakeClock
from tests.tailing.tails import append, rotate

LIMITS = Limits(line_bytes=1_000, block_bytes=16)
PARTS = st.sampled_from(
    [b"one\n", b"\n", b"half", b"a line of more than a block\n", b"x\ny\nz\n", b"\r\n", b"\xff\x00"]
)
LATE_S = 50.0
"""How long after a rotation the old file may still be written to: a file is closed after 60 s of quiet."""


class Generation:
    """What was written to one file, and what came of it."""

    def __init__(self) -> None:
        self.content = b""
        self.torn = False
        """Whether a half line was delivered as it was, so that line ends need not agree."""


class World(RuleBasedStateMachine):
    """One path, its writer, its reader."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "a.log"
        self.generations: list[Generation] = []
        self.numbers: dict[int, int] = {}
        """Generation by inode: none is deleted, so none is used twice."""
        self.clock = FakeClock(time.time() - 100_000)  # never ahead of the times that the kernel sets
        self.rotated_at = 0.0
        self.files: Files | None = None
        self.marks: dict[str, Mark] = {}
        self.text: dict[int, bytes] = {}
        self.order: list[int] = []
        self.saved: list[tuple[dict[str, Mark], dict[int, bytes]]] = []
        self.create()
        self.start()
        self.settle()  # the very first start has told where it begins

    def teardown(self) -> None:
        if self.files is not None:
            self.files.close()
        self.folder.cleanup()

    def add(self, path: Path, part: bytes) -> None:
        """Write, at the time that the reader's clock shows."""
        append(path, part)
        os.utime(path, ns=(self.clock.time_ns(), self.clock.time_ns()))

    def create(self) -> None:
        self.add(self.path, b"")
        self.numbers[key_of(self.path.stat()).inode] = len(self.generations)
        self.generations.append(Generation())

    @rule(part=PARTS)
    def write(self, part: bytes) -> None:
        self.add(self.path, part)
        self.generations[-1].content += part

    @precondition(lambda self: len(self.generations) > 1 and self.clock.monotonic() < self.rotated_at + LATE_S)
    @rule()
    def write_late(self) -> None:
        """A process that has not noticed the rotation adds to the file before."""
        late = self.generations[-2]
        late.torn |= not late.content.endswith(b"\n")
        self.add(self.path.with_name("a.log.1"), b"late\n")
        late.content += b"late\n"

    @rule()
    def rotate(self) -> None:
        rotate(self.path, keep=99)
        self.create()
        self.rotated_at = self.clock.monotonic()

    @precondition(lambda self: self.files is not None)
    @rule()
    def read(self) -> None:
        self.take()

    @precondition(lambda self: self.files is not None)
    @rule(seconds=st.sampled_from([0.01, 0.3, 1.2]))
    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.take()

    @precondition(lambda self: self.files is not None)
    @rule(back=st.integers(0, 5))
    def crash(self, back: int) -> None:
        """The reader dies; its checkpoint may be older than what it has read."""
        assert self.files is not None
        self.files.close()
        self.files = None
        marks, text = self.saved[-1 - min(back, len(self.saved) - 1)]
        self.marks, self.text = dict(marks), dict(text)
        self.saved = [(dict(marks), dict(text))]

    @precondition(lambda self: self.files is None)
    @rule()
    def start(self) -> None:
        self.files = Files(
            Wanted([str(self.path)]),
            self.marks,
            clock=self.clock,
            limits=LIMITS,
            cuts=Cuts(),
            pace=Pace(),
            from_end=False,
        )

    def take(self) -> bool:
        assert self.files is not None
        taken = self.files.next()
        if taken is None:
            return self.files.busy
        number = self.numbers[int(taken.source.split(":")[1])]
        generation = self.generations[number]
        self.text[number] = self.text.get(number, b"") + taken.data
        self.marks = {**self.marks, taken.source: taken.mark}
        self.saved.append((dict(self.marks), dict(self.text)))
        if taken.mark.offset and not generation.content[: taken.mark.offset].endswith(b"\n"):
            generation.torn = True
        if not generation.torn:
            assert self.text[number] == generation.content[: taken.mark.offset]
        return True

    def settle(self) -> None:
        while self.take():
            pass

    @invariant()
    def nothing_is_read_that_was_not_written(self) -> None:
        for number, text in self.text.items():
            assert len(text.replace(b"\n", b"")) <= len(self.generations[number].content.replace(b"\n", b""))

    @rule()
    def catch_up(self) -> None:
        """In the end everything was read once, whatever happened."""
        if self.files is None:
            self.start()
        for _ in range(12 * len(self.generations)):
            self.clock.advance(0.25)
            self.settle()
        for number, generation in enumerate(self.generations):
            text, content = self.text.get(number, b""), generation.content
            last = number == len(self.generations) - 1
            whole = content[: content.rfind(b"\n") + 1] if last else content
            if generation.torn:
                assert text.replace(b"\n", b"") == whole.replace(b"\n", b"")
            else:
                assert text == whole


World.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestWorld = World.TestCase
