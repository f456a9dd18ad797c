"""The seats of filters and of routing by tag, turn by turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swak import Event, Filter, in_, main
from swak.event import EVENTS_MAX, Batch
from swak.plugins.filters.nginx import Nginx
from swak.testing import Recorder
from tests.actors.stepping import Stepping
from tests.faults.flow import Numbers, Sink

if TYPE_CHECKING:
    from pathlib import Path

    from swak.plugin import Outcome


class Echo(Filter):
    """Makes two of each even event, and drops the odd ones."""

    def process(self, event: Event) -> list[Event]:
        return [] if event.record["n"] % 2 else [event, event.replace(record={"n": event.record["n"]})]


def test_what_is_made_and_what_is_filtered_are_both_counted() -> None:
    sink = Sink()
    with Stepping(main(Numbers(10), Echo(), sink)) as flow:
        flow.settle_down()
        tally = flow.post("Echo").mailbox.levels()[3]
    assert sink.arrived == [0, 0, 2, 2, 4, 4, 6, 6, 8, 8]
    assert (tally.into, tally.made, tally.out, tally.filtered.total(), tally.unaccounted()) == (10, 5, 10, 5, 0)


def test_the_first_pattern_that_matches_a_tag_wins() -> None:
    one, rest = Sink(), Sink()
    with Stepping(main(Numbers(20), {"t0": one, "**": rest})) as flow:
        flow.settle_down()
    assert one.arrived == [n for n in range(20) if n // 5 % 2 == 0]
    assert rest.arrived == [n for n in range(20) if n // 5 % 2 == 1]


def test_events_of_one_batch_part_by_their_own_tags() -> None:
    class Retag(Filter):
        """Tags by parity."""

        def process(self, event: Event) -> Event:
            return event.replace(tag="odd" if event.record["n"] % 2 else "even")

    odd, even = Sink(), Sink()
    with Stepping(main(Numbers(20), Retag(), {"odd": odd, "even": even})) as flow:
        flow.settle_down()
        sources = flow.post("Numbers").sources
        assert sources is not None
        assert sources.counts() == (20, 20)
    assert odd.arrived == list(range(1, 20, 2))
    assert even.arrived == list(range(0, 20, 2))


def test_no_route_is_a_dead_letter() -> None:
    sink = Sink()
    with Stepping(main(Numbers(10), {"t0": sink})) as flow:
        flow.settle_down()
        tally = flow.post("ByTag").mailbox.levels()[3]
    assert sink.arrived == list(range(5))
    assert tally.dead == {"no route": 5}


def test_a_block_that_is_parsed_as_a_whole_is_handed_on_in_parts(tmp_path: Path) -> None:
    line = '1.2.3.4 - - [21/Nov/2026:01:07:27 +0000] "GET / HTTP/1.1" 200 1'
    sizes, sink = list[int](), Recorder()

    class Sized(Filter):
        """Notes how many events come at a time."""

        def process_batch(self, batch: Batch) -> Outcome:
            sizes.append(batch.count)
            return super().process_batch(batch)

        def process(self, event: Event) -> Event:
            return event

    log = tmp_path / "access.log"
    log.write_text(f"{line}\n" * 2_500)
    with Stepping(main(in_.FileTailing(str(log), follow=False), Nginx(format="common"), Sized(), sink)) as flow:
        flow.settle_down()
    assert len(sink.records) == sum(sizes) == 2_500
    assert max(sizes) <= EVENTS_MAX


def test_two_branches_never_see_each_others_changes() -> None:
    class Mark(Filter):
        """Changes the record in place."""

        def process(self, event: Event) -> Event:
            event.record["n"] += 100
            return event

    plain, marked = Sink(), Sink()
    with Stepping(main(Numbers(10), [Mark() | marked, plain])) as flow:
        flow.settle_down()
    assert marked.arrived == list(range(100, 110))
    assert plain.arrived == list(range(10))
