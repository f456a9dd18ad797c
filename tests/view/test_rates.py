from __future__ import annotations

from swak.latency import BOUNDS_S, Spread
from swak.stats import Tally
from swak.view.model import TREND_S, Delay, Figures, Look
from swak.view.rates import Delays, Rates, Trends, spread_of
from tests.view.scenes import stage

WEB = ("web", "Regex")


def test_rates_are_those_of_the_last_seconds() -> None:
    rates = Rates(window_s=2)
    shown = [
        rates.update([stage("Regex", total=total)], now_s)["web", "Regex"]
        for now_s, total in enumerate((0, 10, 20, 20, 20))
    ]
    assert shown == [0, 10, 10, 5, 0]


def test_a_stage_that_comes_up_anew_has_no_negative_rate() -> None:
    rates = Rates()
    rates.update([stage("Regex", total=100)], 0)
    assert rates.update([stage("Regex", total=3), stage("New", total=7)], 1) == {("web", "Regex"): 0, ("web", "New"): 0}


def test_an_input_counts_what_goes_out_and_an_output_what_comes_in() -> None:
    read, wrote = Tally(), Tally()
    read.made = read.out = 3
    wrote.into = 2
    views = [stage("Stdin")._replace(tally=read), stage("Null")._replace(tally=wrote)]
    rates = Rates()
    rates.update([one._replace(tally=Tally()) for one in views], 0)
    assert list(rates.update(views, 1).values()) == [3, 2]


def test_figures_that_are_told_twice_change_no_rate() -> None:
    rates = Rates()
    rates.update([stage("Regex", total=0)], 0)
    assert rates.update([stage("Regex", total=10)], 1) == rates.update([stage("Regex", total=10)], 1) == {WEB: 10}


def test_a_trend_has_a_figure_for_each_second_and_only_the_last_ones() -> None:
    trends = Trends()
    for half_seconds in range(80):
        found = trends.update([stage("Regex", total=half_seconds * half_seconds)], half_seconds / 2)
    assert len(found[WEB]) == TREND_S
    assert list(found[WEB]) == sorted(found[WEB])
    assert found[WEB][-1] == 78**2 - 76**2


def test_seconds_without_a_look_have_the_mean_of_what_passed() -> None:
    trends = Trends()
    trends.update([stage("Regex", total=0)], 0)
    assert trends.update([stage("Regex", total=30)], 3)[WEB] == (10, 10, 10)


def test_the_trend_of_a_stage_that_has_gone_goes() -> None:
    trends = Trends()
    trends.update([stage("Regex")], 0)
    trends.update([stage("Regex")], 1)
    assert trends.update([stage("Null")], 2) == {("web", "Null"): (0,)}


def look_at(*counts: int) -> Look:
    padded = counts + (0,) * (len(BOUNDS_S) + 1 - len(counts))
    return Look((), {WEB: Figures(latency=Spread(padded, 1.0))})


def test_delays_are_those_of_the_last_half_minute() -> None:
    delays = Delays()
    assert delays.update(look_at(0, 5_000), 0) == {}
    assert delays.update(look_at(0, 5_000, 90, 0, 10), 1) == {WEB: Delay(BOUNDS_S[2], BOUNDS_S[4])}
    assert delays.update(look_at(1, 5_000, 90, 0, 10), 40) == {WEB: Delay(BOUNDS_S[0], BOUNDS_S[0])}


def test_what_took_longer_than_all_bounds_took_endlessly() -> None:
    delays = Delays()
    delays.update(look_at(), 0)
    assert delays.update(look_at(*[0] * len(BOUNDS_S), 1), 1)[WEB].half_s == float("inf")


def test_a_histogram_with_other_classes_is_none() -> None:
    assert spread_of([1, 2, 3], 1.0) is None
    assert spread_of([0] * (len(BOUNDS_S) + 1), 0.0) is not None
