from __future__ import annotations

import gc
import threading
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as some

from swak.ack import Ack, Origin, Source, Sources, Split, join
from swak.errors import Fenced


class Lease:
    revoked = False


def registered(count: int) -> tuple[Source, list[Ack]]:
    """Return a source, and an Ack for each of `count` batches that end at positions 1, 2, ..."""
    source = Source("file")
    acks = [source.register(number, number, 10) for number in range(1, count + 1)]
    return source, acks


def settle_all(acks: list[Ack]) -> None:
    for ack in acks:
        ack.settle()


def test_the_position_follows_settled_batches_in_read_order() -> None:
    source, acks = registered(3)
    positions = []
    for ack in (acks[0], acks[2], acks[1]):
        ack.settle()
        positions.append(source.settled_to)
    assert positions == [1, 1, 3]


@given(some.permutations(range(8)))
def test_the_position_never_passes_an_unsettled_batch(order: list[int]) -> None:
    source, acks = registered(8)
    for number in order:
        acks[number].settle()
        prefix = next((index for index, ack in enumerate(acks) if not ack.settled), 8)
        assert (source.settled_to or 0) == prefix


def test_settling_again_changes_nothing() -> None:
    source, acks = registered(2)
    acks[0].settle()
    acks[0].settle()
    assert (source.settled_to, acks[0].settled, acks[1].settled) == (1, True, False)
    settle_all(acks)


def test_each_event_is_in_the_latencies_once_when_it_and_all_before_it_are_settled() -> None:
    source, acks = registered(3)
    acks[1].settle()
    assert sum(source.shared.latency.spread().counts) == 0
    acks[0].settle()
    acks[0].settle()
    assert sum(source.shared.latency.spread().counts) == 20


def test_an_ack_tells_where_it_comes_from() -> None:
    _, acks = registered(2)
    assert (acks[1].serial, acks[1].origin) == (2, Origin("file", 2))
    child = acks[1].split(2)[0]
    assert (child.serial, child.origin) == (2, Origin("file", 2))
    both = join(acks)
    assert (both.serial, both.origin) == (2, Origin("file", 2))
    settle_all(acks)


def test_a_split_settles_with_its_last_child() -> None:
    _, (ack,) = registered(1)
    children = ack.split(3)
    for child in children[:2]:
        child.settle()
        child.settle()
    assert [child.settled for child in children] == [True, True, False]
    assert not ack.settled
    children[2].settle()
    assert ack.settled


def test_a_split_into_none_settles_at_once() -> None:
    _, (ack,) = registered(1)
    assert ack.split(0) == []
    assert ack.settled


def test_every_split_counts_for_itself() -> None:
    _, (ack,) = registered(1)
    first, second = ack.split(2), ack.split(1)
    first[0].settle()
    assert not ack.settled
    second[0].settle()
    assert ack.settled


def test_an_open_split_never_settles() -> None:
    _, (ack,) = registered(1)
    split = Split(ack)
    child = split.child()
    child.settle()
    assert not ack.settled
    split.close()
    assert ack.settled


def test_children_can_be_split_again() -> None:
    _, (ack,) = registered(1)
    left, right = ack.split(2)
    grandchildren = left.split(2)
    right.settle()
    settle_all(grandchildren)
    assert ack.settled


def test_a_joined_ack_settles_all_its_parts() -> None:
    source, acks = registered(3)
    both = join(acks[:2])
    assert not both.settled
    both.settle()
    assert (both.settled, source.settled_to) == (True, 2)
    acks[2].settle()


def test_joining_one_is_that_one() -> None:
    _, (ack,) = registered(1)
    assert join([ack]) is ack
    ack.settle()


