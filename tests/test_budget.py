"""The byte budget: who may enter, who is woken, and that no order of steps leaves anybody asleep."""

from __future__ import annotations

import random
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from swak.budget import GROUP_S, MIN_BYTES, Budget, Share
from swak.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WAIT_S = 20.0


def nobody() -> None:
    """Listens."""


class Box:
    """Keeps bytes, and counts who calls."""

    def __init__(self) -> None:
        self.freed: Callable[[], None] = nobody
        self.kept_bytes = 0
        self.poked = threading.Semaphore(0)
        self.pokes = self.wakes = 0

    def poke(self) -> None:
        self.pokes += 1
        self.poked.release()

    def wake(self) -> None:
        self.wakes += 1

    def take(self, size_bytes: int) -> None:
        self.kept_bytes += size_bytes

    def let_go(self, size_bytes: int) -> None:
        self.kept_bytes -= size_bytes
        self.freed()


class Open:
    """A right to act that nobody takes away."""

    def check(self) -> None:
        """All is well."""


FENCE = Open()


def flow(budget: Budget) -> tuple[Share, Box, Box]:
    """Make a share with the mailboxes of an input and of a stage behind it."""
    share, entry, box = budget.share(), Box(), Box()
    share.add(entry, source=True)
    share.add(box)
    return share, entry, box


def enter(share: Share, box: Box, size_bytes: int) -> bool:
    admitted = share.admit(size_bytes, FENCE)
    if admitted:
        box.take(size_bytes)
        share.leave()
    return admitted


def test_without_a_limit_everything_enters_and_nobody_is_told_of_bytes() -> None:
    share, _, box = flow(Budget(None, 1))
    assert all(enter(share, box, 1 << 40) for _ in range(3))
    assert not share.waits
    assert box.freed is nobody


