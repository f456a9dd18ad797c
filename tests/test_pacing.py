from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from swak.errors import EndOfInput
from swak.pacing import PacedInput, per_second
from swak.testing import FakeClock

if TYPE_CHECKING:
    from swak.event import Record


class Numbers(PacedInput):
    """Its index, and nothing else."""

    count, rate, tag = 2_500, "100/s", "n"

    def record(self, index: int) -> Record:
        return {"n": index}


@pytest.mark.parametrize(
    ("rate", "wanted"), [("10/s", 10), ("6/m", 0.1), ("1/10s", 0.1), ("0.5/ms", 500), (3, 3), (0.5, 0.5)]
)
def test_rates(rate: str | float, wanted: float) -> None:
    assert per_second(rate) == pytest.approx(wanted)


@pytest.mark.parametrize("rate", ["", "10", "/s", "s/10", "10/x", "0/s", 0, -1, float("inf"), float("nan")])
def test_what_is_no_rate(rate: str | float) -> None:
    with pytest.raises(ValueError, match=r"wants|duration"):
        per_second(rate)


def test_every_index_comes_once_however_unevenly_time_goes() -> None:
    plugin = Numbers()
    clock = plugin.clock = FakeClock(0)
    plugin.open()
    seen: list[int] = []
    while len(seen) < 2_500:
        chunk = plugin.read()
        if chunk is None:
            clock.advance(0.007 if len(seen) % 3 else 3.1)
        else:
            seen += [record["n"] for record in chunk.body.records()]
            assert chunk.position == len(seen)
    assert seen == list(range(2_500))
    with pytest.raises(EndOfInput):
        plugin.read()


def test_what_was_missed_is_made_up_for() -> None:
    plugin = Numbers()
    clock = plugin.clock = FakeClock(0)
    plugin.open()
    clock.advance(5)
    chunk = plugin.read()
    assert chunk is not None
    assert chunk.body.count == 501


def test_after_the_last_nothing_is_due() -> None:
    plugin = Numbers()
    plugin.seek({"Numbers": 2_500})
    plugin.open()
    assert plugin.due_at() is None
