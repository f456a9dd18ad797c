"""The mailbox: what is shown, what waits, what is fenced off."""

from __future__ import annotations

import pytest

from swak.actors.lease import Lease
from swak.actors.mailbox import BATCHES_MAX, BYTES_MAX, REASONS_MAX, Mailbox
from swak.actors.messages import Letter, Sign, Up
from swak.errors import Closed, Fenced
from swak.event import Batch, Dicts
from swak.stats import Tally
from swak.testing import FakeClock, promise


def _batch(count: int = 1, size_bytes: int = 10) -> Batch:
    return Batch(Dicts([{}] * count, [0] * count, size_bytes), "t", promise(count))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def mailbox(clock: FakeClock) -> Mailbox:
    made = Mailbox("stage", ["up"], clock)
    made.upstream["up"] = Mailbox("up", [], clock, source=True)
    return made


@pytest.fixture
def lease() -> Lease:
    return Lease(None)


def _get(mailbox: Mailbox, lease: Lease, due_at: float | None = None) -> object:
    return mailbox.get(lease, due_at, wait=False)


def test_the_head_is_shown_until_it_is_done(mailbox: Mailbox, lease: Lease) -> None:
    batch = _batch()
    mailbox.put(lease, "up", batch, 1)
    first, second = _get(mailbox, lease), _get(mailbox, lease)
    assert isinstance(first, Letter)
    assert first is second
    assert first.batch is batch
    mailbox.done(lease)
    assert _get(mailbox, lease) is None


def test_data_waits_for_room_in_batches_and_in_bytes(mailbox: Mailbox, lease: Lease) -> None:
    for number in range(BATCHES_MAX):
        assert mailbox.put(lease, "up", _batch(), number + 1)
    assert not mailbox.put(lease, "up", _batch(), 99)
    while mailbox.head() is not None:
        mailbox.done(lease)
    assert mailbox.put(lease, "up", _batch(size_bytes=BYTES_MAX), 100)
    assert not mailbox.put(lease, "up", _batch(), 101)


def test_a_batch_above_the_bound_enters_an_empty_mailbox_alone(mailbox: Mailbox, lease: Lease) -> None:
    assert mailbox.put(lease, "up", _batch(size_bytes=3 * BYTES_MAX), 1)
    assert not mailbox.put(lease, "up", _batch(), 2)


def test_control_never_waits_and_comes_first(mailbox: Mailbox, lease: Lease) -> None:
    for number in range(BATCHES_MAX):
        mailbox.put(lease, "up", _batch(), number + 1)
    mailbox.block()
    mailbox.tell(Up("child"))
    assert _get(mailbox, lease) == Up("child")
    assert _get(mailbox, lease) is None


