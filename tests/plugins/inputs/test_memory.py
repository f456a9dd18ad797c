from __future__ import annotations

import copy
import pickle
import threading
from typing import TYPE_CHECKING

import pytest

from swak.errors import EndOfInput
from swak.plugins.inputs.memory import Memory
from swak.testing import FakeClock, event

if TYPE_CHECKING:
    from swak.event import Chunk, Event


def read(plugin: Memory) -> Chunk:
    chunk = plugin.read()
    assert chunk is not None
    return chunk


def records(chunk: Chunk) -> list[dict[str, object]]:
    return chunk.body.records()


def test_texts_dicts_and_events_are_read() -> None:
    plugin = Memory(["a", {"b": 1}, event({"c": 2}, tag="own", at_s=3)], tag="mine")
    plugin.clock = FakeClock(7)
    chunk = read(plugin)
    assert records(chunk) == [{"message": "a"}, {"b": 1}, {"c": 2}]
    assert chunk.tag == ["mine", "mine", "own"]
    assert list(chunk.body.times()) == [7 * 10**9, 7 * 10**9, 3 * 10**9]


def test_it_ends_after_the_last_event() -> None:
    plugin = Memory(["a"])
    read(plugin)
    with pytest.raises(EndOfInput):
        plugin.read()


def test_an_empty_list_ends_at_once() -> None:
    with pytest.raises(EndOfInput):
        Memory().read()


def test_a_chunk_has_at_most_a_thousand_events() -> None:
    plugin = Memory(["x"] * 2_500)
    chunks = [read(plugin) for _ in range(3)]
    assert [(chunk.body.count, chunk.position) for chunk in chunks] == [(1_000, 1_000), (1_000, 2_000), (500, 2_500)]


def test_a_successor_goes_on_after_its_position() -> None:
    plugin = Memory(["a", "b", "c"])
    successor = plugin.fresh()
    successor.seek({"memory": 1})
    assert records(read(successor)) == [{"message": "b"}, {"message": "c"}]


def test_a_text_that_is_read_again_is_the_same_event() -> None:
    plugin = Memory(["a"])
    clock = plugin.clock = FakeClock(1)
    first = read(plugin).body.times()
    clock.advance(60)
    successor = plugin.fresh()
    successor.clock = clock
    assert read(successor).body.times() == first


def test_following_waits_for_what_is_fed() -> None:
    plugin = Memory(follow=True)
    plugin.wait_s = 0.01
    assert plugin.read() is None
    plugin.feed("a", {"b": 1})
    assert records(read(plugin)) == [{"message": "a"}, {"b": 1}]


def test_feeding_wakes_a_read_that_waits() -> None:
    plugin = Memory(follow=True)
    plugin.wait_s = 50.0
    feeder = threading.Thread(target=plugin.fresh().feed, args=("a",))
    feeder.start()
    assert records(read(plugin)) == [{"message": "a"}]
    feeder.join(10)


def test_ending_lets_what_was_fed_pass_first() -> None:
    plugin = Memory(follow=True)
    plugin.feed("a")
    plugin.end()
    plugin.end()
    assert records(read(plugin)) == [{"message": "a"}]
    with pytest.raises(EndOfInput):
        plugin.read()


def test_ending_wakes_a_read_that_waits() -> None:
    plugin = Memory(follow=True)
    plugin.wait_s = 50.0
    ender = threading.Thread(target=plugin.end)
    ender.start()
    with pytest.raises(EndOfInput):
        plugin.read()
    ender.join(10)


def test_a_wait_can_be_interrupted() -> None:
    plugin = Memory(follow=True)
    plugin.wait_s = 50.0
    stop = threading.Event()

    def poke() -> None:
        while not stop.wait(0.01):
            plugin.interrupt()

    poker = threading.Thread(target=poke)
    poker.start()
    assert plugin.read() is None
    stop.set()
    poker.join(10)


@pytest.mark.parametrize("follow", [True, False])
def test_feeding_after_the_end_is_an_error(follow: bool) -> None:
    plugin = Memory(follow=follow)
    plugin.end()
    with pytest.raises(ValueError, match="Memory has ended"):
        plugin.feed("a")


def test_many_feeders_lose_nothing_and_keep_their_own_order() -> None:
    plugin = Memory(follow=True)

    def feed(name: str) -> None:
        for number in range(500):
            plugin.feed({name: number})

    feeders = [threading.Thread(target=feed, args=(name,)) for name in "abc"]
    for feeder in feeders:
        feeder.start()
    seen: list[dict[str, object]] = []
    while len(seen) < 1_500:
        seen += records(read(plugin))
    for name in "abc":
        assert [one[name] for one in seen if name in one] == list(range(500))


def test_a_pickled_copy_has_the_events_and_a_feed_of_its_own() -> None:
    plugin = Memory(["a"], follow=True)
    made = pickle.loads(pickle.dumps(plugin))
    plugin.feed("b")
    assert records(read(made)) == [{"message": "a"}]
    assert records(read(copy.copy(plugin))) == [{"message": "a"}, {"message": "b"}]


def test_what_is_no_event_is_named() -> None:
    ((what, _),) = Memory(["a", 5]).check()
    assert what == "an event is an Event, a dict or text, not 5"


def test_the_caller_keeps_his_list() -> None:
    given: list[str | Event] = ["a"]
    plugin = Memory(given, follow=True)
    plugin.feed("b")
    read(plugin)
    assert given == ["a"]
