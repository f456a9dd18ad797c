"""Events a second, over the last moment and over the last half minute; and how long delivering took."""

from __future__ import annotations

from collections import deque
from itertools import accumulate
from typing import TYPE_CHECKING

from swak.latency import BOUNDS_S, Spread
from swak.view.model import TREND_S, Delay, Key, key, passed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from swak.stats import StageView
    from swak.view.model import Look


class Rates:
    """Events a second of each stage over the last `window_s`."""

    def __init__(self, window_s: float = 2.0) -> None:
        self._window_s = window_s
        self._past: deque[tuple[float, dict[Key, int]]] = deque()

    def update(self, views: Iterable[StageView], now_s: float) -> dict[Key, float]:
        """Note the figures of this moment and return the rates. A stage that is new has none yet."""
        totals = {key(view): passed(view) for view in views}
        while len(self._past) > 1 and now_s - self._past[1][0] >= self._window_s:
            self._past.popleft()
        then_s, before = self._past[0] if self._past else (now_s, totals)
        if not self._past or now_s > self._past[-1][0]:
            self._past.append((now_s, totals))
        span_s = now_s - then_s
        if span_s <= 0:
            return dict.fromkeys(totals, 0.0)
        return {stage: max(0, total - before.get(stage, total)) / span_s for stage, total in totals.items()}


class Trends:
    """The rates of each stage in the last `TREND_S` seconds, one figure for each second."""

    def __init__(self) -> None:
        self._rates: dict[Key, deque[float]] = {}
        self._totals: dict[Key, int] = {}
        self._noted_s: float | None = None

    def update(self, views: Iterable[StageView], now_s: float) -> dict[Key, tuple[float, ...]]:
        """Note the figures of this moment, when a second has passed, and return what is known."""
        if self._noted_s is None or now_s - self._noted_s >= 0.99:
            totals = {key(view): passed(view) for view in views}
            if self._noted_s is not None:
                self._note(totals, now_s - self._noted_s)
            self._totals, self._noted_s = totals, now_s
        return {stage: tuple(found) for stage, found in self._rates.items()}

    def _note(self, totals: dict[Key, int], span_s: float) -> None:
        seconds = min(TREND_S, max(1, round(span_s)))
        for stage, total in totals.items():
            rate = max(0, total - self._totals.get(stage, total)) / span_s
            self._rates.setdefault(stage, deque(maxlen=TREND_S)).extend([rate] * seconds)
        for gone in self._rates.keys() - totals.keys():
            del self._rates[gone]


class Delays:
    """How long delivering took in the last `TREND_S` seconds."""

    def __init__(self) -> None:
        self._past: deque[tuple[float, dict[Key, tuple[int, ...]]]] = deque()

    def update(self, look: Look, now_s: float) -> dict[Key, Delay]:
        """Note the histograms of this moment and return what they tell."""
        counts = {stage: one.latency.counts for stage, one in look.figures.items() if one.latency is not None}
        if not self._past or now_s - self._past[-1][0] >= 0.99:
            self._past.append((now_s, counts))
        while len(self._past) > 1 and now_s - self._past[1][0] >= TREND_S:
            self._past.popleft()
        before = self._past[0][1]
        found = {}
        for stage, now in counts.items():
            then = before.get(stage, now)
            lately = [max(0, new - old) for new, old in zip(now, then, strict=True)]
            if any(lately):
                found[stage] = Delay(_within_s(lately, 0.5), _within_s(lately, 0.95))
        return found


def _within_s(counts: list[int], share: float) -> float:
    """Return the bound that this share of what was counted does not exceed; infinite in the last class."""
    wanted = share * sum(counts)
    at = next(index for index, total in enumerate(accumulate(counts)) if total >= wanted)
    return BOUNDS_S[at] if at < len(BOUNDS_S) else float("inf")


def spread_of(counts: Iterable[int], sum_s: float) -> Spread | None:
    """Return a histogram that another process has told; None where its classes are not ours."""
    told = tuple(counts)
    return Spread(told, sum_s) if len(told) == len(BOUNDS_S) + 1 else None
