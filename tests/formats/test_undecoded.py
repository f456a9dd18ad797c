from __future__ import annotations

from swak.event import Block, Dicts, Record
from swak.formats.undecoded import Undecoded, read_once


class Letters(Undecoded):
    """A record of each byte; it counts how often that was done."""

    __slots__ = ("times_decoded",)

    def __init__(self, data: bytes) -> None:
        super().__init__(data, range(len(data)))
        self.times_decoded = 0

    def _decoded(self) -> list[Record]:
        self.times_decoded += 1
        return [{"letter": letter} for letter in self.data.decode()]


def test_nothing_is_decoded_before_somebody_asks() -> None:
    body = Letters(b"abc")
    assert (body.count, list(body.times()), body.times_decoded) == (3, [0, 1, 2], 0)
    assert body.shared == body.shared == [{"letter": one} for one in "abc"]
    assert body.times_decoded == 1


def test_what_is_read_once_is_not_kept() -> None:
    body = Letters(b"abc")
    assert read_once(body) == [{"letter": one} for one in "abc"]
    assert body.shared is not read_once(Letters(b"abc"))
    assert body.times_decoded == 2
    assert read_once(body) is body.shared


def test_each_branch_gets_records_of_its_own() -> None:
    body = Letters(b"a")
    for _ in range(2):
        body.records()[0]["letter"] = "changed"
        assert body.shared == [{"letter": "a"}]


def test_a_part_has_its_records_and_times() -> None:
    part = Letters(b"abcd").cut(1, 3)
    assert (part.records(), list(part.times())) == ([{"letter": "b"}, {"letter": "c"}], [1, 2])


def test_other_bodies_are_read_as_they_are() -> None:
    assert read_once(Block(b"a\n", 0)) == [{"message": "a"}]
    assert read_once(Dicts([{"n": 1}], [0])) == [{"n": 1}]
