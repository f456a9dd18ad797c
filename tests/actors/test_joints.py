from __future__ import annotations

import pytest

from swak.actors.lease import Lease
from swak.actors.mailbox import Mailbox
from swak.actors.messages import Sign
from swak.testing import FakeClock, batch_of, event


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def test_a_mailbox_does_not_end_before_an_edge_that_is_expected(clock: FakeClock) -> None:
    box, lease = Mailbox("stage", ["old"], clock), Lease(None)
    box.expect("new", Mailbox("new", [], clock), later=False)
    box.part("old", 0)
    assert box.get(lease, None, wait=False) is Sign.WAKE
    assert box.get(lease, None, wait=False) is None
    box.end(lease, "new")
    assert box.get(lease, None, wait=False) is Sign.END


def test_what_comes_later_has_no_room_until_it_is_let_in(clock: FakeClock) -> None:
    upstream = Mailbox("new", [], clock, source=True)
    box, lease = Mailbox("stage", [], clock), Lease(None)
    box.expect("new", upstream, later=True)
    upstream.block()
    assert not box.put(lease, "new", batch_of([event({})]), 1)
    box.let_in()
    assert upstream.get(lease, None, wait=False) is Sign.POKE
    assert box.put(lease, "new", batch_of([event({})]), 1)


def test_a_stage_that_leaves_has_room_for_what_is_on_its_way(clock: FakeClock) -> None:
    box, lease = Mailbox("stage", ["up"], clock), Lease(None)
    while box.put(lease, "up", batch_of([event({})]), 1):
        pass
    box.leaving = True
    assert box.put(lease, "up", batch_of([event({})]), 2)


def test_an_edge_tells_which_events_were_not_for_this_stage(clock: FakeClock) -> None:
    box, up = Mailbox("stage", [], clock), Mailbox("up", [], clock)
    box.expect("up", up, later=False)
    box.join("up", 0, 0)
    assert box.spans() == {}
    for _ in range(2):  # steps may be repeated
        box.part("up", 10)
    assert box.spans() == {"up": (0, 10)}
    for _ in range(2):
        box.join("up", 25, 7)
    assert box.spans() == {"up": (15, None)}
    assert box.accepted("up") == 7
    box.part("up", 30)
    box.join("up", 40, 9)
    assert box.spans() == {"up": (25, None)}
