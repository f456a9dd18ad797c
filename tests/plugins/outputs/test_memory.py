from __future__ import annotations

import pickle
import threading

from swak.plugins.outputs.memory import Memory
from swak.testing import batch_of, block_of, event


def test_events_are_kept_in_order() -> None:
    plugin = Memory()
    plugin.write(batch_of([event({"n": 1}, tag="a"), event({"n": 2}, tag="b", at_s=1)]))
    plugin.write(block_of("x", tag="c"))
    assert plugin.records == [{"n": 1}, {"n": 2}, {"message": "x"}]
    assert plugin.tags == ["a", "b", "c"]
    assert plugin.events[1] == event({"n": 2}, tag="b", at_s=1)


def test_a_successor_fills_the_same_list() -> None:
    plugin = Memory()
    plugin.fresh().fresh().write(block_of("x"))
    assert plugin.records == [{"message": "x"}]


def test_what_is_handed_out_is_a_copy_of_the_list() -> None:
    plugin = Memory()
    plugin.events.append(event({}))
    assert plugin.events == []


def test_it_can_be_pickled_like_any_plugin() -> None:
    plugin = Memory()
    plugin.write(block_of("x"))
    assert pickle.loads(pickle.dumps(plugin)).records == [{"message": "x"}]


def test_several_threads_may_write() -> None:
    plugin = Memory()

    def write() -> None:
        for _ in range(500):
            plugin.write(block_of("x"))

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(plugin.events) == 2_000
