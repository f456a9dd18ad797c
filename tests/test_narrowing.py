"""Which event of a batch ends seats."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from swak.narrowing import BATCH_KILLERS_MAX, KILLERS_MAX, Piece, Suspects
from swak.plugin import DeadEvent, Outcome
from swak.testing import batch_of, block_of, event, promise

if TYPE_CHECKING:
    from swak.event import Batch


def numbers(count: int) -> Batch:
    return batch_of([event({"n": number}) for number in range(count)], promise(count))


def shown(piece: Piece) -> list[int]:
    return [record["n"] for record in piece.batch.body.records()]


def work(suspects: Suspects, batch: Batch, bad: set[int]) -> tuple[list[int], list[int]] | None:
    """Do what one seat does. Return what it wrote and what it gave up; None when it hung."""
    written: list[int] = []
    given_up: list[int] = []
    for piece in suspects.pieces(batch):
        if piece.reason:
            given_up += shown(piece)
        elif bad & set(shown(piece)):
            piece.blame()
            return None
        else:
            written += shown(piece)
    return written, given_up


def outlive(batch: Batch, bad: set[int]) -> tuple[int, list[int], list[int]]:
    """Return how many seats hung until a batch was done, what was written by the last one, and what given up."""
    suspects = Suspects()
    while not suspects.hopeless:
        done = work(suspects, batch, bad)
        if done is not None:
            return suspects.deaths, *done
    return suspects.deaths, [], []


def test_a_batch_that_ended_no_seat_is_whole() -> None:
    batch = numbers(1_000)
    (piece,) = Suspects().pieces(batch)
    assert piece.batch is batch


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 10, 99, 1_000])
@pytest.mark.parametrize("where", [0.0, 0.5, 1.0])
def test_the_third_death_names_the_one_bad_event_however_large_the_batch_is(count: int, where: float) -> None:
    bad = round(where * (count - 1))
    left = [number for number in range(count) if number != bad]
    assert outlive(numbers(count), {bad}) == (KILLERS_MAX, left, [bad])


def test_a_second_bad_event_takes_two_deaths_more() -> None:
    deaths, written, given_up = outlive(numbers(1_000), {100, 900})
    assert (deaths, len(written), given_up) == (KILLERS_MAX + 2, 998, [100, 900])


def test_a_neighbour_of_a_bad_event_takes_one_death_more() -> None:
    assert outlive(numbers(1_000), {100, 101})[0] == KILLERS_MAX + 1


def test_a_batch_with_many_bad_events_is_given_up_before_it_ends_its_task_again_and_again() -> None:
    assert outlive(numbers(1_000), set(range(0, 1_000, 50))) == (BATCH_KILLERS_MAX + 1, [], [])


def test_an_event_is_given_up_only_when_it_was_in_hand_alone() -> None:
    suspects, batch = Suspects(), numbers(9)
    for first, end in [(0, 9), (0, 3), (3, 6), (1, 2), (4, 5)]:
        suspects.note(first, end)
    reasons = {shown(piece)[0]: piece.reason for piece in suspects.pieces(batch)}
    assert reasons[1] == reasons[4] == "3 seats ended with this event in hand"
    assert not any(reasons[number] for number in (0, 2, 3, 5))


def test_a_half_of_a_batch_condemns_nothing_smaller_than_itself() -> None:
    suspects = Suspects()
    for _ in range(KILLERS_MAX):
        suspects.note(0, 50)
    assert not any(piece.reason for piece in suspects.pieces(numbers(100)))


def test_lines_are_cut_like_records() -> None:
    suspects, batch = Suspects(), block_of(*(f"line {number}" for number in range(10)))
    suspects.note(0, 10)
    pieces = suspects.pieces(batch)
    assert [record for piece in pieces for record in piece.batch.body.records()] == batch.body.records()


def test_the_batch_is_settled_with_its_last_piece() -> None:
    suspects, batch = Suspects(), numbers(5)
    suspects.note(0, 5)
    pieces = suspects.pieces(batch)
    for piece in pieces:
        assert not batch.ack.settled
        piece.batch.ack.settle()
    assert batch.ack.settled


def test_halves_know_where_they_begin() -> None:
    suspects = Suspects()
    first, second = Piece(numbers(5), suspects, 10).halves()
    assert (shown(first), shown(second)) == ([0, 1], [2, 3, 4])
    assert (first.first, second.first) == (10, 12)


def test_pieces_make_one_outcome_in_order() -> None:
    suspects, batch = Suspects(), numbers(5)
    for death in [(0, 5), (2, 3), (2, 3)]:
        suspects.note(*death)

    def process(piece: Piece) -> Outcome:
        outcome = Outcome()
        outcome.parts = [(piece.batch.body, piece.batch.tags)]
        outcome.filtered, outcome.made = 1, 2
        return outcome

    whole = suspects.piecewise(batch, process)
    assert [record["n"] for body, _ in whole.parts for record in body.records()] == [0, 1, 3, 4]
    assert whole.dead == [DeadEvent(event({"n": 2}), "3 seats ended with this event in hand")]
    assert (whole.filtered, whole.made) == (3, 6)
