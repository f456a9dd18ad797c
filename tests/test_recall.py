from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from swak.recall import Recall

IDS = [b"%d" % number for number in range(9)]


def known(recall: Recall) -> list[bytes]:
    return [one for one in IDS if one in recall]


def test_the_last_ids_are_known_and_no_others() -> None:
    recall = Recall(3)
    recall.note(IDS[:5])
    assert (known(recall), len(recall)) == (IDS[2:5], 3)


def test_what_comes_late_for_the_first_time_is_new() -> None:
    recall = Recall(9)
    recall.note([IDS[1], IDS[3]])
    assert IDS[2] not in recall


def test_what_is_noted_twice_takes_one_place() -> None:
    recall = Recall(2)
    recall.note([IDS[0], IDS[0], IDS[1], IDS[0]])
    assert known(recall) == IDS[:2]


def test_what_is_not_kept_can_be_taken_back() -> None:
    recall = Recall(9)
    recall.note(IDS[:2])
    recall.keep()
    recall.note(IDS[1:4])
    recall.take_back()
    recall.take_back()
    assert known(recall) == IDS[:2]


def test_more_than_fits_can_be_taken_back_as_well() -> None:
    recall = Recall(2)
    recall.note(IDS)
    recall.take_back()
    assert len(recall) == 0


@given(st.lists(st.tuples(st.sampled_from(["note", "keep", "back"]), st.sampled_from(IDS))), st.integers(1, 4))
def test_it_does_what_a_list_would_do(steps: list[tuple[str, bytes]], count_max: int) -> None:
    recall, kept, loose = Recall(count_max), list[bytes](), list[bytes]()
    for step, one in steps:
        if step == "keep":
            kept, loose = kept + loose, []
            recall.keep()
        elif step == "back":
            loose = []
            recall.take_back()
        else:
            if one not in kept + loose:
                loose.append(one)
            recall.note([one])
        while len(kept) + len(loose) > count_max:
            (kept or loose).pop(0)
        assert known(recall) == sorted(kept + loose)
