"""The seat of an input, turn by turn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from swak import EndOfInput, Event, Input, main
from swak.actors import input as input_seat
from swak.actors.mailbox import BATCHES_MAX
from swak.actors.messages import Sign
from swak.event import Block, Chunk
from swak.testing import Recorder
from tests.actors.stepping import Stepping
from tests.faults.flow import Hold, Numbers, Sink

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Plain(Input):
    """What an author writes first: a list of events, or None."""

    def open(self) -> None:
        self._rounds = 0

    def read(self) -> list[Event] | None:
        self._rounds += 1
        if self._rounds == 1:
            return [Event("a" if n % 2 else "b", n, {"n": n}) for n in range(2_500)]
        if self._rounds == 2:
            return None
        raise EndOfInput


def test_a_list_of_events_leaves_in_batches_with_their_tags() -> None:
    sink = Sink()
    with Stepping(main(Plain(), sink)) as flow:
        flow.settle_down()
        flow.clock.advance(1)
        flow.settle_down()
        assert sink.arrived == list(range(2_500))
        tally = flow.post("Plain").mailbox.levels()[3]
        assert (tally.into, tally.out, tally.held) == (2_500, 2_500, 0)


class Several(Input):
    """Hands out little of several sources at once, and holds its last event back."""

    def open(self) -> None:
        self._rounds = 0
        self._held = [9]

    def read(self) -> list[Chunk] | None:
        self._rounds += 1
        if self._rounds == 1:
            return [Chunk(Block(b"%d\n" % n, n), "t", f"source {n}", n) for n in range(3)]
        if self._rounds == 2:
            return None
        raise EndOfInput

    def rest(self) -> Chunk | None:
        return Chunk(Block(b"%d\n" % self._held.pop(), 0), "t", "source 9", 9) if self._held else None


def lines_of(batches: list[list[Event]]) -> list[str]:
    return [event.record["message"] for batch in batches for event in batch]


def test_little_of_several_sources_travels_together_and_settles_each() -> None:
    sink = Recorder()
    with Stepping(main(Several(), sink)) as flow:
        while not sink.batches:
            assert flow.turn("Several") or flow.turn("Recorder")
        assert [lines_of([batch]) for batch in sink.batches] == [["0", "1", "2"]]
        sources = flow.post("Several").sources
        assert sources is not None
        assert sources.settled() == {"source 0": 0, "source 1": 1, "source 2": 2}


def test_what_was_held_back_flows_at_the_end_of_the_input() -> None:
    sink = Recorder()
    with Stepping(main(Several(), sink)) as flow:
        flow.settle_down()
        flow.clock.advance(1)
        flow.settle_down()
        assert lines_of(sink.batches) == ["0", "1", "2", "9"]
        assert flow.post("Several").lease.over


def test_what_was_held_back_flows_when_reading_is_stopped() -> None:
    sink = Recorder()
    with Stepping(main(Several(), sink)) as flow:
        flow.settle_down()
        flow.post("Several").draining = True
        flow.post("Several").mailbox.tell(Sign.STOP)
        flow.settle_down()
        assert lines_of(sink.batches) == ["0", "1", "2", "9"]


def test_an_input_that_had_nothing_and_did_not_wait_is_asked_again_a_little_later() -> None:
    with Stepping(main(Plain(), Sink())) as flow:
        flow.settle_down()
        assert not flow.turn("Plain")
        flow.clock.advance(input_seat.IDLE_S)
        assert flow.turn("Plain")


def test_an_input_reads_no_more_when_there_is_no_room() -> None:
    with Stepping(main(Numbers(10_000), Sink())) as flow:
        while flow.turn("Numbers"):
            pass
        sources = flow.post("Numbers").sources
        assert sources is not None
        assert sources.counts()[0] == (BATCHES_MAX + 1) * 5
        assert flow.post("Numbers").mailbox.blocked


def test_an_input_that_the_system_refuses_is_opened_again_and_reads_on() -> None:
    failures = [PermissionError("no"), PermissionError("no")]

    class Shy(Numbers):
        """Cannot be opened twice."""

        def open(self) -> None:
            if failures:
                raise failures.pop()

    sink = Sink()
    with Stepping(main(Shy(10), sink)) as flow:
        flow.settle_down()
        assert (sink.arrived, flow.post("Shy").state) == ([], "retrying")
        for _ in range(3):
            flow.clock.advance(input_seat.RETRY_S)
            flow.settle_down()
        assert sink.arrived == list(range(10))


def test_sources_that_are_gone_are_forgotten_once_they_are_settled() -> None:
    class Leaves(Numbers):
        """Names its source as gone at the end."""

        def read(self) -> Any:
            return None if self._next >= self.count else super().read()

        def gone(self) -> list[str]:
            return [""]

    with Stepping(main(Leaves(10), Sink())) as flow:
        flow.settle_down()
        sources = flow.post("Leaves").sources
        assert sources is not None
        flow.clock.advance(1)
        flow.settle_down()
        assert sources.settled() == {}


def test_an_empty_list_means_that_nothing_has_arrived() -> None:
    class Odd(Numbers):
        """Says "nothing" with an empty list."""

        def read(self) -> Any:
            return [] if self._next >= self.count else super().read()

    with Stepping(main(Odd(5), Sink())) as flow:
        flow.settle_down()


def test_what_was_read_and_found_no_room_is_held() -> None:
    with Stepping(main(Numbers(10_000), Sink())) as flow:
        while flow.turn("Numbers"):
            pass
        tally = flow.post("Numbers").mailbox.levels()[3]
        sources = flow.post("Numbers").sources
        assert sources is not None
        assert (tally.into, tally.held, tally.unaccounted()) == (sources.counts()[0], 5, 0)


class Asked(Numbers):
    """Its sender waits to hear of each batch. `told` holds the first number of those that are settled."""

    def __init__(self, *values: Any, **named: Any) -> None:
        super().__init__(*values, **named)
        self.log_of: dict[str, list[Any]] = {"told": [], "answered": [], "closed": []}

    def fresh(self) -> Any:
        made = super().fresh()
        made.log_of = self.log_of
        return made

    def read(self) -> Any:
        chunk = super().read()
        assert chunk is not None
        first, told = chunk.body.records()[0]["n"], self.log_of["told"]
        return chunk._replace(position=None, told=lambda: None if first in told else told.append(first))

    def answer(self) -> None:
        self.log_of["answered"].append(len(self.log_of["told"]))

    def close(self) -> None:
        self.log_of["closed"].append(len(self.log_of["told"]))


def test_an_input_whose_senders_wait_closes_only_when_they_were_told() -> None:
    asked = Asked(7)
    with Stepping(main(asked, Hold(), Sink())) as flow:
        while flow.turn("Asked"):
            pass
        assert flow.post("Asked").state == "leaving"
        assert asked.log_of["closed"] == []
        for _ in range(3):
            flow.settle_down()
            flow.clock.advance(input_seat.IDLE_S)
        assert asked.log_of["told"] == [0, 5]
        assert asked.log_of["answered"][-1] == 2, "it was asked to tell the senders before it was closed"
        assert asked.log_of["closed"] == [2]
        assert flow.post("Asked").state == "over"


def test_an_input_without_room_to_read_is_asked_to_tell_its_senders() -> None:
    asked = Asked(10_000)
    with Stepping(main(asked, Sink())) as flow:
        while not flow.post("Asked").mailbox.blocked:
            flow.turn("Asked")
        assert flow.turn("Asked")
        assert not flow.turn("Asked"), "it is asked now and then"
        flow.clock.advance(input_seat.IDLE_S)
        assert flow.turn("Asked")
        assert asked.log_of["answered"] == [0, 0]


class Late(Input):
    """Has events in hand when its lease is revoked."""

    def open(self) -> None:
        self.revoke: Callable[[], None] | None = None

    def read(self) -> list[Chunk] | None:
        if self.revoke is None:
            return None
        self.revoke()
        return [Chunk(Block(b"a\nb\n", 0), "t"), Chunk(Block(b"c\n", 0), "t", "asked", 1, lambda: None)]


class LateAgain(Late):
    """The same, but its successor goes back."""

    def seek(self, positions: Mapping[str, Any]) -> None:
        del positions


def lost_by(plugin: Input) -> int:
    """Revoke the lease while the plugin reads; return what is counted as lost."""
    with Stepping(main(plugin, Sink())) as flow:
        flow.settle_down()
        post = flow.post(plugin.name)
        running, lease = post.lease.plugin, post.lease
        assert isinstance(running, Late)
        running.revoke = lambda: flow.crew.revoke(post, lease)
        flow.clock.advance(1)
        flow.turn(plugin.name)
        assert lease.revoked
        return flow.crew.input_receipts()[0].lost


def test_what_a_fenced_reader_had_in_hand_is_lost_and_counted_but_for_what_its_sender_sends_again() -> None:
    assert lost_by(Late()) == 2


def test_what_a_successor_reads_again_is_not_lost() -> None:
    assert lost_by(LateAgain()) == 0
