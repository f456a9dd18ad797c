"""Moments: values of a field, written in one of several ways, to nanoseconds since 1970."""

from __future__ import annotations

import re
from datetime import UTC, tzinfo
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
_YEAR = re.compile(r"%[YyGcxs]")
_DIRECTIVE = re.compile(r"%(.)", re.DOTALL)
_KNOWN = "aAwdbBmyYHIMSfzZjpUWuVGcxX%"


def wrong_with(written: str) -> str | None:
    """Return what is wrong with a name or pattern, None when nothing is."""
    if written in NAMED:
        return None
    if "%" not in written:
        return f"{written!r} is no pattern and none of {', '.join(NAMED)}"
    unknown = [found for found in _DIRECTIVE.findall(written.replace("%:z", "%z")) if found not in _KNOWN]
    return f'strptime does not know "%{unknown[0]}"' if unknown else None


class Moments:
    """Reads values by the first of several names or patterns that fits, and remembers texts."""

    def __init__(self, written: Sequence[str], zone: tzinfo | None = UTC) -> None:
        self._unit = next((UNITS[one] for one in written if one in UNITS), 9)
        self._yearless = any(one not in NAMED and not _YEAR.search(one) for one in written)
        readers = [_reader(one, zone) for one in written]

        def read_ns(text: str, year: int) -> int:
            wrong = ValueError(f"there is no time {text[:TEXT_MAX]!r}...")
            for reader in readers if len(text) <= TEXT_MAX else ():
                try:
                    return reader(text, year)
                except ValueError as error:
                    wrong = error
            raise wrong

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
        raise ValueError(f"there is no time {value!r:.100}: a time is text or a number")


def _reader(written: str, zone: tzinfo | None) -> Callable[[str, int], int]:
    if written == "iso":
        return lambda text, _: iso_ns(text, zone)
    if written == "clf":
        return lambda text, _: clf_ns(text)
    if written in UNITS:
        return lambda text, _: _scaled(text.strip(), UNITS[written])
    if _YEAR.search(written):
        read_ns = strptime_ns(written, zone)
        return lambda text, _: read_ns(text)
    with_year = strptime_ns(f"%Y {written}", zone)
    return lambda text, year: with_year(f"{year} {text}")


def _scaled(value: float | str, zeros: int) -> int:
    """Turn a number since 1970 into nanoseconds: text and whole numbers exactly, a float of seconds to the microsecond.

    ValueError beyond the years 1678 to 2262.
    """
    if isinstance(value, float):
        text = f"{value:.{min(zeros, 6)}f}" if abs(value) < 1e19 else repr(value)
    else:
        text = str(value) if isinstance(value, str) or abs(value) < NS**3 else "beyond"
    if _NUMBER.fullmatch(text) is None:
        raise ValueError(f"there is no time {value!r:.100}")
    time_ns = int(Decimal(text).scaleb(zeros))
    if not -(2**63) <= time_ns < 2**63:
        raise ValueError(f"there is no time {value!r:.100}: it lies beyond the years 1678 to 2262")
    return time_ns