def test_who_waited_for_room_is_poked_when_half_of_it_is_free(mailbox: Mailbox, lease: Lease, clock: FakeClock) -> None:
    upstream = Mailbox("up", [], clock, source=True)
    mailbox.upstream["up"] = upstream
    while mailbox.put(lease, "up", _batch(), 1):
        pass
    upstream.block()
    for _ in range(BATCHES_MAX // 2):
        assert _get(upstream, lease) is None
        mailbox.done(lease)
    assert _get(upstream, lease) is Sign.POKE


def test_half_of_the_bytes_must_be_free_too(mailbox: Mailbox, lease: Lease, clock: FakeClock) -> None:
    upstream = Mailbox("up", [], clock, source=True)
    mailbox.upstream["up"] = upstream
    for number in range(3):
        mailbox.put(lease, "up", _batch(size_bytes=BYTES_MAX // 3), number)
    assert not mailbox.put(lease, "up", _batch(size_bytes=BYTES_MAX // 3), 4)
    upstream.block()
    mailbox.done(lease)
    assert _get(upstream, lease) is None
    mailbox.done(lease)
    assert _get(upstream, lease) is Sign.POKE


def test_who_waits_with_a_batch_above_the_bound_is_poked_until_it_fits(
    mailbox: Mailbox, lease: Lease, clock: FakeClock
) -> None:
    upstream = Mailbox("up", [], clock, source=True)
    mailbox.upstream["up"] = upstream
    for number in (1, 2):
        mailbox.put(lease, "up", _batch(), number)
    while not mailbox.put(lease, "up", _batch(size_bytes=3 * BYTES_MAX), 3):
        upstream.block()
        mailbox.done(lease)
        assert _get(upstream, lease) is Sign.POKE


def test_the_same_key_is_the_same_batch_again(mailbox: Mailbox, lease: Lease) -> None:
    assert mailbox.put(lease, "up", _batch(), 7, once=True)
    assert mailbox.put(lease, "up", _batch(), 7, once=True)
    mailbox.done(lease)
    assert mailbox.head() is None


def test_a_revoked_lease_is_turned_away_everywhere(mailbox: Mailbox, lease: Lease) -> None:
    mailbox.put(lease, "up", _batch(), 1)
    lease.revoked = True
    for act in (
        lambda: mailbox.put(lease, "up", _batch(), 2),
        lambda: mailbox.get(lease, None),
        lambda: mailbox.done(lease),
        lambda: mailbox.hold(lease),
        lambda: mailbox.release(lease, 1),
        lambda: mailbox.unhold(lease),
        lambda: mailbox.end(lease, "up"),
        lambda: mailbox.count(lease, Tally()),
    ):
        with pytest.raises(Fenced):
            act()
    assert mailbox.head() is not None


def test_a_closed_mailbox_takes_and_shows_nothing(mailbox: Mailbox, lease: Lease) -> None:
    mailbox.put(lease, "up", _batch(), 1)
    mailbox.close()
    with pytest.raises(Closed):
        mailbox.put(lease, "up", _batch(), 2)
    with pytest.raises(Closed):
        mailbox.get(lease, None)


def test_the_end_is_shown_again_and_again_once_all_edges_ended_and_nothing_is_left(
    clock: FakeClock, lease: Lease
) -> None:
    mailbox = Mailbox("stage", ["a", "b"], clock)
    mailbox.put(lease, "a", _batch(), 1)
    mailbox.end(lease, "a")
    mailbox.end(lease, "b")
    assert isinstance(_get(mailbox, lease), Letter)
    mailbox.done(lease)
    assert _get(mailbox, lease) is Sign.END
    assert _get(mailbox, lease) is Sign.END


def test_no_two_ticks_follow_each_other_while_data_can_be_shown(
    mailbox: Mailbox, lease: Lease, clock: FakeClock
) -> None:
    mailbox.put(lease, "up", _batch(), 1)
    due_at = clock.monotonic()
    assert _get(mailbox, lease, due_at) is Sign.TICK
    assert isinstance(_get(mailbox, lease, due_at), Letter)
    assert _get(mailbox, lease, due_at) is Sign.TICK


def test_a_shut_gate_opens_by_time(mailbox: Mailbox, lease: Lease, clock: FakeClock) -> None:
    mailbox.put(lease, "up", _batch(), 1)
    mailbox.shut(clock.monotonic() + 5)
    assert _get(mailbox, lease) is None
    assert mailbox.wakes_at(None) == clock.monotonic() + 5
    clock.advance(5)
    assert isinstance(_get(mailbox, lease), Letter)


class RunningClock(FakeClock):
    """Time passes between any two looks at it."""

    def monotonic(self) -> float:
        self.advance(1.0)
        return super().monotonic()


@pytest.mark.parametrize("until_s", [0.5, 1.5, 2.5, 3.5])
def test_a_gate_that_opens_between_two_looks_at_the_clock_is_not_slept_through(until_s: float) -> None:
    clock = RunningClock()
    mailbox = Mailbox("stage", ["up"], clock)
    lease = Lease(None)
    mailbox.reseat()
    while mailbox.get(lease, None, wait=False) is not None:
        pass
    mailbox.put(lease, "up", _batch(), 1)
    mailbox.shut(super(RunningClock, clock).monotonic() + until_s)
    assert mailbox.wakes_at(None) is not None
    assert isinstance(mailbox.get(lease, None), Letter)


def test_what_was_held_comes_first_again_for_a_successor(mailbox: Mailbox, lease: Lease) -> None:
    batches = [_batch() for _ in range(3)]
    for number, batch in enumerate(batches):
        mailbox.put(lease, "up", batch, number + 1)
    mailbox.hold(lease)
    mailbox.hold(lease)
    assert mailbox.levels()[3].held == 2
    mailbox.reseat()
    assert _get(mailbox, lease) is Sign.OPEN
    shown = []
    while isinstance(letter := _get(mailbox, lease), Letter):
        shown.append(letter.batch)
        mailbox.done(lease)
    assert shown == batches


def test_a_successor_that_inherits_leaves_what_is_held_alone(mailbox: Mailbox, lease: Lease) -> None:
    mailbox.put(lease, "up", _batch(3), 1)
    mailbox.hold(lease)
    mailbox.reseat(keep_held=True)
    assert [letter.batch.count for letter in mailbox.held()] == [3]
    mailbox.release(lease, 3)
    assert not mailbox.has_held
    assert mailbox.levels()[3].unaccounted() == 0


def test_held_letters_leave_when_all_their_events_have_left(mailbox: Mailbox, lease: Lease) -> None:
    for number in range(2):
        mailbox.put(lease, "up", _batch(5), number + 1)
        mailbox.hold(lease)
    mailbox.release(lease, 7)
    assert [letter.batch.count for letter in mailbox.held()] == [5]
    tally = mailbox.levels()[3]
    assert (tally.into, tally.out, tally.held, tally.unaccounted()) == (10, 7, 3, 0)


def test_reasons_beyond_a_bound_are_counted_together(mailbox: Mailbox, lease: Lease) -> None:
    for number in range(REASONS_MAX + 5):
        mailbox.put(lease, "up", _batch(), number + 1)
        counts = Tally()
        counts.into = 1
        counts.dead[f"reason {number}"] = 1
        mailbox.done(lease, counts)
    tally = mailbox.levels()[3]
    assert len(tally.dead) == REASONS_MAX + 1
    assert tally.dead["other"] == 5


def test_a_paused_mailbox_shows_everything_but_data(mailbox: Mailbox, lease: Lease, clock: FakeClock) -> None:
    mailbox.put(lease, "up", _batch(), 1)
    mailbox.paused = True
    assert _get(mailbox, lease) is None
    assert mailbox.wakes_at(None) is None
    assert mailbox.wakes_at(clock.monotonic() + 5) == clock.monotonic() + 5
    mailbox.tell(Sign.WAKE)
    assert _get(mailbox, lease) is Sign.WAKE
    assert _get(mailbox, lease, clock.monotonic()) is Sign.TICK
    mailbox.paused = False
    assert isinstance(_get(mailbox, lease), Letter)


def test_a_pause_outlives_the_seat_and_holds_the_end_back_while_data_waits(mailbox: Mailbox, lease: Lease) -> None:
    mailbox.put(lease, "up", _batch(), 1)
    mailbox.end(lease, "up")
    mailbox.paused = True
    mailbox.reseat()
    successor = Lease(None)
    assert _get(mailbox, successor) is Sign.OPEN
    assert _get(mailbox, successor) is None
    mailbox.paused = False
    mailbox.done(successor)
    assert _get(mailbox, successor) is Sign.END


def test_a_seat_rests_when_nothing_was_shown_to_it_since_the_last_word(mailbox: Mailbox, lease: Lease) -> None:
    assert not rests(mailbox)
    _get(mailbox, lease)
    assert rests(mailbox)
    mailbox.tell(Sign.WAKE)
    _get(mailbox, lease)
    assert not rests(mailbox)


def rests(mailbox: Mailbox) -> bool:
    return mailbox.resting


def test_a_tap_sees_what_has_arrived_and_nothing_that_had_no_room(mailbox: Mailbox, lease: Lease) -> None:
    seen: list[tuple[str, int]] = []
    mailbox.taps = (lambda edge, batch: seen.append((edge, batch.count)),)
    for number in range(BATCHES_MAX + 1):
        mailbox.put(lease, "up", _batch(number + 1), number + 1)
    assert seen == [("up", number + 1) for number in range(BATCHES_MAX)]


def test_who_is_let_in_besides_is_poked_and_not_waited_for(mailbox: Mailbox, lease: Lease, clock: FakeClock) -> None:
    guest, own = Mailbox("guest", [], clock), Lease(None)
    mailbox.upstream["guest"] = guest
    for number in range(BATCHES_MAX):
        mailbox.put(own, "guest", _batch(), number + 1)
    assert not mailbox.put(own, "guest", _batch(), 99)
    guest.block()
    for _ in range(BATCHES_MAX // 2):
        mailbox.done(lease)
    assert _get(guest, own) is Sign.POKE
    assert mailbox.levels().arrived == {"up": 0, "guest": BATCHES_MAX}
    while mailbox.head() is not None:
        mailbox.done(lease)
    mailbox.end(lease, "up")
    assert _get(mailbox, lease) is Sign.END


def test_a_letter_that_is_passed_over_stays_and_the_next_one_is_shown(mailbox: Mailbox, lease: Lease) -> None:
    batches = [_batch(), _batch(), _batch()]
    for number, batch in enumerate(batches, 1):
        mailbox.put(lease, "up", batch, number)
    shown = []
    for _ in range(2):
        letter = _get(mailbox, lease)
        assert isinstance(letter, Letter)
        shown.append(letter.batch)
        mailbox.pass_over(lease)
    assert shown == batches[:2]
    assert mailbox.levels().batches == 3
    mailbox.done(lease)
    third = _get(mailbox, lease)
    assert isinstance(third, Letter)
    assert third.batch is batches[2]
    mailbox.pass_over(lease)
    mailbox.end(lease, "up")
    assert _get(mailbox, lease) is None, "what is in hand is not done: this is not the end"
    mailbox.done(lease)
    mailbox.done(lease)
    assert _get(mailbox, lease) is Sign.END


def test_a_successor_is_shown_all_that_was_passed_over(mailbox: Mailbox, lease: Lease) -> None:
    first, second = _batch(), _batch()
    for number, batch in ((1, first), (2, second)):
        mailbox.put(lease, "up", batch, number)
        mailbox.pass_over(lease)
    mailbox.beside_bytes = 500
    assert mailbox.kept_bytes == 520
    mailbox.reseat()
    assert mailbox.kept_bytes == 20
    assert _get(mailbox, lease) is Sign.OPEN
    letter = _get(mailbox, lease)
    assert isinstance(letter, Letter)
    assert letter.batch is first
