from __future__ import annotations

import selectors

from swak.forward.bell import Bell


def test_a_ring_ends_a_wait_until_it_is_heard() -> None:
    bell = Bell()
    with selectors.DefaultSelector() as selector:
        selector.register(bell, selectors.EVENT_READ)
        assert selector.select(0) == []
        for _ in range(2):
            bell.ring()
        assert len(selector.select(0)) == 1
        bell.reset()
        bell.hear()
        bell.hear()
        assert selector.select(0) == []
        bell.ring()
        assert len(selector.select(0)) == 1
        bell.close()


def test_nothing_is_wrong_with_ringing_when_nobody_listens() -> None:
    bell = Bell()
    for _ in range(2):
        bell.close()
        bell.ring()
