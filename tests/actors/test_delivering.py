"""How long a batch is tried again, turn by turn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from swak import Batch, Duration, Output, Refused, Retry, failover, main, option
from swak.deadletters import DeadLetters
from tests.actors.stepping import Relaying, Stepping
from tests.faults.flow import Numbers, Told

if TYPE_CHECKING:
    from collections.abc import Callable

DOWN = ConnectionRefusedError("down")
LATE = "not delivered in 5m: ConnectionRefusedError: down"


class One(Told):
    """Does what the script says."""


class Two(Told):
    """Another one."""


def down(one: Told) -> None:
    one.says["open"] = DOWN


def up(one: Told) -> None:
    one.says["open"] = None


def pass_time(flow: Stepping, seconds: float, step_s: float = 0.25) -> None:
    for _ in range(round(seconds / step_s)):
        flow.settle_down()
        flow.clock.advance(step_s)
    flow.settle_down()


def dead(flow: Stepping, stage: str = "One") -> dict[str, int]:
    tally = flow.post(stage).mailbox.tally
    assert tally.unaccounted() == 0
    return tally.dead


def settled(flow: Stepping) -> int:
    sources = flow.post("Numbers").sources
    assert sources is not None
    return sources.counts()[1]


def test_without_a_limit_a_batch_is_tried_for_days() -> None:
    one = One()
    down(one)
    with Stepping(main(Numbers(5), one)) as flow:
        pass_time(flow, 72 * 3600, step_s=60)
        assert dead(flow) == {}
        up(one)
        pass_time(flow, 60)
        assert one.arrived == list(range(5))


def test_a_batch_that_could_not_be_delivered_in_time_is_a_dead_letter() -> None:
    one = One(retry_for="5m")
    down(one)
    with Stepping(main(Numbers(5), one)) as flow:
        pass_time(flow, 299)
        assert dead(flow) == {}
        pass_time(flow, 2)
        assert dead(flow) == {LATE: 5}
        assert settled(flow) == 5


def test_every_batch_has_its_own_time_from_its_own_first_try() -> None:
    one = One(retry_for="72h")
    down(one)
    with Stepping(main(Numbers(10), one)) as flow:
        pass_time(flow, 72 * 3600 + 60, step_s=60)
        assert list(dead(flow).values()) == [5]
        pass_time(flow, 71 * 3600, step_s=60)
        assert list(dead(flow).values()) == [5]
        pass_time(flow, 3600, step_s=60)
        assert list(dead(flow).values()) == [10]


def test_the_next_batch_is_tried_as_soon_as_the_one_before_was_given_up() -> None:
    one = One(retry_for="5m")
    tries: list[tuple[float, int]] = []

    def write(batch: Batch) -> Exception:
        tries.append((flow.clock.monotonic(), batch.body.records()[0]["n"]))
        return DOWN

    with Stepping(main(Numbers(10), one)) as flow:
        begun = flow.clock.monotonic()
        one.says["write"] = [write] * 10_000
        pass_time(flow, 310)
        assert [at_s - begun for at_s, number in tries if number == 5][:1] == [300]


def test_a_batch_that_was_written_in_time_is_no_dead_letter_and_ends_the_count() -> None:
    one = One(retry_for="5m")
    down(one)
    with Stepping(main(Numbers(10), one)) as flow:
        pass_time(flow, 290)
        up(one)
        pass_time(flow, 1)
        assert (dead(flow), one.arrived) == ({}, list(range(10)))


def test_an_output_that_is_back_gets_the_batch_though_its_time_has_passed_meanwhile() -> None:
    one = One(retry_for="5m")
    down(one)
    with Stepping(main(Numbers(5), one)) as flow:
        pass_time(flow, 60)
        up(one)
        flow.clock.advance(3600)  # the machine was asleep
        flow.settle_down()
        assert (dead(flow), one.arrived) == ({}, list(range(5)))


def test_a_server_that_asks_for_more_time_than_there_is_does_not_get_it_for_this_batch() -> None:
    one = One(retry_for="5m")
    one.says["write"] = [Retry("too much", 3600)]
    with Stepping(main(Numbers(10), one)) as flow:
        pass_time(flow, 301)
        assert dead(flow) == {"not delivered in 5m: Retry: too much": 5}
        assert one.arrived == []
        pass_time(flow, 3000, step_s=10)
        assert one.arrived == [], "it is not asked again before the time that it wanted"
        pass_time(flow, 310, step_s=10)
        assert one.arrived == [5, 6, 7, 8, 9]
        assert list(dead(flow).values()) == [5]


def test_a_server_that_asks_for_time_again_and_again_has_so_much_in_all() -> None:
    one = One(retry_for="10s")
    one.says["write"] = [Retry("too much", 1)] * 1_000
    with Stepping(main(Numbers(5), one)) as flow:
        pass_time(flow, 9)
        assert dead(flow) == {}
        pass_time(flow, 2)
        assert dead(flow) == {"not delivered in 10s: Retry: too much": 5}


@pytest.mark.parametrize("error", [ConnectionResetError("down"), Retry("too much", 0.2)])
def test_only_the_part_that_was_not_written_is_sent_again_and_given_up_in_the_end(error: Exception) -> None:
    one = One(retry_for="5m")
    seen: list[list[int]] = []

    def write(batch: Batch) -> Exception | None:
        numbers = [record["n"] for record in batch.body.records()]
        seen.append(numbers)
        if 4 in numbers:
            return ValueError("not together") if len(numbers) > 3 else error
        return None

    one.says["write"] = [write] * 10_000
    with Stepping(main(Numbers(5), one)) as flow:
        pass_time(flow, 301)
        assert one.arrived == [0, 1]
        assert seen[3:] == [[2, 3, 4]] * len(seen[3:])
        assert dead(flow) == {f"not delivered in 5m: {type(error).__name__}: {error}": 3}
        assert settled(flow) == 5


def test_what_was_refused_counts_as_refused_when_the_rest_is_given_up() -> None:
    one = One(retry_for="5m")

    def write(batch: Batch) -> Exception | None:
        numbers = [record["n"] for record in batch.body.records()]
        if len(numbers) == 5:
            return ValueError("not together")
        return Refused(batch.events()[:1], "no") if 0 in numbers else ConnectionResetError("down")

    one.says["write"] = [write] * 10_000
    with Stepping(main(Numbers(5), one)) as flow:
        pass_time(flow, 301)
        assert dead(flow) == {"no": 1, "not delivered in 5m: ConnectionResetError: down": 3}


def test_pending_batches_whose_sync_keeps_failing_are_given_up_one_after_the_other() -> None:
    one = Late(retry_for="10s")
    one.says["pending"] = True
    one.says["sync"] = [OSError("EIO")] * 1_000
    with Stepping(main(Numbers(10), one)) as flow:
        pass_time(flow, 60)
        assert dead(flow, "Late") == {"not delivered in 10s: OSError: EIO": 10}
        assert settled(flow) == 10


def test_pending_batches_that_a_successor_inherits_are_given_up_before_those_behind() -> None:
    one = Heir(retry_for="10s")
    one.says["pending"] = True
    with Stepping(main(Numbers(10), one)) as flow:
        while settled(flow) == 0 and not flow.post("Heir").mailbox.has_held:
            flow.turn("Numbers")
            flow.turn("Heir")
        post = flow.post("Heir")
        flow.crew.revoke(post, post.lease)
        down(one)
        flow.crew.seat(post, inherit_from=post.lease)
        pass_time(flow, 9)
        assert dead(flow, "Heir") == {}
        pass_time(flow, 60)
        assert list(dead(flow, "Heir").values()) == [10]
        assert not post.mailbox.has_held


def test_a_batch_goes_to_the_next_child_at_once_whatever_its_limit() -> None:
    one, two = One(retry_for="5m"), Two(retry_for="5m")
    down(one)
    with Relaying(main(Numbers(10), failover(one, two))) as flow:
        flow.run(2)
        assert two.arrived == list(range(10))


def test_a_batch_that_no_child_takes_is_a_dead_letter_when_the_most_patient_has_no_more_patience() -> None:
    one, two = One(retry_for="1m"), Two(retry_for="5m")
    down(one)
    down(two)
    with Relaying(main(Numbers(5), failover(one, two))) as flow:
        flow.run(299)
        assert dead(flow, flow.router) == {}
        flow.run(3)
        assert list(dead(flow, flow.router).values()) == [5]
        assert settled(flow) == 5


def test_a_failover_in_which_one_child_tries_for_ever_does_so_itself() -> None:
    one, two = One(retry_for="1m"), Two()
    down(one)
    down(two)
    with Relaying(main(Numbers(5), failover(one, two))) as flow:
        flow.run(600)
        up(two)
        flow.run(30)
        assert two.arrived == list(range(5))


def test_the_error_of_the_child_that_had_it_last_is_in_the_reason() -> None:
    one = One(retry_for="1m")
    one.says["write"] = [OSError("EIO")] * 10_000
    with Relaying(main(Numbers(5), failover(one))) as flow:
        flow.run(120)
        assert list(dead(flow, flow.router)) == ["not delivered in 1m: OSError: EIO"]


def test_a_batch_that_a_child_took_over_is_given_up_by_that_child() -> None:
    one, two = One(retry_for="1m"), Two()
    one.says["pending"] = True
    one.says["sync"] = [OSError("EIO")] * 10_000
    with Relaying(main(Numbers(5), failover(one, last=two))) as flow:
        flow.run(70)
        assert dead(flow) == {"not delivered in 1m: OSError: EIO": 5}
        assert two.arrived == []


def test_what_a_child_refused_is_given_up_with_last_and_counted_apart() -> None:
    one, last = One(retry_for="1m"), Two(retry_for="1m")
    one.says["write"] = [lambda batch: Refused(batch.events()[:2], "no")]
    down(last)
    with Relaying(main(Numbers(5), failover(one, last=last))) as flow:
        flow.run(70)
        assert flow.post(flow.router).mailbox.tally.out == 3
        assert list(dead(flow, flow.router).values()) == [2]


@pytest.mark.parametrize("make", [lambda one: one, failover])
def test_while_dead_letters_cannot_be_written_the_batch_waits_and_is_delivered_if_it_can(
    monkeypatch: pytest.MonkeyPatch, make: Callable[[Output], Any]
) -> None:
    append, full = DeadLetters.append, [1]

    def maybe(self: DeadLetters, letters: Any) -> None:
        if full:
            raise OSError(28, "No space left on device")
        append(self, letters)

    monkeypatch.setattr(DeadLetters, "append", maybe)
    one = One(retry_for="10s")
    down(one)
    with Relaying(main(Numbers(10), make(one))) as flow:
        flow.run(60)
        assert settled(flow) == 0
        full.clear()
        flow.run(40)
        assert settled(flow) == 10
        assert all(post.mailbox.tally.unaccounted() == 0 for post in flow.crew.posts)


def test_a_time_goes_on_when_the_seat_is_replaced() -> None:
    one = One(retry_for="5m")
    down(one)
    with Stepping(main(Numbers(5), one)) as flow:
        pass_time(flow, 200)
        post = flow.post("One")
        flow.crew.revoke(post, post.lease)
        flow.crew.seat(post, inherit_from=post.lease)
        pass_time(flow, 101)
        assert list(dead(flow).values()) == [5]


def test_an_output_of_a_users_keeps_the_order_of_its_options() -> None:
    class Mine(Output):
        """Has options by position."""

        host: str = option("Where.")
        port: int = option("Which.", default=1)

    made = Mine("a", 2, retry_for="1h")
    assert (made.host, made.port, made.retry_for) == ("a", 2, Duration("1h"))
    assert list(Mine.options) == ["host", "port", "retry_for"]
    assert made.fresh().retry_for == Duration("1h")


class Late(Told):
    """Syncs a second after the first write."""

    def open(self) -> None:
        super().open()
        self._due_at: float | None = None

    def write(self, batch: Batch) -> Any:
        self._due_at = self._due_at or self.clock.monotonic() + 1
        return super().write(batch)

    def due_at(self) -> float | None:
        return self._due_at

    def sync(self) -> None:
        self._due_at = None
        super().sync()


class Heir(Told):
    """Takes over what was pending."""

    def inherit(self, old: Output) -> bool:
        return isinstance(old, Heir)
