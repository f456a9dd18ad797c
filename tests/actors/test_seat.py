"""The seat: every entry is a turn."""

from __future__ import annotations

from swak import main
from swak.actors.messages import Letter, Sign
from tests.actors.stepping import Stepping
from tests.faults.flow import Numbers, Pass, Sink


def test_a_turn_does_what_the_mailbox_has_shown() -> None:
    sink = Sink()
    with Stepping(main(Numbers(5), Pass(), sink)) as flow:
        for stage in ("Sink", "Pass", "Numbers"):
            flow.turn(stage)  # each opens
        flow.turn("Numbers")
        post = flow.post("Pass")
        letter = post.mailbox.get(post.lease, None, wait=False)
        assert isinstance(letter, Letter)
        assert post.seat is not None
        post.seat.turn(letter)
        assert post.mailbox.head() is None
        assert flow.post("Sink").mailbox.head() is not None


def test_a_plugin_that_cannot_close_does_not_keep_its_stage_from_ending() -> None:
    class Stuck(Sink):
        """Fails at the end."""

        def close(self) -> None:
            raise ValueError("stuck")

    sink = Stuck()
    with Stepping(main(Numbers(5), sink)) as flow:
        flow.settle_down()
        assert flow.post("Stuck").lease.over
        assert flow.post("Stuck").errors == 1


def test_signs_that_say_nothing_new_do_no_harm() -> None:
    sink = Sink()
    with Stepping(main(Numbers(5), sink)) as flow:
        for post in flow.crew.posts:
            post.mailbox.tell(Sign.WAKE)
            post.mailbox.poke()
        flow.settle_down()
    assert sink.arrived == list(range(5))