def test_many_threads_settle_without_losing_one() -> None:
    source, acks = registered(200)
    children = [child for ack in acks for child in ack.split(4)]
    threads = [threading.Thread(target=settle_all, args=(children[number::4],)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert (source.settled_to, source.counts(), source.oldest()) == (200, (2_000, 2_000), None)


def test_counts_tell_what_was_read_and_what_of_it_is_settled() -> None:
    source, acks = registered(3)
    assert source.counts() == (30, 0)
    acks[1].settle()
    assert source.counts() == (30, 10)
    acks[0].settle()
    assert source.counts() == (30, 20)
    acks[2].settle()
    assert source.counts() == (30, 30)


def test_oldest_is_when_the_first_unsettled_batch_was_read() -> None:
    source, acks = registered(2)
    first = source.oldest()
    acks[0].settle()
    second = source.oldest()
    assert first is not None
    assert second is not None
    assert first <= second
    acks[1].settle()
    assert source.oldest() is None


def test_what_no_outlet_accepted_is_forgotten() -> None:
    source, acks = registered(3)
    assert source.forget_after(1) == 1
    assert source.counts() == (10, 0)
    acks[0].settle()
    assert source.settled_to == 1
    del acks
    gc.collect()
    assert source.shared.leaks.empty()


def test_forgetting_everything_goes_back_to_what_is_settled() -> None:
    source = Source("file", settled_to=7)
    ack = source.register(1, 9, 1)
    assert source.forget_after(0) == 7
    ack.settle()
    assert source.settled_to == 7


def test_serials_run_through_all_sources() -> None:
    sources = Sources()
    acks = [sources.register(name, 1, 1, Lease()) for name in ("a", "b", "a")]
    assert [ack.serial for ack in acks] == [1, 2, 3]
    assert sources.counts() == (3, 0)
    settle_all(acks)
    assert sources.counts() == (3, 3)


def test_a_fenced_reader_cannot_register() -> None:
    lease = Lease()
    lease.revoked = True
    sources = Sources()
    with pytest.raises(Fenced):
        sources.register("a", 1, 1, lease)
    assert list(sources) == []


def test_a_successor_resumes_after_what_was_accepted() -> None:
    sources = Sources({"old": 5})
    acks = [sources.register(name, number, 1, Lease()) for number, name in enumerate(["a", "b", "a", "c"], 1)]
    assert sources.resume_after(2) == {"old": 5, "a": 1, "b": 2}
    settle_all(acks)
    assert sources.settled() == {"old": 5, "a": 1, "b": 2}


def test_only_settled_sources_can_be_dropped() -> None:
    sources = Sources()
    acks = [sources.register(name, 1, 1, Lease()) for name in ("a", "b")]
    acks[0].settle()
    sources.drop(["a", "b", "c"])
    assert [source.name for source in sources] == ["b"]
    acks[1].settle()


def test_the_oldest_of_all_sources() -> None:
    class Then(NamedTuple):
        sources: Sources
        acks: list[Ack]

    it = Then(Sources(), [])
    assert it.sources.oldest() is None
    it.acks.extend(it.sources.register(name, 1, 1, Lease()) for name in ("a", "b"))
    first = next(iter(it.sources)).oldest()
    assert it.sources.oldest() == first
    settle_all(it.acks)


def test_an_ack_that_nobody_settles_is_a_leak() -> None:
    sources = Sources()
    sources.register("a", 7, 1, Lease())
    gc.collect()
    assert sources.leaks() == ["a up to 7"]
    assert sources.leaks() == []


def test_a_settled_ack_is_no_leak() -> None:
    sources = Sources()
    sources.register("a", 7, 1, Lease()).settle()
    gc.collect()
    assert sources.leaks() == []


def test_an_ack_lives_as_long_as_one_of_its_children() -> None:
    sources = Sources()
    child = sources.register("a", 7, 1, Lease()).split(2)[0]
    gc.collect()
    assert sources.leaks() == []
    del child
    gc.collect()
    assert sources.leaks() == ["a up to 7"]


def test_what_is_unsettled_when_all_closes_is_no_leak() -> None:
    sources = Sources()
    ack = sources.register("a", 7, 1, Lease())
    sources.close()
    del ack
    gc.collect()
    assert sources.leaks() == []


def test_what_came_from_a_source_that_is_gone_still_counts_as_delivered() -> None:
    sources = Sources()
    sources.register("a", 1, 5, Lease()).settle()
    sources.drop(["a"])
    assert sources.counts() == (5, 5)


def test_who_waits_is_told_when_the_batch_is_settled_and_perhaps_again() -> None:
    told: list[str] = []
    source = Source("s")
    ack = source.register(1, None, 2, lambda: told.append("one"))
    first, second = ack.split(2)
    first.settle()
    assert (told, source.owed()) == ([], 2)
    second.settle()
    assert (told, source.owed()) == (["one"], 0)
    second.settle()
    assert set(told) == {"one"}


def test_a_batch_behind_an_unsettled_one_is_told_at_once() -> None:
    told: list[str] = []
    source = Source("s")
    first = source.register(1, None, 2, lambda: told.append("one"))
    second = source.register(2, None, 3, lambda: told.append("two"))
    second.settle()
    assert (told, source.owed()) == (["two"], 2)
    first.settle()
    assert (told, source.owed()) == (["two", "one"], 0)


def test_what_somebody_waits_for_is_not_lost_with_a_seat() -> None:
    sources = Sources()
    fence = Lease()
    kept = [sources.register("s", None, 2, fence, lambda: None), sources.register("s", None, 3, fence)]
    assert sources.owed() == 2
    sources.resume_after(0, rewinds=False)
    assert (sources.lost, sources.owed()) == (3, 0)
    assert len(kept) == 2
