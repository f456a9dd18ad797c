from __future__ import annotations

from typing import Any

import pytest

from swak.formats.rubydebug import inspect, rubydebug


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "nil"),
        (True, "true"),
        (7, "7"),
        (10**20, "100000000000000000000"),
        (1.5, "1.5"),
        (1e20, "1.0e+20"),
        (1.25e-7, "1.25e-07"),
        (float("nan"), "NaN"),
        (float("-inf"), "-Infinity"),
        (b"\xff", '"\\xFF"'),
        ({}, "{}"),
        ([], "[]"),
        ("x", '"x"'),
    ],
)
def test_a_value_is_shown_as_ruby_shows_it(value: Any, shown: str) -> None:
    assert rubydebug(value) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('say "hi"', '"say \\"hi\\""'),
        ("a\\b", '"a\\\\b"'),
        ("\r\n\t\x1b\x00\x7f", '"\\r\\n\\t\\e\\u0000\\u007F"'),
        ("#{a} #$b #@c # d #", '"\\#{a} \\#$b \\#@c # d #"'),
        ("한글 é\u00a0", '"한글 é\u00a0"'),
        ("\U000e0001", '"\\u{E0001}"'),
        ("caf\udce9\ud800", '"caf\\xE9\\uD800"'),
    ],
)
def test_text_is_quoted_as_ruby_quotes_it(text: str, shown: str) -> None:
    assert inspect(text) == shown


def test_keys_are_right_aligned_and_nesting_indents() -> None:
    value = {"a": 1, "long": {"b": [1, {"c": None}], "de": {}}}
    assert rubydebug(value).splitlines() == [
        "{",
        '       "a" => 1,',
        '    "long" => {',
        '         "b" => [',
        "            [0] 1,",
        "            [1] {",
        '                "c" => nil',
        "            }",
        "        ],",
        '        "de" => {}',
        "    }",
        "}",
    ]


def test_numbers_of_a_long_array_are_aligned() -> None:
    lines = rubydebug(list(range(11))).splitlines()
    assert (lines[1], lines[11]) == ("    [ 0] 0,", "    [10] 10")
