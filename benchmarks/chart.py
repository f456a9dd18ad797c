"""Panels of lines over time, one below the other, as SVG."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from swak.bench.drawing import COLORS, line, sheet, step, text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

WIDTH, PANEL, GAP = 960, 190, 60
LEFT, RIGHT, TOP = 76, 14, 66

Point = tuple[float, float | None]
"""Seconds, and a value; None interrupts the line."""


class Series(NamedTuple):
    """One line."""

    name: str
    points: Sequence[Point]


class Panel(NamedTuple):
    """Lines that share an axis."""

    title: str
    unit: str
    series: Sequence[Series]


class Marks(NamedTuple):
    """What happened meanwhile: moments are drawn as dashed lines, spans as bands behind all panels."""

    moments: str
    at_s: Sequence[float]
    spans: str
    between_s: Sequence[tuple[float, float]]


def band(x: float, y: float, width: float, height: float, opacity: str) -> str:
    """Return a filled rectangle."""
    style = f"fill='#e8a33d' opacity='{opacity}'"
    return f"<rect x='{x:.1f}' y='{y:.1f}' width='{width:.1f}' height='{height:.1f}' {style}/>"


class Chart:
    """Everything that the parts of a drawing share: the time axis and the marks."""

    def __init__(self, title: str, panels: Sequence[Panel], marks: Marks, span_s: float) -> None:
        self.title, self.panels, self.marks = title, panels, marks
        self.span_s = max(span_s, 1.0)
        self.per_unit, self.unit = (60.0, "minutes") if span_s > 180 else (1.0, "seconds")
        self.height = TOP + len(panels) * (PANEL + GAP) + 12

    def draw(self) -> str:
        """Return the SVG."""
        parts = [text(LEFT, 22, self.title, size=15), *self._legend()]
        for at, panel in enumerate(self.panels):
            parts += self._panel(panel, TOP + at * (PANEL + GAP))
        return sheet(WIDTH, self.height, parts)

    def _x(self, at_s: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * min(at_s, self.span_s) / self.span_s

    def _legend(self) -> Iterator[str]:
        yield line(LEFT, 38, LEFT + 22, 38, "stroke='#c0392b' stroke-dasharray='3 3'")
        yield text(LEFT + 28, 42, self.marks.moments)
        yield band(LEFT + 230, 31, 22, 13, "0.3")
        yield text(LEFT + 258, 42, self.marks.spans)

    def _panel(self, panel: Panel, top: float) -> Iterator[str]:
        values = [value for series in panel.series for _, value in series.points if value is not None]
        tick = step(max(values, default=1.0) or 1.0)
        most = tick * math.ceil(max([*values, tick]) / tick)
        bottom = top + PANEL
        yield text(LEFT, top - 8, f"{panel.title}, {panel.unit}", size=13)
        for start, stop in self.marks.between_s:
            width = max(1.0, self._x(stop) - self._x(start))
            yield band(self._x(start), top, width, PANEL, "0.18")
        for at_s in self.marks.at_s:
            yield line(
                self._x(at_s), top, self._x(at_s), bottom, "stroke='#c0392b' stroke-dasharray='3 3' opacity='0.6'"
            )
        for count in range(round(most / tick) + 1):
            y = bottom - PANEL * count * tick / most
            yield line(LEFT, y, WIDTH - RIGHT, y, "stroke='#ddd'" if count else "stroke='#333'")
            yield text(LEFT - 8, y + 4, f"{count * tick:,.10g}", anchor="end")
        yield line(LEFT, top, LEFT, bottom, "stroke='#333'")
        yield from self._times(bottom)
        for at, series in enumerate(panel.series):
            color = COLORS[at % len(COLORS)]
            yield from self._series(series, color, lambda value: bottom - PANEL * value / most)
            if len(panel.series) > 1:
                yield text(WIDTH - RIGHT - 100 * (len(panel.series) - at), top - 8, f"― {series.name}", color=color)

    def _times(self, bottom: float) -> Iterator[str]:
        tick_s = self.per_unit * step(2 / 5 * self.span_s / self.per_unit)
        for count in range(int(self.span_s / tick_s) + 1):
            x = self._x(count * tick_s)
            yield line(x, bottom, x, bottom + 4, "stroke='#333'")
            yield text(x, bottom + 17, f"{count * tick_s / self.per_unit:g}", anchor="middle")
        yield text(WIDTH - RIGHT, bottom + 30, f"time, {self.unit}", anchor="end")

    def _series(self, series: Series, color: str, y: Callable[[float], float]) -> Iterator[str]:
        part: list[str] = []
        for at_s, value in [*series.points, (0.0, None)]:
            if value is not None:
                part.append(f"{self._x(at_s):.1f},{y(value):.1f}")
            elif part:
                yield f"<polyline points='{' '.join(part)}' fill='none' stroke='{color}' stroke-width='1.5'/>"
                part = []
