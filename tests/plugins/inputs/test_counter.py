from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from swak.errors import ConfigError, EndOfInput
from swak.plugins.inputs.counter import Counter
from swak.testing import FakeClock

if TYPE_CHECKING:
    from swak.event import Chunk


def opened(plugin: Counter, position: int | None = None) -> tuple[Counter, FakeClock]:
    clock = plugin.clock = FakeClock(100)
    plugin.seek({} if position is None else {"Counter": position})
    plugin.open()
    return plugin, clock


def read(plugin: Counter) -> Chunk:
    chunk = plugin.read()
    assert chunk is not None
    return chunk


def test_it_counts_from_one_to_the_end() -> None:
    counter, _ = opened(Counter(3))
    chunk = read(counter)
    assert (chunk.body.records(), chunk.tag, chunk.position) == ([{"f1": 1}, {"f1": 2}, {"f1": 3}], "counter", 3)
    with pytest.raises(EndOfInput):
        counter.read()


def test_a_record_has_as_many_fields_as_wanted() -> None:
    counter, _ = opened(Counter(1, fields=3))
    assert read(counter).body.records() == [{"f1": 1, "f2": 1, "f3": 1}]


def test_a_count_of_none_ends_at_once() -> None:
    counter, _ = opened(Counter(0))
    with pytest.raises(EndOfInput):
        counter.read()


def test_without_a_rate_it_is_as_fast_as_it_is_read() -> None:
    counter, _ = opened(Counter())
    assert [read(counter).position for _ in range(3)] == [1_000, 2_000, 3_000]
    assert counter.due_at() is None


def test_a_successor_goes_on_after_its_position() -> None:
    counter, _ = opened(Counter(5), position=3)
    assert read(counter).body.records() == [{"f1": 4}, {"f1": 5}]


def test_the_first_event_comes_at_once_and_the_next_when_it_is_due() -> None:
    counter, clock = opened(Counter(rate="2/s"))
    assert read(counter).position == 1
    assert counter.read() is None
    assert counter.due_at() == 100.5
    clock.advance(0.5)
    assert read(counter).position == 2


def test_events_carry_the_time_at_which_they_were_made() -> None:
    counter, clock = opened(Counter(rate=1))
    read(counter)
    clock.advance(1)
    assert list(read(counter).body.times()) == [101 * 10**9]


def test_a_high_rate_comes_in_groups() -> None:
    counter, clock = opened(Counter(rate=20_000))
    read(counter)
    clock.advance(0.01)
    assert read(counter).body.count == 200
    clock.advance(1)
    assert [read(counter).body.count for _ in range(20)] == [1_000] * 20
    assert counter.read() is None


def test_a_successor_keeps_the_rate() -> None:
    counter, clock = opened(Counter(rate=1), position=50)
    assert read(counter).position == 51
    assert counter.read() is None
    clock.advance(1)
    assert read(counter).position == 52


def test_when_due_it_always_has_something() -> None:
    counter, clock = opened(Counter(rate=3))
    for number in range(1, 1_000):
        assert read(counter).position == number
        due_at = counter.due_at()
        assert due_at is not None
        clock.advance(due_at - clock.monotonic() + 1e-9)


@pytest.mark.parametrize("rate", ["", "fast", "10", "10/", "/s", "10/parsec", 0, "0/s", "1/0s", -1, float("nan")])
def test_a_rate_that_is_none_is_named(rate: str | float) -> None:
    ((what, _),) = Counter(rate=rate).check()
    assert what.startswith('option "rate" ')


@pytest.mark.parametrize(
    ("rate", "seconds"), [("10/s", 0.1), ("5/m", 12), (4, 0.25), (0.5, 2), ("1/10s", 10), ("1 / h", 3600)]
)
def test_rates_are_numbers_or_text(rate: str | float, seconds: float) -> None:
    assert Counter(rate=rate).check() == []
    counter, _ = opened(Counter(rate=rate))
    read(counter)
    assert counter.due_at() == pytest.approx(100 + seconds)


@pytest.mark.parametrize("options", [{"count": -1}, {"fields": 0}, {"count": "3"}])
def test_bad_numbers_are_refused(options: dict[str, int | str]) -> None:
    with pytest.raises(ConfigError):
        Counter(**options)
