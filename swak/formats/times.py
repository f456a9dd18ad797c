"""Times: text to nanoseconds since 1970 (UTC) and back, with caches by text and by second."""

from __future__ import annotations

import math
import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

NS = 1_000_000_000
"""Nanoseconds in a second."""

CACHED_MAX = 10_000
"""Texts (or seconds) that a cache holds before it starts anew. Log lines come in order: it hits 99 times in 100."""

TEXT_MAX = 100
"""Characters of the longest text that can be a time."""

SECONDS_MAX = 2**63 / NS
"""Seconds that fit as nanoseconds into 64 bits."""

_BEYOND = "it lies beyond the years 1678 to 2262 (numbers count seconds, not milliseconds)"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec"
_CLF = re.compile(r"(\d\d)/([A-Z][a-z]{2})/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)", re.ASCII)
_TWO_DIGITS = {f"{number:02}": number for number in range(60)}
_NUMBER = re.compile(r"(-?\d{1,19})(?:[.,](\d{1,30}))?", re.ASCII)
_LEAP = re.compile(r"(?<=\d\d:\d\d:)60(?![\d:])", re.ASCII)
_FRACTION = re.compile(r"(?<=\d)(:?[0-5]\d:?[0-5]\d)[.,](\d+)", re.ASCII)


def leap_ns(text: str, read_ns: Callable[[str], int]) -> int | None:
    """Read a leap second, `23:59:60` in UTC, as the first second of the next day: so POSIX counts. None: it is none.

    `read_ns` reads times without such a second.
    """
    earlier, found = _LEAP.subn("59", text, 1)
    if found:
        with suppress(ValueError):  # None says the same: there is no such time
            time_ns = read_ns(earlier) + NS
            return time_ns if time_ns // NS % 86_400 == 0 else None
    return None


def clf_ns(text: str) -> int:
    """Read the time of access logs, `21/Nov/2026:01:07:27 +0000`. ValueError when there is no such time."""
    second = _TWO_DIGITS.get(text[18:20])
    minute_ns = None if second is None else _clf_minute_ns(text[:18], text[20:])
    return _clf_ns(text) if second is None or minute_ns is None else minute_ns + second * NS


@lru_cache(maxsize=100)
def _clf_minute_ns(before: str, behind: str) -> int | None:
    """Return when the minute of a time begins, of which the seconds are left out. None where that is no easy one."""
    with suppress(ValueError):
        minute_ns = _clf_ns(f"{before}00{behind}")
        if minute_ns < 2**63 - 60 * NS:
            return minute_ns
    return None


