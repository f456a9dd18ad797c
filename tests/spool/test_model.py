"""A spool that is written, read, settled, closed, and loses its power, in any order."""

from __future__ import annotations

import os
from pathlib import Path
from typing import ClassVar

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from swak.spool.spool import FullError, Spool
from tests.forgetful import ForgetfulFiles

LONG = os.environ.get("SWAK_LONG") == "1"
FOLDER = Path("/spool")
MAX_BYTES = 200_000


class Spooling(RuleBasedStateMachine):
    """What was synced comes until it is settled, in order, and nothing else than what was appended ever comes."""

    files_class: ClassVar[type[ForgetfulFiles]] = ForgetfulFiles

    def __init__(self) -> None:
        super().__init__()
        self.files = self.files_class()
        self.appended: dict[int, bytes] = {}
        self.promised: set[int] = set()
        """Synced: whoever appended them was told that they are safe."""
        self.settled: set[int] = set()
        self.dropped = 0
        self.serial = 0
        self.open()

    def open(self) -> None:
        self.spool = Spool(FOLDER, max_bytes=MAX_BYTES, files=self.files)
        self.spool.open()
        self.unsynced: list[int] = []
        self.failed = False
        """Whether a sync failed that nobody was told of yet."""
        self.taken: list[int] = []
        self.after = self.spool.state.settled
        assert self.spool.state.damaged == 0 or self.files.crashed

    @rule(size=st.sampled_from([0, 10, 1_000, 30_000, 70_000]))
    def append(self, size: int) -> None:
        self.serial += 1
        body = b"%d:" % self.serial + b"x" * size
        try:
            number = self.spool.append(body, 1, body, len(body))
        except FullError:
            assert self.spool.size_bytes + len(body) > MAX_BYTES - 1_000
            return
        except OSError:
            assert self.files.full or self.files.sync_fails
            self.failed |= self.files.sync_fails
            return
        assert number not in self.promised | self.settled
        self.appended[number] = body
        self.unsynced.append(number)

    @rule()
    def sync(self) -> None:
        try:
            self.spool.sync()
        except OSError:
            assert self.files.sync_fails or self.failed
            self.failed = False
        else:
            self.promised.update(self.unsynced)
        self.unsynced.clear()

    @rule(count=st.integers(1, 5))
    def take(self, count: int) -> None:
        for _ in range(count):
            taken = self.spool.take()
            if taken is None:
                return
            if taken.body is None and taken.recent is None:
                continue
            assert taken.number > (self.taken[-1] if self.taken else self.after)
            missed = {
                one
                for one in self.promised
                if one < taken.number and one > (self.taken[-1] if self.taken else self.after)
            }
            assert missed <= self.settled, "what was promised is passed over"
            assert (taken.recent or taken.body) == self.appended[taken.number]
            self.taken.append(taken.number)

    @precondition(lambda self: self.taken)
    @rule(share=st.integers(1, 4))
    def settle(self, share: int) -> None:
        number = self.taken[max(0, len(self.taken) * share // 4 - 1)]
        self.spool.settle(number)
        self.settled.update(one for one in self.appended if one <= number)

    @rule()
    def save(self) -> None:
        try:
            self.spool.save()
        except OSError:
            assert self.files.full or self.files.sync_fails

    @rule(room=st.sampled_from([0, 50, 20_000]))
    def fill_disk(self, room: int) -> None:
        self.files.room = room

    @rule()
    def fill_disk_for_good(self) -> None:
        self.files.capacity = self.files.used

    @rule()
    def free_disk(self) -> None:
        self.files.room = self.files.capacity = None

    @rule()
    def drop_oldest(self) -> None:
        before = self.spool.state.dropped
        segments = [segment.first for segment in self.spool._segments]
        try:
            events = self.spool.drop_oldest()
        except OSError:
            assert self.files.full or self.files.sync_fails
            self.failed |= self.files.sync_fails
            events = self.spool.state.dropped - before
        gone = set(segments) - {segment.first for segment in self.spool._segments}
        if events:
            last = self.spool.state.dropped_to
            first = max((one for one in segments if one <= last), default=last)
            self.settled.update(range(first, last + 1))
        assert not events or gone or self.files.full or self.files.sync_fails

    @rule(fails=st.booleans())
    def break_sync(self, *, fails: bool) -> None:
        self.files.sync_fails = fails

    @rule()
    def reopen(self) -> None:
        self.files.heal()
        self.sync()
        self.spool.close()
        self.open()

    @rule(data=st.data())
    def lose_power(self, data: st.DataObject) -> None:
        self.files.crash(lambda most: data.draw(st.integers(0, most)))
        self.files.crashed = True
        self.open()
        self.settled = {one for one in self.settled if one in self.promised or one <= self.after}

    def teardown(self) -> None:
        self.files.heal()
        self.sync()
        left = {one for one in self.promised if one > max(self.taken, default=self.after)}
        came = set()
        while (taken := self.spool.take()) is not None:
            came.add(taken.number)
        assert left - self.settled <= came
        self.spool.close()


TestSpooling = Spooling.TestCase
TestSpooling.settings = settings(max_examples=5_000 if LONG else 400, stateful_step_count=50, deadline=None)
