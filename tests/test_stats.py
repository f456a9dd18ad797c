from __future__ import annotations

from swak.stats import InputReceipt, Receipt, Tally


def tally(**figures: int) -> Tally:
    made = Tally()
    for name, value in figures.items():
        setattr(made, name, value)
    return made


def test_what_came_in_and_went_nowhere_is_unaccounted() -> None:
    one = tally(into=10, made=2, out=7, merged=1, held=2)
    one.filtered["Dedupe"] = 1
    assert one.unaccounted() == 1
    one.dead["no match"] = 1
    assert one.unaccounted() == 0


def test_a_copy_does_not_change_with_its_original() -> None:
    one = tally(into=1, out=1)
    copy = one.copy()
    one.into = 2
    one.dead["no match"] += 1
    assert (copy.into, copy.dead.total(), copy.unaccounted()) == (1, 0, 0)


def test_a_tally_is_printed_by_total() -> None:
    one = tally(into=3, out=1)
    one.dead.update({"no match": 1, "too long": 1})
    assert one.as_dict() == {"in": 3, "made": 0, "out": 1, "filtered": 0, "dead": 2, "merged": 0, "held": 0}


def test_a_run_is_clean_when_nothing_was_lost_and_no_task_failed() -> None:
    replays, loses = InputReceipt("web", "Tail", 5, 2, 0), InputReceipt("web", "Stdin", 5, 0, 1)
    assert Receipt((), (replays,)).clean
    assert not Receipt((), (loses,)).clean
    assert not Receipt((), (replays,), failed=("web",)).clean
