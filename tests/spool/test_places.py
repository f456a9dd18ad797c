from __future__ import annotations

from typing import Any

import pytest

from swak.ack import Ack, Sources, join
from swak.spool.places import SOURCE, cycle_of, parts_of, place_of


class Free:
    """The lease of a reader that nobody revoked."""

    revoked = False


def spooled(source: str = SOURCE, position: Any = ("spool", 7)) -> Ack:
    sources = Sources()
    return sources.register(source, list(position) if isinstance(position, tuple) else position, 4, Free())


def test_a_batch_that_is_one_frame_has_a_place_that_names_it() -> None:
    ack = spooled()
    assert place_of(ack) == "spool 7"
    ack.settle()


def test_parts_of_a_frame_and_what_was_joined_of_several_have_none() -> None:
    whole = spooled()
    parts = whole.split(2)
    other = spooled(position=("spool", 8))
    joined = join([whole, other])
    assert [place_of(one) for one in (*parts, joined, join([other]))] == ["", "", "", "spool 8"]
    joined.settle()


@pytest.mark.parametrize("position", [None, 7, {"offset": 7}, ("spool", "7"), ("spool", 7, 8, 9)])
def test_positions_of_other_inputs_are_no_places(position: Any) -> None:
    for ack in (spooled(position=position), spooled("file")):
        assert place_of(ack) == ""
        ack.settle()


def test_a_position_has_a_spool_a_frame_and_perhaps_events_of_the_next_one() -> None:
    assert parts_of(["a", 7]) == ("a", 7, 0)
    assert parts_of(["a", 7, 20]) == ("a", 7, 20)
    assert parts_of({"offset": 7}) == ("", 0, 0)


def test_a_spool_is_told_by_when_it_was_made_if_its_name_says_so() -> None:
    assert cycle_of("ff-0123abcd") == 255
    assert cycle_of("") is None
