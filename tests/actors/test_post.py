"""What a stage looks like from outside."""

from __future__ import annotations

from swak import main
from tests.actors.stepping import Stepping
from tests.faults.flow import Numbers, Sink


def test_a_view_tells_state_figures_and_the_age_of_the_oldest_unsettled_batch() -> None:
    with Stepping(main(Numbers(10_000), Sink())) as flow:
        while flow.turn("Numbers"):
            pass
        view = flow.post("Numbers").view({"task-1": flow.clock.monotonic() - 3})
        assert (view.stage, view.state, view.tally.out) == ("Numbers", "blocked", 80)
        assert view.oldest_s == 3
        assert flow.post("Sink").view({}).fill == 1.0


def test_an_outage_begins_with_the_first_failure() -> None:
    with Stepping(main(Numbers(5), Sink())) as flow:
        post = flow.post("Sink")
        post.note_retry()
        flow.clock.advance(4)
        post.note_retry()
        view = post.view({})
        assert (view.state, view.retries, view.down_s) == ("retrying", 2, 4)


def test_the_last_error_is_kept_for_the_view() -> None:
    with Stepping(main(Numbers(5), Sink())) as flow:
        post = flow.post("Sink")
        post.note_error(ValueError("boom"))
        assert (post.errors, post.last_error) == (1, "ValueError: boom")


def test_what_former_plugins_lost_is_told_with_what_this_one_lost() -> None:
    class Losing(Numbers):
        """Has lost three events as soon as it is open."""

        def losses(self) -> dict[str, int]:
            return {"by chance, events": 3, "never, bytes": 0}

    with Stepping(main(Losing(5), Sink())) as flow:
        post = flow.post("Losing")
        assert post.losses() == {"by chance, events": 3}
        flow.crew.revoke(post, post.lease)
        flow.crew.seat(post, inherit_from=post.lease)
        assert post.losses() == {"by chance, events": 6}
        assert flow.crew.input_receipts()[0].losses == {"by chance, events": 6}


def test_losses_that_cannot_be_told_are_an_error_of_the_stage_and_no_more() -> None:
    class Broken(Numbers):
        """Cannot count."""

        def losses(self) -> dict[str, int]:
            raise ValueError("boom")

    with Stepping(main(Broken(5), Sink())) as flow:
        post = flow.post("Broken")
        assert (post.losses(), post.last_error) == ({}, "ValueError: boom")