def _clf_ns(text: str) -> int:
    match = _CLF.fullmatch(text)
    if match is None or match[2] not in _MONTHS or match[8] > "23" or match[9] > "59":
        raise _no_such(text)
    month = _MONTHS.index(match[2]) // 4 + 1
    try:
        local = datetime(int(match[3]), month, int(match[1]), int(match[4]), int(match[5]), int(match[6]), tzinfo=UTC)
    except ValueError as error:
        leap = leap_ns(text, clf_ns)
        if leap is not None:
            return leap
        raise _no_such(text, str(error)) from None
    offset_s = int(match[8]) * 3_600 + int(match[9]) * 60
    return _in_range((local - _EPOCH) // _SECOND * NS - (offset_s if match[7] == "+" else -offset_s) * NS, text)


def in_zone(read: datetime, zone: tzinfo | None) -> datetime:
    """Return a time with its own zone, or else with `zone`; None is the machine's own."""
    if read.tzinfo is not None:
        return read
    return read.astimezone() if zone is None else read.replace(tzinfo=zone)


def iso_ns(text: str, zone: tzinfo | None = UTC) -> int:
    """Read ISO 8601 such as `2014-10-31T15:02:10.201+0900`, to the nanosecond. Without a zone it counts as in `zone`.

    Digits alone, `1414767730` or `1414767730.201`, are seconds since 1970. ValueError when there is no such time.
    """
    if len(text) > TEXT_MAX:
        raise _no_such(f"{text[:TEXT_MAX]}...")
    text = text.strip()
    number = _NUMBER.fullmatch(text)
    if number is not None:
        fraction_ns = _fraction_ns(number[2] or "0")
        return _in_range(int(number[1]) * NS + (-fraction_ns if text[0] == "-" else fraction_ns), text)
    fraction = _FRACTION.search(text)
    whole = text if fraction is None else text[: fraction.end(1)] + text[fraction.end() :]
    try:
        whole_us = (in_zone(datetime.fromisoformat(whole), zone) - _EPOCH) // timedelta(microseconds=1)
    except (ValueError, OverflowError, OSError) as error:  # Windows has no zones for some years: OSError
        leap = leap_ns(text, lambda earlier: iso_ns(earlier, zone))
        if leap is not None:
            return leap
        raise _no_such(text, _why(error) if isinstance(error, ValueError) else "") from None
    return _in_range(whole_us * 1_000 + (0 if fraction is None else _fraction_ns(fraction[2])), text)


def epoch_ns(seconds: float) -> int:
    """Turn seconds since 1970 into nanoseconds, a float to the microsecond. ValueError beyond 1678 to 2262."""
    if not abs(seconds) < SECONDS_MAX:
        raise _no_such(seconds, "" if isinstance(seconds, float) and math.isnan(seconds) else _BEYOND)
    if isinstance(seconds, int):
        return seconds * NS
    whole_s, rest_s = divmod(seconds, 1)
    return int(whole_s) * NS + round(rest_s * 1_000_000) * 1_000  # a float of today is good for a microsecond


def any_ns(value: object) -> int:
    """Read a field's value: a number is seconds since 1970, text is ISO 8601. ValueError says what is wrong."""
    if isinstance(value, str):
        return iso_ns(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return epoch_ns(value)
    raise _no_such(value, "a time is text or a number")


def strptime_ns(pattern: str, zone: tzinfo | None = UTC) -> Callable[[str], int]:
    """Make a reader for `datetime.strptime`'s pattern language. Without a zone in the text it counts as in `zone`."""

    def read_ns(text: str) -> int:
        try:
            read = in_zone(datetime.strptime(text, pattern), zone)  # noqa: DTZ007 - in_zone looks at the zone
            return _in_range((read - _EPOCH) // timedelta(microseconds=1) * 1_000, text)
        except (ValueError, OverflowError, OSError) as error:
            raise _no_such(text, f"the format is {pattern}") from error

    return read_ns


class TimeCache(dict[str | None, int]):
    """Nanoseconds by text: `cache[text]` reads a text once. What cannot be read raises ValueError and is not kept.

    `get(text)` is None for what was not read yet, and for None.
    """

    def __init__(self, read_ns: Callable[[str], int]) -> None:
        super().__init__()
        self._read_ns = read_ns

    def __missing__(self, text: str | None) -> int:
        time_ns = self._read_ns(text or "")
        if len(self) >= CACHED_MAX:
            self.clear()
        self[text] = time_ns
        return time_ns


class _Seconds(dict[int, str]):
    """`2014-10-31T15:02:10` by seconds since 1970."""

    def __missing__(self, second: int) -> str:
        try:
            text = (_EPOCH + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%S")
        except OverflowError:
            raise ValueError(f"no calendar has a day {second} seconds after 1970") from None
        text = text.rjust(19, "0")  # some C libraries write the year 800 with three digits
        if len(self) >= CACHED_MAX:
            self.clear()
        self[second] = text
        return text


_SECONDS = _Seconds()


def iso_ms(time_ns: int, zone: str = "Z") -> str:
    """Write UTC with milliseconds, `2014-10-31T15:02:10.201Z`; `zone` may be another word for UTC, as `+0000`."""
    second, rest_ns = divmod(time_ns, NS)
    return f"{_SECONDS[second]}.{rest_ns // 1_000_000:03d}{zone}"


def _fraction_ns(digits: str) -> int:
    return int(digits[:9].ljust(9, "0"))


def _in_range(time_ns: int, given: object) -> int:
    if -(2**63) <= time_ns < 2**63:
        return time_ns
    raise _no_such(given, _BEYOND)


def _why(error: ValueError) -> str:
    text = str(error)
    return "" if text.startswith("Invalid isoformat") else text


def _no_such(given: object, why: str = "") -> ValueError:
    shown = repr(given)
    shown = shown if len(shown) <= TEXT_MAX + 10 else f"{shown[:TEXT_MAX]}..."
    return ValueError(f"there is no time {shown}{': ' if why else ''}{why}")
