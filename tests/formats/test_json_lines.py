from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as some

from swak.formats.json_lines import NESTING_MAX, read_object, read_objects

VALUES = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats(allow_nan=False, allow_infinity=False) | some.text(),
    lambda inner: some.lists(inner) | some.dictionaries(some.text(), inner),
)


@given(some.dictionaries(some.text(), VALUES))
def test_every_json_object_is_read(record: dict[str, object]) -> None:
    assert read_object(json.dumps(record, ensure_ascii=False)) == record


@given(some.text())
def test_any_other_text_raises_value_error_and_nothing_else(text: str) -> None:
    try:
        outcome: object = read_object(text)
    except ValueError as error:
        outcome = {"said": str(error)}
    assert isinstance(outcome, dict)
    assert outcome.get("said") != ""


def test_lines_are_read_in_one_sweep() -> None:
    assert read_objects([b'{"a":1}', b'{"b":2}\r']) == [{"a": 1}, {"b": 2}]


@pytest.mark.parametrize("bad", [b"", b"[]", b"{", b'{"a":1}{"b":2}', b'{"a":"\xff"}', b'{"a":1}' + b" " * 2_000])
def test_a_line_that_needs_a_closer_look_stops_the_sweep(bad: bytes) -> None:
    assert read_objects([b'{"a":1}', bad]) is None


def test_no_line_is_no_sweep() -> None:
    assert read_objects([]) is None


@pytest.mark.parametrize(("levels", "fits"), [(NESTING_MAX, True), (NESTING_MAX + 1, False)])
def test_nesting_has_a_limit(levels: int, fits: bool) -> None:
    line = '{"a":' * levels + "1" + "}" * levels
    if fits:
        assert read_object(line)
    else:
        with pytest.raises(ValueError, match="nested deeper"):
            read_object(line)
