from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as some

from swak.ack import Ack, Source
from swak.event import EVENTS_MAX, Batch, Block, Dicts, Rows
from swak.holding import HELD_BYTES, HoldingBuffer
from swak.testing import FakeClock, batch_of, event

if TYPE_CHECKING:
    from collections.abc import Sequence


class Row(msgspec.Struct, gc=False):
    n: int


class Held(NamedTuple):
    buffer: HoldingBuffer
    clock: FakeClock
    source: Source

    def add(self, *numbers: int, kind: str = "dicts", tag: str = "test", size_bytes: int | None = None) -> Ack:
        ack = self.source.register(1, numbers[-1] if numbers else None, len(numbers))
        body: Block | Rows | Dicts
        if kind == "block":
            body = Block(b"".join(b"%d\n" % number for number in numbers), self.clock.time_ns())
        elif kind == "rows":
            body = Rows([Row(number) for number in numbers], [0] * len(numbers), size_bytes)
        else:
            body = Dicts([{"n": number} for number in numbers], [0] * len(numbers), size_bytes)
        self.buffer.add(Batch(body, tag, ack))
        return ack

    def take(self, *, end: bool = False) -> list[Batch]:
        taken = []
        while (batch := self.buffer.take(end=end)) is not None:
            taken.append(batch)
        return taken


def held(*, s: float | None = None, count: int | None = None, size_bytes: int = HELD_BYTES) -> Held:
    buffer = HoldingBuffer()
    buffer.hold_s, buffer.hold_count, buffer.hold_bytes = s, count, size_bytes
    clock = buffer.clock = FakeClock(0)
    buffer.open()
    source = Source("test")
    source.closed = True  # what a test leaves unsettled is no leak
    return Held(buffer, clock, source)


def numbers(batch: Batch) -> list[int]:
    return [int(record["message"] if "message" in record else record["n"]) for record in batch.body.records()]


def counts(batches: Sequence[Batch]) -> list[int]:
    return [batch.count for batch in batches]


@pytest.mark.parametrize("kind", ["block", "rows", "dicts"])
def test_a_large_batch_is_cut_into_exact_groups(kind: str) -> None:
    it = held(count=100)
    it.add(*range(250), kind=kind)
    taken = it.take()
    assert counts(taken) == [100, 100]
    assert [one for batch in taken for one in numbers(batch)] == list(range(200))
    assert [numbers(batch) for batch in it.take(end=True)] == [list(range(200, 250))]


@pytest.mark.parametrize("kind", ["block", "rows", "dicts"])
def test_small_batches_are_joined_into_exact_groups(kind: str) -> None:
    it = held(count=10)
    for number in range(25):
        it.add(number, kind=kind)
    taken = it.take()
    assert [numbers(batch) for batch in taken] == [list(range(10)), list(range(10, 20))]
    assert {type(batch.body).__name__.lower() for batch in taken} == {kind}


def test_a_batch_settles_when_all_its_groups_have() -> None:
    it = held(count=2)
    ack = it.add(1, 2, 3, 4, 5)
    first, second = it.take()
    (last,) = it.take(end=True)
    for batch in (last, first):
        batch.ack.settle()
        assert not ack.settled
    second.ack.settle()
    assert ack.settled


def test_a_group_settles_every_batch_that_it_ends() -> None:
    it = held(count=4)
    acks = [it.add(1), it.add(2, 3), it.add(4, 5)]
    (group,) = it.take()
    group.ack.settle()
    assert [ack.settled for ack in acks] == [True, True, False]
    it.take(end=True)[0].ack.settle()
    assert acks[2].settled


def test_nothing_settles_while_a_part_is_still_held() -> None:
    it = held(count=2)
    ack = it.add(1, 2, 3)
    it.take()[0].ack.settle()
    assert not ack.settled


def test_settling_is_flat_however_often_a_batch_was_cut() -> None:
    it = held(count=1)
    ack = it.add(*range(EVENTS_MAX))
    taken = it.take()
    assert len(taken) == EVENTS_MAX > sys.getrecursionlimit() // 2
    for batch in taken:
        batch.ack.settle()
    assert ack.settled


def test_a_batch_that_leaves_whole_keeps_its_own_ack() -> None:
    it = held(s=1)
    ack = it.add(1, 2)
    assert it.take(end=True)[0].ack is ack


