from __future__ import annotations

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from swak.formats.columns import csv_line, ltsv_line, tsv_line, values_of

TEXTS = st.lists(st.text(st.characters(codec="utf-8")), min_size=1, max_size=5)


@given(TEXTS)
def test_what_csv_writes_a_reader_reads(values: list[str]) -> None:
    assert list(csv.reader(io.StringIO(csv_line(values), newline=""), strict=True)) == [values]


@given(TEXTS)
def test_tab_separated_values_stay_one_line(values: list[str]) -> None:
    line = tsv_line(values)
    assert line.count("\n") == 1
    assert line.endswith("\n")
    assert line.count("\t") == len(values) - 1


@given(st.dictionaries(st.text(), st.text(), max_size=5))
def test_labelled_values_stay_one_line_of_labels(record: dict[str, str]) -> None:
    line = ltsv_line("t", 0, record, None)
    assert line.count("\n") == 1
    assert all(":" in pair for pair in line.rstrip("\n").split("\t") if pair)


def test_tabs_and_line_ends_in_values_are_escaped() -> None:
    assert tsv_line(["a\tb", "c\nd", "e\\"]) == "a\\tb\tc\\nd\te\\\\\n"


def test_labels_lose_what_no_label_may_have() -> None:
    assert ltsv_line("t", 0, {"a:b c": 1, "": 2}, None) == "a_b_c:1\t_:2\n"


def test_only_the_fields_asked_for_are_labelled() -> None:
    assert ltsv_line("web", 0, {"a": 1, "b": None}, ["@tag", "b", "a"]) == "@tag:web\ta:1\n"


def test_columns_have_tag_and_time_of_the_event_unless_the_record_has_its_own() -> None:
    fields = ["@timestamp", "@tag", "n", "gone"]
    assert values_of("web", 0, {"n": 1}, fields) == ["1970-01-01T00:00:00.000Z", "web", "1", ""]
    assert values_of("web", 0, {"@tag": "own"}, fields) == ["1970-01-01T00:00:00.000Z", "own", "", ""]


def test_an_empty_only_column_is_no_empty_line() -> None:
    assert csv_line([""]) == '""\n'


def test_a_bare_carriage_return_is_quoted_in_csv() -> None:
    assert csv_line(["\r", "b\r"]) == '"\r","b\r"\n'
