"""The seat of a buffer, turn by turn."""

from __future__ import annotations

from typing import Any

from swak import main, out
from tests.actors.stepping import Stepping
from tests.faults.flow import Hold, Numbers, Sink


class Waiting(Numbers):
    """Gives all it has, and never ends."""

    def read(self) -> Any:
        return None if self._next >= self.count else super().read()


def test_a_timed_buffer_holds_until_its_age_and_counts_what_it_holds() -> None:
    sink = Sink()
    with Stepping(main(Waiting(10), out.TimedBuffer("5M"), sink)) as flow:
        flow.settle_down()
        assert (sink.arrived, flow.post("TimedBuffer").mailbox.levels()[3].held) == ([], 10)
        flow.clock.advance(299)
        flow.settle_down()
        assert sink.arrived == []
        flow.clock.advance(1)
        flow.settle_down()
        assert sink.arrived == list(range(10))
        tally = flow.post("TimedBuffer").mailbox.levels()[3]
        assert (tally.held, tally.unaccounted()) == (0, 0)


def test_nothing_is_settled_while_it_is_only_held() -> None:
    with Stepping(main(Waiting(10), out.TimedBuffer("5M"), Sink())) as flow:
        flow.settle_down()
        sources = flow.post("Waiting").sources
        assert sources is not None
        assert sources.counts() == (10, 0)


def test_a_sized_buffer_passes_exactly_that_many_and_the_rest_at_the_end() -> None:
    sizes: list[int] = []

    class Sizes(Sink):
        """Notes how large its batches are."""

        def write(self, batch: Any) -> None:
            sizes.append(batch.count)
            super().write(batch)

    with Stepping(main(Numbers(250, size=33), out.SizedBuffer(100), Sizes())) as flow:
        flow.settle_down()
    assert sizes == [100, 100, 50]


def test_a_flush_of_thousands_of_batches_needs_no_deep_stack() -> None:
    sink = Sink()
    with Stepping(main(Numbers(5_000, size=1), out.TimedBuffer("5M"), sink)) as flow:
        flow.settle_down()
    assert sink.arrived == list(range(5_000))


def test_a_full_mailbox_downstream_stops_the_flush_and_room_resumes_it() -> None:
    sink = Sink()
    with Stepping(main(Numbers(700), Hold(), sink)) as flow:
        while flow.turn("Numbers") or flow.turn("Hold"):
            pass
        assert flow.post("Hold").mailbox.blocked
        assert sink.arrived == []
        flow.settle_down()
        assert sink.arrived == list(range(700))