def test_what_is_beyond_the_limit_waits_and_is_woken_when_there_is_room() -> None:
    share, entry, box = flow(Budget(4 * MIN_BYTES, 1))
    assert enter(share, box, 3 * MIN_BYTES)
    assert not enter(share, box, 2 * MIN_BYTES)
    assert share.waits
    box.let_go(MIN_BYTES // 2)
    assert entry.pokes == 0, "there is no room yet"
    box.let_go(MIN_BYTES // 2)
    assert entry.pokes == 1
    assert enter(share, box, 2 * MIN_BYTES)
    assert not share.waits


def test_one_read_above_the_limit_enters_a_flow_that_keeps_nothing() -> None:
    share, entry, box = flow(Budget(MIN_BYTES, 1))
    assert enter(share, box, 5 * MIN_BYTES)
    assert not enter(share, box, 1)
    box.let_go(5 * MIN_BYTES)
    assert entry.pokes == 1


def test_who_holds_back_is_told_once_when_an_input_begins_to_wait() -> None:
    share, _, box = flow(Budget(MIN_BYTES, 1))
    enter(share, box, MIN_BYTES)
    for _ in range(3):
        enter(share, box, MIN_BYTES)
    assert box.wakes == 1


def test_a_flow_that_takes_all_it_can_leaves_the_others_their_part() -> None:
    budget = Budget(8 * MIN_BYTES, 2)
    (greedy, _, mine), (other, _, theirs) = flow(budget), flow(budget)
    while enter(greedy, mine, MIN_BYTES // 4):
        pass
    assert mine.kept_bytes == 6 * MIN_BYTES
    while enter(other, theirs, MIN_BYTES // 4):
        pass
    assert theirs.kept_bytes == 2 * MIN_BYTES
    assert budget.kept_bytes() == 8 * MIN_BYTES


def test_a_flow_whose_stages_make_more_of_what_they_got_takes_nobodys_part() -> None:
    budget = Budget(8 * MIN_BYTES, 2)
    (_, _, mine), (other, _, theirs) = flow(budget), flow(budget)
    mine.take(100 * MIN_BYTES)
    while enter(other, theirs, MIN_BYTES // 4):
        pass
    assert theirs.kept_bytes == 2 * MIN_BYTES


def test_what_was_let_in_counts_until_it_has_arrived() -> None:
    budget = Budget(8 * MIN_BYTES, 2)
    (one, _, _), (other, waiting, box) = flow(budget), flow(budget)
    enter(other, box, 2 * MIN_BYTES)
    assert one.admit(6 * MIN_BYTES, FENCE)
    assert not other.admit(1, FENCE)
    one.leave()
    assert waiting.pokes == 1, "what was let in is gone with its seat"


def test_a_seat_that_was_replaced_takes_no_room() -> None:
    class Fenced(Exception):  # noqa: N818 - named as the runtime's own
        """The seat was replaced."""

    class Revoked:
        """A right to act that was taken away."""

        def check(self) -> None:
            raise Fenced

    budget = Budget(MIN_BYTES, 1)
    share, _, _ = flow(budget)
    with pytest.raises(Fenced):
        share.admit(1, Revoked())
    assert (budget.kept_bytes(), share.waits) == (0, False)


def test_what_plugins_keep_for_themselves_is_taken_off_at_once_and_bounded() -> None:
    budget = Budget(8 * MIN_BYTES, 2, [4 * MIN_BYTES, 0])
    assert budget.cache_of(4 * MIN_BYTES) == budget.kept_bytes() == MIN_BYTES
    share, _, box = flow(budget)
    while enter(share, box, MIN_BYTES // 16):
        pass
    assert box.kept_bytes <= 7 * MIN_BYTES
    assert Budget(None, 2, [9]).cache_of(9) == 9


def test_a_limit_that_leaves_a_flow_too_little_is_refused_with_what_would_do() -> None:
    with pytest.raises(ConfigError, match="give at least 3MiB, or no limit"):
        Budget(2 * MIN_BYTES, 3)
    with pytest.raises(ConfigError, match="too small for one input"):
        Budget(MIN_BYTES - 1, 1)


def test_who_begins_to_wait_while_bytes_leave_is_woken_by_them() -> None:
    freeing: list[threading.Thread] = []

    class Leaving(Box):
        """Lets all go, from another thread, right after somebody has seen how much it keeps."""

        @property
        def kept_bytes(self) -> int:
            seen = self._kept_bytes
            if seen and not freeing:
                freeing.append(threading.Thread(target=self.let_go, args=(seen,)))
                freeing[0].start()
                freeing[0].join(0.2)
            return seen

        @kept_bytes.setter
        def kept_bytes(self, size_bytes: int) -> None:
            self._kept_bytes = size_bytes

    share, entry, box = Budget(MIN_BYTES, 1).share(), Box(), Leaving()
    box.take(MIN_BYTES)
    share.add(entry, source=True)
    share.add(box)
    assert not share.admit(MIN_BYTES, FENCE)
    freeing[0].join(WAIT_S)
    assert entry.pokes == 1


@pytest.fixture
def hasty_threads() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("hasty_threads")
def test_no_wakeup_is_lost_between_those_who_wait_and_those_who_free() -> None:
    budget = Budget(3 * MIN_BYTES, 3)
    flows = [flow(budget) for _ in range(3)]
    highest: list[int] = []
    stuck: list[str] = []

    def read(number: int) -> None:
        share, entry, box = flows[number]
        rng = random.Random(number)
        for _ in range(1_000):
            size_bytes = rng.randint(1, MIN_BYTES)
            while not share.admit(size_bytes, FENCE):
                if not entry.poked.acquire(timeout=WAIT_S):
                    stuck.append(f"flow {number} waits for {size_bytes} bytes")
                    return
            with lock:
                box.take(size_bytes)
            share.leave()
            highest.append(budget.kept_bytes())
            queues[number].append(size_bytes)
            ready[number].release()

    def write(number: int) -> None:
        for _ in range(1_000):
            if not ready[number].acquire(timeout=WAIT_S):
                return
            with lock:
                flows[number][2].kept_bytes -= queues[number].pop(0)
            flows[number][2].freed()

    lock = threading.Lock()
    queues: list[list[int]] = [[], [], []]
    ready = [threading.Semaphore(0) for _ in flows]
    threads = [threading.Thread(target=run, args=(number,)) for run in (read, write) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(2 * WAIT_S)
    assert not stuck
    assert [box.kept_bytes for _, _, box in flows] == [0, 0, 0]
    assert max(highest) <= 3 * MIN_BYTES + 3 * MIN_BYTES, "one read above the limit for each flow"


@pytest.mark.parametrize(
    ("awaited", "coming", "waits", "sync_at"),
    [
        (False, False, False, 7.0),
        (False, True, False, 7.0),
        (True, False, False, 0.0),
        (True, True, False, 5 + GROUP_S),
        (True, True, True, 0.0),
        (False, False, True, 0.0),
    ],
)
def test_a_sync_is_due_at_once_where_somebody_waits_and_nothing_comes(
    awaited: bool, coming: bool, waits: bool, sync_at: float
) -> None:
    share = Share(Budget(None, 1))
    share.coming, share.waits = coming, waits
    assert share.sync_at(7.0, 5.0, awaited=awaited) == sync_at


def test_a_sync_that_is_due_by_itself_is_not_put_off() -> None:
    share = Share(Budget(None, 1))
    share.coming = True
    assert share.sync_at(5.0, 5.0, awaited=True) == 5.0
    assert share.sync_at(None, 5.0, awaited=False) is None
