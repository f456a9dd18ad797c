"""What was called safe is there after the power was lost: checkpoint and dead letters."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, rule

from swak.ack import Origin
from swak.checkpoint import Checkpoint
from swak.deadletters import DeadLetter, DeadLetters, Limit, Shelf
from swak.ledger import Ledger, Reading
from swak.plugin import Extent
from swak.testing import event
from tests.forgetful import ForgetfulFiles

LONG = os.environ.get("SWAK_LONG") == "1"
STEPS = settings(max_examples=2_000 if LONG else 100, stateful_step_count=30, deadline=None)


class Power(RuleBasedStateMachine):
    """A store on files that forget. `restart` opens it anew and looks at it."""

    def __init__(self) -> None:
        super().__init__()
        self.files = ForgetfulFiles()
        self.serial = 0
        self.restart()

    def restart(self) -> None:
        raise NotImplementedError

    @rule(room=st.sampled_from([0, 10, 100]))
    def fill_disk(self, room: int) -> None:
        self.files.room = room

    @rule()
    def free_disk(self) -> None:
        self.files.room = None

    @rule(fails=st.booleans())
    def break_sync(self, *, fails: bool) -> None:
        self.files.sync_fails = fails

    @rule(data=st.data())
    def lose_power(self, data: Any) -> None:
        self.files.crash(lambda most: data.draw(st.integers(0, most)))
        self.restart()


class Checkpointing(Power):
    """The last positions that were saved are there, or ones that were being saved when the power went."""

    def __init__(self) -> None:
        self.saved: int | None = None
        self.tried: set[int | None] = set()
        super().__init__()

    def restart(self) -> None:
        self.checkpoint = Checkpoint(Path("/state/web.json"), self.files)
        found = self.checkpoint.load().get("input", {}).get("source")
        assert found == self.saved or found in self.tried
        self.saved = found
        self.tried = set()

    @rule()
    def save(self) -> None:
        self.serial += 1
        try:
            self.checkpoint.save({"input": {"source": self.serial}})
        except OSError:
            self.tried.add(self.serial)
        else:
            self.saved, self.tried = self.serial, set()


class Accounting(Power):
    """The ledger is saved before the checkpoint: no restart finds one beyond what the ledger has as settled."""

    def __init__(self) -> None:
        self.read = self.settled = 0
        self.at_least = 0
        super().__init__()

    def restart(self) -> None:
        self.ledger = Ledger(Path("/state/ledger.json"), self.files)
        self.checkpoint = Checkpoint(Path("/state/web.json"), self.files)
        at = self.checkpoint.load().get("input", {}).get("source", 0)
        assert at >= self.at_least
        self.ledger.begin(1, {("web", "input"): {"source": (0, at)}})
        held = self.ledger._held["sources"]["web"]["input"]["source"]["0"]
        assert not held["unaccounted"]
        self.read = self.settled = at

    @rule(size=st.integers(1, 9))
    def go_on(self, size: int) -> None:
        self.read += size

    @rule(share=st.integers(0, 9))
    def settle(self, share: int) -> None:
        self.settled += (self.read - self.settled) * share // 9

    @rule(dies=st.booleans())
    def save(self, *, dies: bool) -> None:
        extent = Extent(0, "app.log", 0, 0, self.read, self.read)
        self.ledger.note_bytes(Reading("web", "input", {"source": (0, self.settled)}, {"source": [extent]}))
        try:
            self.ledger.save()
            if not dies:
                self.checkpoint.save({"input": {"source": self.settled}})
                self.at_least = self.settled
        except OSError:
            return
        if dies:
            self.files.crash(lambda most: most)
            self.restart()


DEAD = Path("/state/dead-letters.jsonl")
DEAD_BYTES = 2_500
"""The limit in these tests: some ten letters."""


class Burying(Power):
    """Every letter that was called safe is there, whole and once, unless it was taken off, or dropped and counted."""

    when_full: Literal["block", "drop_oldest"] = "block"

    def __init__(self) -> None:
        self.safe: list[int] = []
        self.taken: set[int] = set()
        super().__init__()

    def restart(self) -> None:
        self.letters = DeadLetters(DEAD, self.files, Limit(DEAD_BYTES, self.when_full))
        self.look()

    def look(self) -> None:
        shelf = Shelf(DEAD, self.files)
        found = [kept.letter.event.record["n"] for kept in shelf.letters()]
        assert not self.taken & set(found)
        there = [one for one in found if one in self.safe]
        wanted = [one for one in self.safe if one not in self.taken]
        missing = len(wanted) - len(there)
        assert missing <= shelf.taken.dropped
        assert there == wanted[missing:]  # only the oldest are dropped

    @rule(count=st.integers(1, 3))
    def bury(self, count: int) -> None:
        numbers = list(range(self.serial, self.serial + count))
        self.serial += count
        letters = [DeadLetter(event({"n": n}), Origin("source", n), "flow", "stage", "why") for n in numbers]
        try:
            self.letters.append(letters)
        except OSError:
            return
        self.safe += numbers
        self.look()

    @rule(data=st.data())
    def take(self, data: Any) -> None:
        shelf = Shelf(DEAD, self.files)
        kept = [one for one in shelf.letters() if data.draw(st.booleans())]
        numbers = {one.letter.event.record["n"] for one in kept}
        try:
            shelf.take((one.number, one.number) for one in kept)
        except OSError:
            return
        self.taken |= numbers
        self.look()

    @rule(whole=st.booleans())
    def clear(self, *, whole: bool) -> None:
        try:
            self.letters.reclaim() if whole else Shelf(DEAD, self.files).clear()
        except OSError:
            assert self.files.full or self.files.sync_fails
        self.look()

    @rule()
    def begin_another_process(self) -> None:
        self.letters.close()
        self.restart()


class Dropping(Burying):
    """The same where the oldest are dropped for room."""

    when_full = "drop_oldest"


TestCheckpointing = Checkpointing.TestCase
TestCheckpointing.settings = STEPS
TestBurying = Burying.TestCase
TestBurying.settings = STEPS
TestDropping = Dropping.TestCase
TestDropping.settings = STEPS
TestAccounting = Accounting.TestCase
TestAccounting.settings = STEPS
