"""Prometheus' text format, version 0.0.4."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from swak.log import plain
from swak.metrics.catalogue import ALL, BY_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

LABEL_CHARS = 1_000
"""A label's value is cut there: reasons and names come from exceptions and file systems."""

Labels = tuple[tuple[str, str], ...]


class Samples:
    """Values by metric and labels. Two of the same labels are added up, so that no series stands there twice."""

    def __init__(self) -> None:
        self._found: dict[str, dict[Labels, float]] = {}

    def add(self, name: str, value: float, **labels: str) -> None:
        """Note a value. The metric stands in the catalogue."""
        self._add(name, value, tuple(labels.items()))

    def add_spread(
        self, name: str, counts: Sequence[int], bounds: Sequence[float], total: float, **labels: str
    ) -> None:
        """Note a histogram: by class, how many were in it. There is one class more than there are bounds."""
        own = tuple(labels.items())
        below = 0
        for count, bound in zip(counts, (*bounds, math.inf), strict=True):
            below += count
            self._add(name, below, (*own, ("le", number(bound))), "_bucket")
        self._add(name, total, own, "_sum")
        self._add(name, below, own, "_count")

    def _add(self, name: str, value: float, labels: Labels, part: str = "") -> None:
        assert name in BY_NAME, f"{name} is not in the catalogue"
        series = self._found.setdefault(name + part, {})
        series[labels] = series.get(labels, 0) + value

    def value(self, name: str, **labels: str) -> float:
        """Return one value. KeyError: there is none."""
        return self._found[name][tuple(labels.items())]

    def text(self) -> str:
        """Return all of it as Prometheus reads it, in the order of the catalogue."""
        return "".join(self._lines())

    def _lines(self) -> Iterator[str]:
        for metric in ALL:
            parts = ("_bucket", "_sum", "_count") if metric.kind == "histogram" else ("",)
            if metric.name + parts[0] not in self._found:
                continue
            yield f"# HELP {metric.name} {metric.doc}\n# TYPE {metric.name} {metric.kind}\n"
            for part in parts:
                for labels, value in self._found[metric.name + part].items():
                    yield f"{metric.name}{part}{_in_braces(labels)} {number(value)}\n"


def number(value: float) -> str:
    """Return a number as the format has it."""
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(value) if isinstance(value, int) else f"{value:.15g}"  # a NaN is "nan", which Go reads, too


def _in_braces(labels: Labels) -> str:
    return "{" + ",".join(f'{name}="{escaped(value)}"' for name, value in labels) + "}" if labels else ""


def escaped(value: str) -> str:
    """Return a label's value as it stands between quotes: of bounded length, without any control character."""
    shown = plain(value[:LABEL_CHARS])
    return shown.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
