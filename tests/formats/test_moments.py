from __future__ import annotations

import locale
import os
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from swak.formats.moments import UNITS, Moments, wrong_with
from swak.formats.template import zone_of
from tests.records import values

NS = 10**9
AT_NS = 1_795_223_247 * NS
"""2026-11-21T01:07:27Z."""
NEW_YORK, SEOUL = zone_of("America/New_York"), zone_of("Asia/Seoul")


def read_ns(written: str | list[str], value: object, zone: str = "UTC", read_at_ns: int = AT_NS) -> int:
    return Moments([written] if isinstance(written, str) else written, zone_of(zone)).read_ns(value, read_at_ns)


@pytest.mark.parametrize(
    ("unit", "value", "time_ns"),
    [
        ("s", "1414767730", 1_414_767_730 * NS),
        ("s", " 1414767730.123456789 ", 1_414_767_730_123_456_789),
        ("s", 1414767730.25, 1_414_767_730_250_000_000),
        ("s", -1.5, -1_500_000_000),
        ("ms", "1414767730201", 1_414_767_730_201_000_000),
        ("ms", 1_414_767_730_201.5, 1_414_767_730_201_500_000),
        ("us", 1_414_767_730_201_000, 1_414_767_730_201_000_000),
        ("us", "1.5", 1_500),
        ("ns", "1414767730201000001", 1_414_767_730_201_000_001),
        ("ns", 2**63 - 1, 2**63 - 1),
        ("ns", -(2**63), -(2**63)),
        ("ns", "1.9", 1),
    ],
)
def test_numbers_count_since_1970_in_their_unit(unit: str, value: object, time_ns: int) -> None:
    assert read_ns(unit, value) == time_ns


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize(
    "value",
    [
        2**90,
        -(2**90),
        "9" * 30,
        "9" * 90,
        1e300,
        float("nan"),
        float("inf"),
        "1e3",
        "0x5",
        "",
        "5,5",
        "\u0665",
        True,
        [],
    ],
)
def test_what_is_no_number_of_a_possible_time_is_refused(unit: str, value: object) -> None:
    with pytest.raises(ValueError, match="there is no time"):
        read_ns(unit, value)


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1])
def test_a_time_beyond_64_bits_of_nanoseconds_is_refused(value: int) -> None:
    with pytest.raises(ValueError, match=r"beyond the years 1678 to 2262 \(is the unit right\?\)"):
        read_ns("ns", value)


@pytest.mark.parametrize(
    ("digits", "fraction_ns"),
    [(f"{123_456_789:09d}"[:count], int(f"{123_456_789:09d}"[:count].ljust(9, "0"))) for count in range(1, 10)],
)
@pytest.mark.parametrize("mark", [".", ","])
def test_a_fraction_has_one_to_nine_digits(digits: str, fraction_ns: int, mark: str) -> None:
    text = f"2014-10-31 15:02:10{mark}{digits} (x)"
    assert read_ns(f"%Y-%m-%d %H:%M:%S{mark}%f (x)", text) == 1_414_767_730 * NS + fraction_ns


@pytest.mark.parametrize(
    "text", ["31.10.2014 15:02:10.1234567890", "31.10.2014 15:02:10.", "31.10.20141234567 15:02:10.1"]
)
def test_a_fraction_of_no_or_ten_digits_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="there is no time"):
        read_ns("%d.%m.%Y %H:%M:%S.%f", text)


def test_the_last_nanosecond_of_all_is_read_and_the_one_after_it_is_not() -> None:
    pattern = "%Y-%m-%d %H:%M:%S.%f"
    assert read_ns(pattern, "2262-04-11 23:47:16.854775807") == 2**63 - 1
    with pytest.raises(ValueError, match="beyond"):
        read_ns(pattern, "2262-04-11 23:47:16.854775808")


@pytest.mark.parametrize(
    ("zone", "text", "seconds"),
    [
        ("UTC", "2014-10-31 15:02", 1_414_767_720),
        ("Asia/Seoul", "2014-11-01 00:02", 1_414_767_720),
        ("+09:00", "2014-11-01 00:02", 1_414_767_720),
        ("-0330", "2014-10-31 11:32", 1_414_767_720),
        ("America/New_York", "2014-10-31 11:02", 1_414_767_720),
        ("America/New_York", "2014-11-02 01:30", 1_414_906_200),  # shown twice: EDT, the first of the two
        ("America/New_York", "2014-03-09 02:30", 1_394_350_200),  # skipped: EST, as if not set yet
    ],
)
def test_a_time_without_a_zone_is_of_the_given_one(zone: str, text: str, seconds: int) -> None:
    assert read_ns("%Y-%m-%d %H:%M", text, zone) == seconds * NS
    assert read_ns("iso", text, zone) == seconds * NS


def test_a_zone_in_the_text_wins() -> None:
    assert read_ns("%Y-%m-%d %H:%M %z", "2014-10-31 15:02 +0000", "Asia/Seoul") == 1_414_767_720 * NS


