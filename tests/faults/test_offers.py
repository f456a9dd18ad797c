"""What becomes of a lent batch when children of a failover go down, refuse, hang, or hold it pending."""

from __future__ import annotations

from swak import Batch, Refused, failover, main, running, task
from swak.testing import Fault, FlakyOutput
from tests.actors.stepping import Relaying
from tests.faults.flow import Numbers, Told


class One(Told):
    """First child."""


class Two(Told):
    """Second child."""


class HangsA(FlakyOutput):
    """A child."""


class HangsB(FlakyOutput):
    """Another child."""


def until_lent(flow: Relaying) -> None:
    """Let everybody open, and the router lend its first batch."""
    for stage in ("One", "Two"):
        while flow.turn(stage):
            pass
    flow.relay()
    flow.turn("Numbers")
    flow.turn("Numbers")
    while flow.turn(flow.router):
        pass


def test_what_is_left_of_a_withdrawn_batch_is_not_taken_for_the_next() -> None:
    one, two = One(), Two()
    one.says["write"] = [MemoryError()]

    def breaks(_batch: Batch) -> OSError:
        two.says["open"] = ConnectionRefusedError("gone")
        return ConnectionResetError("gone")

    two.says["write"] = [None, breaks]
    with Relaying(main(Numbers(20), failover(one, two, start=0))) as flow:
        until_lent(flow)
        assert flow.turn("One")  # MemoryError: waits with the batch in hand
        one.says["alive"] = False
        one.says["open"] = ConnectionRefusedError("gone")
        flow.clock.advance(0.5)
        for _ in range(3):
            flow.turn("One")
        flow.run(1)
        one.says["alive"], one.says["open"] = True, None
        flow.run(40)
        assert sorted(set(one.arrived + two.arrived)) == list(range(20))


def test_giving_an_offer_back_does_not_take_a_pending_batch_away() -> None:
    one, two = One(), Two()
    one.says["pending"] = True
    one.says["write"] = [None, OSError("broken"), OSError("broken")]
    one.says["sync"] = [OSError("broken")]
    with Relaying(main(Numbers(20), failover(one, two, start=0))) as flow:
        flow.run(40)
        one.says["pending"] = False
        flow.run(40)
        sources = flow.post("Numbers").sources
        assert sources is not None
        assert sorted(set(one.arrived + two.arrived)) == list(range(20))
        assert sources.counts() == (20, 20)


def test_what_a_child_refuses_after_it_took_the_batch_over_is_a_dead_letter() -> None:
    one, last = One(), Two()
    one.says["pending"] = True
    one.says["write"] = [None, lambda batch: Refused(batch.events()[:2], "not here")]
    one.says["sync"] = [OSError("broken")]
    with Relaying(main(Numbers(5), failover(one, last=last))) as flow:
        flow.run(40)
        sources = flow.post("Numbers").sources
        assert sources is not None
        assert sources.counts() == (5, 5)
        assert flow.post("One").mailbox.tally.dead.total() == 2
        assert flow.post("One").mailbox.tally.unaccounted() == 0


def test_a_child_that_is_down_ends_when_its_only_batch_was_withdrawn() -> None:
    one, two = One(), Two()
    with Relaying(main(Numbers(20), failover(one, two, start=0))) as flow:
        while flow.turn("One"):
            pass
        flow.relay()
        one.says["alive"], one.says["open"] = False, ConnectionRefusedError("gone")
        flow.clock.advance(0.5)
        flow.turn("One")
        flow.turn("Numbers")
        flow.turn("Numbers")
        while flow.turn(flow.router):
            pass  # it has not heard of it yet
        flow.run(5)
        assert two.arrived == list(range(20))
        assert all(post.lease.over for post in flow.crew.posts)


def test_an_event_that_hangs_child_after_child_goes_to_the_dead_letters_alone() -> None:
    poison = Fault(OSError, times=None, when=lambda record: record["n"] == 7, hang=True)
    one, two = HangsA([poison]), HangsB([poison])
    with running(task(Numbers(20), failover(one, two)), hang_after_s=0.1, deaths_max=20) as run:
        assert run.wait(20), run.snapshot()
        assert sum(view.tally.dead.total() for view in run.snapshot()) == 1
    assert run.receipt().inputs[0].delivered == 20
