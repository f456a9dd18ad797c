"""Moments: values of a field, written in one of several ways, to nanoseconds since 1970."""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from swak.formats.times import NS, TEXT_MAX, TimeCache, clf_ns, iso_ns, strptime_ns
from swak.formats.yearless import YearlessTimes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

UNITS = {"s": 9, "ms": 6, "us": 3, "ns": 0}
"""Units of numbers since 1970, with the zeros that lead to nanoseconds."""

NAMED = ("iso", "clf", *UNITS)

_NUMBER = re.compile(r"-?[0-9]{1,30}(?:\.[0-9]{1,30})?")
_DIRECTIVE = re.compile(r"%(.)", re.DOTALL)
_KNOWN = set("aAwdbBmyYHIMSfzZjpUWuVGcxX%")
_TELL_YEAR = set("YyGcx")
_EXAMPLE = datetime(2026, 11, 21, 13, 14, 15, 123_456, tzinfo=UTC)


def wrong_with(written: str) -> str | None:
    """Return what is wrong with a name or pattern, None when nothing is."""
    if written in NAMED:
        return None
    found = set(_DIRECTIVE.findall(written))
    if not found - {"%"}:
        return f"{written!r} is no pattern and none of {', '.join(NAMED)}"
    if unknown := sorted(found - _KNOWN):
        return f'strptime does not know "%{unknown[0]}"'
    if "Z" in found and "z" not in found:
        return 'strptime reads past the name of a zone: write that itself in the place of "%Z", and give zone='
    if not found & _TELL_YEAR and not ("j" in found or ("d" in found and found & set("mbB"))):
        return f"{written!r} tells no day"
    pattern = _with_year(written)
    try:  # strptime alone knows what it cannot read: a directive that stands there twice, %V without %G, a stray %
        datetime.strptime(_EXAMPLE.strftime(pattern), pattern)  # noqa: DTZ007 - what was read is of no interest
    except (ValueError, re.error) as error:
        return f"strptime cannot read {written!r}: {error}"
    return None


class Moments:
    """Reads values by the first of several names or patterns that fits, and remembers texts."""

    def __init__(self, written: Sequence[str], zone: tzinfo | None = UTC) -> None:
        self._unit = next((UNITS[one] for one in written if one in UNITS), UNITS["s"])
        self._yearless = any(one not in NAMED and not _tells_year(one) for one in written)
        readers = [_reader(one, zone) for one in written]

        def read_ns(text: str, year: int) -> int:
            if len(text) > TEXT_MAX:
                raise ValueError(f"there is no time {text[:TEXT_MAX]!r}...")
            for reader in readers[:-1]:
                try:
                    return reader(text, year)
                except ValueError:
                    continue
            try:
                return readers[-1](text, year)
            except ValueError as error:
                if len(readers) == 1:
                    raise
                raise _no_such(text, f"it fits none of {', '.join(written)}") from error

        self._known_ns = TimeCache(lambda text: read_ns(text, 1970))
        self._by_day = YearlessTimes(read_ns)

    @property
    def day_matters(self) -> bool:
        """Whether the day on which an event was read tells the year of its time."""
        return self._yearless

    def by_text(self, read_at_ns: int) -> TimeCache:
        """Return the times by text for events that were read at that time."""
        return self._by_day.read_at(read_at_ns) if self._yearless else self._known_ns

    def read_ns(self, value: Any, read_at_ns: int) -> int:
        """Return the time that a value of an event read at `read_at_ns` means. ValueError says why it is none."""
        if isinstance(value, str):
            return self.by_text(read_at_ns)[value]
        if isinstance(value, int | float) and not isinstance(value, bool):
            return _scaled(value, self._unit)
        raise _no_such(value, "a time is text or a number")


def _tells_year(pattern: str) -> bool:
    return not _TELL_YEAR.isdisjoint(_DIRECTIVE.findall(pattern))


def _with_year(pattern: str) -> str:
    return pattern if _tells_year(pattern) else f"%Y {pattern}"


def _reader(written: str, zone: tzinfo | None) -> Callable[[str, int], int]:
    if written == "iso":
        return lambda text, _: iso_ns(text, zone)
    if written == "clf":
        return lambda text, _: clf_ns(text)
    if written in UNITS:
        return lambda text, _: _scaled(text.strip(), UNITS[written])
    read_ns = _pattern_ns(_with_year(written), zone)
    if _tells_year(written):
        return lambda text, _: read_ns(text)

    def read_in_year_ns(text: str, year: int) -> int:
        try:
            return read_ns(f"{year} {text}")
        except ValueError as error:
            raise _no_such(text, f"the format is {written}") from error

    return read_in_year_ns


def _pattern_ns(pattern: str, zone: tzinfo | None) -> Callable[[str], int]:
    """Make a reader of strptime's patterns, whose %f reads nine digits behind a point or comma: its own reads six."""
    read_us = strptime_ns(pattern, zone)
    mark = re.search(r"([.,])%f", pattern)
    if mark is None:
        return read_us
    long = re.compile(rf"(.*{re.escape(mark[1])}[0-9]{{6}})([0-9]{{1,3}})(?![0-9])(.*)", re.DOTALL)

    def read_ns(text: str) -> int:
        found = long.fullmatch(text)
        if found is None:
            return read_us(text)
        return _in_range(read_us(found[1] + found[3]) + int(found[2].ljust(3, "0")), text)

    return read_ns


def _scaled(value: float | str, zeros: int) -> int:
    """Turn a number since 1970 into nanoseconds: text and whole numbers exactly, a float of seconds to the microsecond.

    ValueError beyond the years 1678 to 2262.
    """
    if isinstance(value, str):
        text = value
    elif isinstance(value, int):
        text = str(value) if abs(value) < NS**3 else "9" * 30
    else:
        text = f"{value:.{min(zeros, 6)}f}" if abs(value) < NS**3 else "9" * 30
    if _NUMBER.fullmatch(text) is None:
        raise _no_such(value)
    return _in_range(int(Decimal(text).scaleb(zeros)), value)


def _in_range(time_ns: int, given: object) -> int:
    if not -(2**63) <= time_ns < 2**63:
        raise _no_such(given, "it lies beyond the years 1678 to 2262 (is the unit right?)")
    return time_ns


def _no_such(given: object, why: str = "") -> ValueError:
    huge = isinstance(given, int) and given.bit_length() > 200
    shown = f"a number of {given.bit_length()} bits" if huge else repr(given)  # type: ignore[attr-defined]
    shown = shown if len(shown) <= TEXT_MAX + 10 else f"{shown[:TEXT_MAX]}..."
    return ValueError(f"there is no time {shown}{': ' if why else ''}{why}")
