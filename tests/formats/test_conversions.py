from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given

from swak.formats import conversions
from swak.formats.conversions import CONVERSIONS, TEXT_MAX, Conversion
from tests.records import values

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("kind", "value", "made"),
    [
        ("int", "5", 5),
        ("int", " -07 ", -7),
        ("int", "+5", 5),
        ("int", "9" * 4_300, int("9" * 4_300)),
        ("int", 5.0, 5),
        ("int", True, 1),
        ("float", "5", 5.0),
        ("float", "-.5", -0.5),
        ("float", "1e3", 1000.0),
        ("float", 2**70, 2.0**70),
        ("bool", "TRUE", True),
        ("bool", " off ", False),
        ("bool", "1", True),
        ("bool", 0, False),
        ("bool", 1.0, True),
        ("str", 5, "5"),
        ("str", True, "true"),
        ("str", [1, "a"], '[1,"a"]'),
        ("str", b"a", "a"),
        ("str", "", ""),
    ],
)
def test_values_become_another_type(kind: str, value: object, made: object) -> None:
    converted = Conversion(kind, []).value(value)
    assert (converted, type(converted)) == (made, type(made))


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        ("int", "", "'' is no whole number"),
        ("int", "5.0", "'5.0' is no whole number"),
        ("int", "5_0", "'5_0' is no whole number"),
        ("int", "\u0665", "'\u0665' is no whole number"),
        ("int", "0x5", "is no whole number"),
        ("int", "9" * 4_301, "9... is no whole number"),
        ("int", 5.5, "5.5 is no whole number"),
        ("int", NAN, "nan is no whole number"),
        ("int", INF, "inf is no whole number"),
        ("int", [5], "[5] is no whole number"),
        ("float", "nan", "'nan' is no number"),
        ("float", "inf", "'inf' is no number"),
        ("float", "1e999", "'1e999' is no number"),
        ("float", NAN, "nan is no number"),
        ("float", b"5", "b'5' is no number"),
        ("bool", "maybe", "'maybe' is no truth value"),
        ("bool", 2, "2 is no truth value"),
        ("bool", NAN, "nan is no truth value"),
        ("str", {(1, 2): 3}, "Only dicts with"),
    ],
)
def test_what_cannot_be_converted_is_named(kind: str, value: object, said: str) -> None:
    with pytest.raises(ValueError, match=r"\S") as caught:
        Conversion(kind, []).value(value)
    assert said in str(caught.value)


def test_a_number_beyond_every_float_is_named_by_its_length() -> None:
    with pytest.raises(ValueError, match="a number of 16610 bits is no number"):
        Conversion("float", []).value(10**5_000)


@pytest.mark.parametrize("kind", CONVERSIONS)
def test_nulls_and_none_become_none(kind: str) -> None:
    conversion = Conversion(kind, ["-"])
    assert [conversion.value("-"), conversion.value(None)] == [None, None]


def test_what_was_made_of_a_text_is_remembered_and_what_failed_is_not() -> None:
    conversion = Conversion("int", [])
    assert conversion.value("5") == conversion["5"] == 5
    with pytest.raises(ValueError, match="no whole number"):
        conversion.value("x")
    assert conversion == {"5": 5}


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversions, "CACHED_MAX", 3)
    conversion = Conversion("int", [])
    assert [conversion.value(str(number)) for number in range(10)] == list(range(10))
    assert len(conversion) <= 3
    assert conversion.value("1" * (TEXT_MAX + 1)) == int("1" * (TEXT_MAX + 1))
    assert "1" * (TEXT_MAX + 1) not in conversion


@pytest.mark.parametrize("kind", CONVERSIONS)
@given(value=values)
def test_converting_only_ever_raises_value_error(kind: str, value: Any) -> None:
    try:
        made, said = Conversion(kind, []).value(value), ""
    except ValueError as error:
        made, said = None, str(error)
    assert made is None or type(made).__name__ == kind
    assert not isinstance(made, float) or math.isfinite(made)
    assert len(said) < 200
