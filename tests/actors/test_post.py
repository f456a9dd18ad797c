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


def test_the_last_error_is_kept_for_the_view() -> None:
    with Stepping(main(Numbers(5), Sink())) as flow:
        post = flow.post("Sink")
        post.note_error(ValueError("boom"))
        assert (post.errors, post.last_error) == (1, "ValueError: boom")