def test_a_batch_that_comes_again_after_a_death_settles_by_its_new_parts() -> None:
    it = held(count=2)
    ack = it.add(1, 2, 3)
    it.take()[0].ack.settle()
    successor = held(count=2)
    successor.buffer.add(batch_of([event({"n": number}) for number in (1, 2, 3)], ack))
    for batch in successor.take(end=True):
        assert not ack.settled
        batch.ack.settle()
    assert ack.settled


def test_age_releases_everything() -> None:
    it = held(s=10)
    it.add(1)
    it.clock.advance(9)
    it.add(2)
    assert it.take() == []
    it.clock.advance(1)
    assert [numbers(batch) for batch in it.take()] == [[1, 2]]
    assert it.buffer.due_at() is None


def test_due_at_follows_the_oldest() -> None:
    it = held(s=10)
    assert it.buffer.due_at() is None
    it.clock.advance(5)
    it.add(1)
    it.clock.advance(5)
    it.add(2)
    assert it.buffer.due_at() == 15


def test_a_full_group_is_due_now() -> None:
    it = held(count=1)
    it.clock.advance(3)
    it.add(1)
    assert it.buffer.due_at() == 3


def test_age_also_releases_a_group_that_is_not_full() -> None:
    it = held(s=10, count=4)
    it.add(1, 2, 3)
    it.clock.advance(10)
    assert [numbers(batch) for batch in it.take()] == [[1, 2, 3]]


def test_bytes_release_a_group_that_is_not_full() -> None:
    it = held(count=1_000, size_bytes=100)
    it.add(1, size_bytes=60)
    assert it.take() == []
    it.add(2, size_bytes=60)
    assert [numbers(batch) for batch in it.take()] == [[1, 2]]


def test_bytes_do_not_spoil_groups_that_are_full() -> None:
    it = held(count=2, size_bytes=100)
    it.add(1, 2, 3, 4, 5, size_bytes=200)
    assert counts(it.take()) == [2, 2]
    assert counts(it.take(end=True)) == [1]


def test_sizes_that_do_not_divide_do_not_add_up_to_a_flush() -> None:
    it = held(count=3, size_bytes=200)
    for start in range(0, 10_000, 10):
        it.add(*range(start, start + 10), size_bytes=101)
        assert all(batch.count == 3 for batch in it.take())


def test_a_group_above_a_batchs_limit_leaves_as_several_in_order() -> None:
    it = held(count=2_500)
    it.add(*range(900))
    it.add(*range(900, 1_800))
    it.add(*range(1_800, 2_600))
    taken = it.take()
    assert sum(counts(taken)) == 2_500
    assert max(counts(taken)) <= EVENTS_MAX
    assert [one for batch in taken for one in numbers(batch)] == list(range(2_500))


def test_lines_of_different_tags_stay_apart() -> None:
    it = held(count=2)
    it.add(1, kind="block", tag="a")
    it.add(2, kind="block", tag="b")
    assert [(batch.tags, numbers(batch)) for batch in it.take()] == [("a", [1]), ("b", [2])]


def test_records_of_different_tags_travel_together() -> None:
    it = held(count=2)
    it.add(1, tag="a")
    it.add(2, kind="rows", tag="b")
    ((batch),) = it.take()
    assert batch.tag_list() == ["a", "b"]


def test_opening_again_begins_empty() -> None:
    it = held(count=2)
    it.add(1)
    it.buffer.open()
    assert it.take(end=True) == []


BATCHES = some.lists(some.tuples(some.integers(1, 40), some.sampled_from(["block", "rows", "dicts"])), max_size=20)


@given(BATCHES, some.integers(1, 30) | some.none(), some.integers(1, 2_000))
def test_whatever_comes_leaves_once_in_order_and_settles(
    batches: list[tuple[int, str]], count: int | None, size_bytes: int
) -> None:
    it = held(s=3, count=count, size_bytes=size_bytes)
    acks, out, at = [], [], 0
    for size, kind in batches:
        acks.append(it.add(*range(at, at + size), kind=kind))
        at += size
        it.clock.advance(1)
        out += it.take()
    out += it.take(end=True)
    assert [one for batch in out for one in numbers(batch)] == list(range(at))
    for batch in reversed(out):
        assert not all(ack.settled for ack in acks)
        batch.ack.settle()
    assert all(ack.settled for ack in acks)
    assert it.buffer._size_bytes == it.buffer._count == 0
