from __future__ import annotations

from swak.plugin import Extent
from swak.tailing.extents import CYCLES_KEPT, Extents, reached
from swak.tailing.identity import Mark

PATH = "/var/log/app.log"


def mark(offset: int, *, cycle: int = 0, begin: int = 0, size: int = 0) -> Mark:
    return Mark(offset, PATH, cycle=cycle, begin=begin, size_bytes=size)


def test_a_new_file_is_read_from_its_start() -> None:
    extents = Extents({})
    extents.note("a", mark(10), empty=False)
    extents.note("a", mark(30, size=50), empty=False)
    assert extents.told() == {"a": [Extent(0, PATH, 0, 0, 30, 50)]}


def test_a_known_file_goes_on_from_its_position() -> None:
    extents = Extents({"a": mark(20)})
    extents.note("a", mark(30), empty=False)
    assert extents.told()["a"][0].begin == 20


def test_what_was_passed_over_is_no_reading() -> None:
    extents = Extents({})
    extents.note("a", mark(40), empty=True)
    extents.note("a", mark(60), empty=False)
    assert extents.told()["a"][0][2:5] == (0, 40, 60)


def test_a_copy_begins_where_the_file_was_left_of_which_it_is_one() -> None:
    extents = Extents({})
    extents.note("copy", mark(90, begin=70), empty=False)
    assert extents.told()["copy"][0].begin == 70


def test_each_content_of_a_file_is_told_apart() -> None:
    extents = Extents({})
    for cycle in range(10):
        extents.note("a", mark(5 + cycle, cycle=cycle), empty=False)
    assert [one.cycle for one in extents.told()["a"]] == list(range(10 - CYCLES_KEPT, 10))


def test_what_is_gone_is_forgotten() -> None:
    extents = Extents({})
    extents.note("a", mark(5), empty=False)
    extents.note("b", mark(5), empty=False)
    extents.forget(["a"])
    assert list(extents.told()) == ["b"]


def test_a_position_stands_for_cycle_and_byte() -> None:
    assert reached(mark(5, cycle=2).as_position()) == (2, 5)


def test_a_position_that_makes_no_sense_stands_for_nothing() -> None:
    assert reached({"offset": -1}) is None