@pytest.mark.parametrize(
    ("pattern", "text", "read_at_s", "seconds"),
    [
        ("%b %d %H:%M:%S", "Nov 21 01:07:27", 1_795_223_247, 1_795_223_247),
        ("%b %d %H:%M:%S", "Nov 28 23:59:59", 1_795_223_247, 1_795_910_399),
        ("%b %d %H:%M:%S", "Nov 29 00:00:00", 1_795_223_247, 1_764_374_400),
        ("%b %d %H:%M:%S", "Dec 31 23:59:59", 1_767_225_600, 1_767_225_599),
        ("%b %d %H:%M:%S", "Jan  1 00:00:00", 1_767_225_599, 1_767_225_600),
        ("%b %d %H:%M:%S", "Feb 29 00:00:00", 1_795_223_247, 1_709_164_800),
        ("%j", "060", 1_795_223_247, 1_772_323_200),
        ("%m/%d 100%%Y", "11/21 100%Y", 1_795_223_247, 1_795_219_200),
    ],
)
def test_a_time_without_a_year_is_the_last_that_is_not_too_far_ahead(
    pattern: str, text: str, read_at_s: int, seconds: int
) -> None:
    assert read_ns(pattern, text, read_at_ns=read_at_s * NS) == seconds * NS


def test_a_time_without_a_year_is_named_as_it_was_written() -> None:
    with pytest.raises(ValueError, match=r"^there is no time 'Foo 11': the format is %b %d$"):
        read_ns("%b %d", "Foo 11")


def test_the_first_of_several_that_fits_counts() -> None:
    several = ["clf", "%d.%m.%Y", "ms"]
    assert [read_ns(several, value) for value in ("31/Oct/2014:15:02:10 +0000", "01.01.1970", "5", 5)] == [
        1_414_767_730 * NS,
        0,
        5_000_000,
        5_000_000,
    ]
    with pytest.raises(ValueError, match=r"there is no time 'x': it fits none of clf, %d\.%m\.%Y, ms"):
        read_ns(several, "x")


def test_a_text_is_read_once() -> None:
    moments = Moments(["%Y"])
    moments.read_ns("2014", AT_NS)
    assert dict(moments.by_text(AT_NS)) == {"2014": 1_388_534_400 * NS}


def test_a_long_text_is_no_time() -> None:
    with pytest.raises(ValueError, match=r"there is no time '1{100}'\.\.\."):
        read_ns("s", "1" * 1_000_000)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("", "'' is no pattern and none of iso, clf, s, ms, us, ns"),
        ("seconds", "'seconds' is no pattern"),
        ("100%%", "'100%%' is no pattern"),
        ("%Y-%Q", 'strptime does not know "%Q"'),
        ("%s", 'strptime does not know "%s"'),
        ("%-d %Y", 'strptime does not know "%-"'),
        ("%Y %:z", 'strptime does not know "%:"'),
        ("%Y %", "stray %"),
        ("%Y %Y", "strptime cannot read '%Y %Y': redefinition"),
        ("%Y-W%V", "strptime cannot read"),
        ("%Y-%m-%d %Z", 'in the place of "%Z"'),
        ("%H:%M:%S", "'%H:%M:%S' tells no day"),
        ("%d %H:%M", "tells no day"),
    ],
)
def test_a_pattern_that_cannot_work_is_named(written: str, said: str) -> None:
    assert said in (wrong_with(written) or "")


GOOD = [
    "%d/%b/%Y:%H:%M:%S %z",
    "%b %d %H:%M:%S.%f",
    "%G-W%V-%u",
    "%Y %j",
    "%c",
    "%x %X",
    "%y%m%d%H%M%S",
    "%B %d, %I:%M %p",
]
GOOD += ["%A, %d %B %Y", "%Y %U %w", "한 %Y년 %m월 %d일", "%Y-%m-%d %H:%M:%S UTC", "%Y %z %Z", "%d%%%m", "iso", "ns"]


@pytest.mark.parametrize("written", GOOD)
def test_a_pattern_that_works_is_taken(written: str) -> None:
    assert wrong_with(written) is None


def test_names_of_months_are_english_whatever_the_environment_says() -> None:
    code = "from swak.formats.moments import Moments\nprint(Moments(['%d %B %Y']).read_ns('01 May 1970', 0))"
    german = os.environ | {"LC_ALL": "de_DE.UTF-8", "LANG": "de_DE.UTF-8"}
    made = subprocess.run([sys.executable, "-c", code], env=german, capture_output=True, text=True, check=True)
    assert int(made.stdout) == 120 * 86_400 * NS
    assert locale.setlocale(locale.LC_TIME) == "C"


@given(
    values, some.sampled_from([[one] for one in GOOD] + [["clf", "ms", "%b %d"]]), some.integers(-(2**63), 2**63 - 1)
)
def test_reading_only_ever_raises_value_error(value: Any, written: list[str], read_at_ns: int) -> None:
    for zone in (NEW_YORK, SEOUL, None):
        try:
            assert -(2**63) <= Moments(written, zone).read_ns(value, read_at_ns) < 2**63
        except ValueError as error:
            said = str(error)
        else:
            said = ""
        assert len(said) < 400
