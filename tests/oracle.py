"""The sequence oracle: what was sent, what arrived, and what is wrong about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Verdict(NamedTuple):
    """Every way in which a delivery can be wrong, by sequence number."""

    lost: list[int]
    unexpected: list[int]
    reordered: list[int]
    """Numbers that arrived for the first time after a higher one."""
    duplicates: int

    def assert_right(self, *, duplicates_max: int = 0) -> None:
        """Fail with what is wrong."""
        assert not self.lost, f"lost {len(self.lost)}: {self.lost[:10]}"
        assert not self.unexpected, f"unexpected {len(self.unexpected)}: {self.unexpected[:10]}"
        assert not self.reordered, f"reordered {len(self.reordered)}: {self.reordered[:10]}"
        assert self.duplicates <= duplicates_max, (
            f"{self.duplicates} duplicates, at most {duplicates_max} are explained"
        )


def judge(sent: Iterable[int], arrived: Sequence[int], *, ordered: bool = True) -> Verdict:
    """Compare what arrived with what was sent (in ascending order)."""
    expected = set(sent)
    seen: set[int] = set()
    reordered = []
    highest = -1
    for number in arrived:
        if number in seen:
            continue
        seen.add(number)
        if ordered and number < highest:
            reordered.append(number)
        highest = max(highest, number)
    lost = sorted(expected - seen)
    return Verdict(lost, sorted(seen - expected), reordered, len(arrived) - len(seen))
