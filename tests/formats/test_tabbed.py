from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from swak.formats.columns import tsv_line
from swak.formats.tabbed import unescaped


@pytest.mark.parametrize(
    ("value", "meant"), [(r"a\tb\nc\rd", "a\tb\nc\rd"), (r"\\t", r"\t"), (r"\N \x", r"\N \x"), ("\\", "\\")]
)
def test_a_backslash_spells_tabs_line_ends_and_itself(value: str, meant: str) -> None:
    assert unescaped(value) == meant


@given(some.text())
def test_what_was_written_with_backslashes_comes_back(value: str) -> None:
    assert unescaped(tsv_line([value]).removesuffix("\n")) == value
