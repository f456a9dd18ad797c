from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from swak.sockets.delivery import HOPELESS, Delivery


@given(st.lists(st.binary(max_size=10), max_size=50), st.integers(1, 60), st.sets(st.integers(0, 49)))
def test_every_event_is_delivered_once_in_order_or_refused(pieces: list[bytes], part_max: int, bad: set[int]) -> None:
    numbered = [bytes([at]) + piece for at, piece in enumerate(pieces)]
    delivery = Delivery(numbered, part_max)
    taken: list[bytes] = []
    while part := delivery.part():
        if any(one[0] in bad for one in part):
            if not delivery.halve():
                delivery.refuse("bad")
        else:
            taken += part
            delivery.delivered()
    assert taken == [one for one in numbered if one[0] not in bad]
    assert set(delivery.refused) == {at for at in bad if at < len(numbered)}


def test_parts_are_bounded_unless_one_event_is_larger() -> None:
    delivery = Delivery([b"x" * 4, b"x" * 4, b"x" * 100, b"x"], 10)
    parts = []
    while part := delivery.part():
        parts.append([len(one) for one in part])
        delivery.delivered()
    assert parts == [[4, 4], [100], [1]]


def test_it_is_hopeless_when_much_was_refused_and_nothing_taken() -> None:
    delivery = Delivery([b"x"] * (HOPELESS + 1), 1)
    for _ in range(HOPELESS):
        assert not delivery.hopeless
        delivery.refuse("no")
    assert delivery.hopeless
    delivery.delivered()
    assert not delivery.hopeless


def test_it_knows_what_it_was_made_for() -> None:
    assert Delivery([b"a"], 10).same([b"a"])
    assert not Delivery([b"a"], 10).same([b"b"])


def test_some_events_of_a_part_may_come_again_and_others_be_refused() -> None:
    delivery = Delivery([b"a", b"b", b"c", b"d", b"e", b"f", b"g"], 6)
    assert delivery.part() == [b"a", b"b", b"c"]
    delivery.delivered()
    assert delivery.part() == [b"d", b"e", b"f"]
    delivery.sort_out({1: "no"}, [0, 2])
    assert delivery.refused == {4: "no"}
    parts = []
    while part := delivery.part():
        parts.append(part)
        delivery.delivered()
    assert parts == [[b"d"], [b"f"], [b"g"]]


def test_neighbours_come_again_together() -> None:
    delivery = Delivery([b"a", b"b", b"c", b"d"], 100)
    delivery.sort_out({}, [0, 1, 3])
    assert delivery.part() == [b"a", b"b"]
