"""A batch in the hands of workers, whole or in pieces."""

from __future__ import annotations

from swak.narrowing import Suspects
from swak.plugin import Outcome
from swak.testing import batch_of, event
from swak.workers.work import Work, size_of


def test_a_batch_goes_out_whole_and_is_complete_when_it_is_back() -> None:
    work = Work(batch_of([event({"n": 1})]), Suspects())
    piece = work.next()
    assert piece is not None
    assert piece.batch.count == 1
    before = work.complete
    work.add(Outcome(), {"A": 1}, 20)
    assert work.next() is None
    assert (before, work.complete) == (False, True)
    assert work.filtered == {"A": 1}
    assert size_of([work, work]) == 40


def test_a_suspect_goes_out_in_pieces_one_after_the_other() -> None:
    suspects = Suspects()
    suspects.note(0, 4)
    work = Work(batch_of([event({"n": number}) for number in range(4)]), suspects)
    pieces = []
    while (piece := work.next()) is not None:
        pieces.append((piece.first, piece.batch.count))
        work.add(Outcome(), {})
    assert pieces == [(0, 2), (2, 2)]


def test_an_event_that_ended_three_workers_alone_is_given_up() -> None:
    suspects = Suspects()
    for first, end in ((0, 4), (0, 2), (1, 2)):
        suspects.note(first, end)
    work = Work(batch_of([event({"n": number}) for number in range(4)]), suspects)
    out = []
    while (piece := work.next()) is not None:
        out += [one.record["n"] for one in piece.batch.events()]
    assert out == [0, 2, 3]
    assert [one.event.record["n"] for one in work.outcome.dead] == [1]
    assert work.complete


def test_a_hopeless_batch_goes_nowhere() -> None:
    suspects = Suspects()
    for _ in range(6):
        suspects.note(0, 4)
    work = Work(batch_of([event({"n": number}) for number in range(4)]), suspects)
    assert work.hopeless
    assert work.next() is None
    assert work.complete
