"""JSON lines that are handed on instead of records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from swak import out
from swak.event import DICT_BYTES, EVENTS_MAX, Batch, Block, Dicts, Rows
from swak.formats.encoded import encoded, encoded_parts
from swak.formats.found import Found
from swak.formats.json_text import JsonText
from swak.formats.rows import row_type
from swak.picking import Picker
from swak.testing import promise

if TYPE_CHECKING:
    from swak.event import Body

FIELDS = ("status", "c-ip", "path")
KIND = row_type("Row", FIELDS)
FILTERS: list[Any] = [
    lambda: out.Drop("status == 404"),
    lambda: out.Drop('status >= 500 and path != "/"'),
    lambda: out.Drop({"host": ["web"]}),
    lambda: out.Drop("outer.inner"),
    lambda: out.Grep({"path": "a"}, exclude={"c-ip": "^:"}),
    lambda: out.Reform({"host": "web"}),
    lambda: out.Reform({"host": "}\n{", "odd name": None}, tag="other"),
    lambda: out.Reform(tag="third"),
    lambda: out.Reform({"status": 0}),
]
VALUES = st.sampled_from(["404", "500", "200", "", "/", "/a", '}\n"\\', "::1", "ä", None, 404])


def row_body(*rows: tuple[Any, ...]) -> Found:
    return Found(KIND, list(rows), list(range(len(rows))))


def passed(plugins: list[Any], body: Body, *, ahead: bool) -> list[tuple[bytes, list[str], list[int]]]:
    """Run a body through filters; return what is written of it in the end."""
    columns = sorted({name for plugin in plugins for name in plugin.json_columns() or ()})
    rule = plugins[0].rule() if plugins and isinstance(plugins[0], Picker) else None
    parts: list[tuple[Body, str | list[str]]] = [(encoded(body, columns, rule) if ahead else body, "tag")]
    for plugin in plugins:
        plugin.open()
        batches = [Batch(part, tags, promise(part.count)) for part, tags in parts]
        parts = [part for batch in batches for part in plugin.process_batch(batch).parts]
    written = []
    for one, tags in encoded_parts(parts):
        assert isinstance(one, JsonText)
        written.append((one.data, [tags] if isinstance(tags, str) else tags, list(one.times())))
    return written


@given(st.lists(st.tuples(VALUES, VALUES, VALUES), min_size=1), st.lists(st.sampled_from(FILTERS), max_size=4))
@example([("404", "::1", "/")], [FILTERS[2], FILTERS[5], FILTERS[2]])  # the same rule says something else then
def test_filters_make_the_same_of_lines_with_columns_as_of_rows(rows: list[Any], made: list[Any]) -> None:
    of_rows = passed([one() for one in made], row_body(*rows), ahead=False)
    assert passed([one() for one in made], row_body(*rows), ahead=True) == of_rows


def test_nobody_reads_lines_that_have_the_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(_: JsonText) -> list[Any]:
        raise AssertionError("read")

    monkeypatch.setattr(JsonText, "_decoded", never)
    plugins = [out.Drop("status == 404"), out.Reform({"host": "web"}), out.Grep({"host": "w"}, exclude={"no": "x"})]
    ((data, _, times),) = passed(plugins, row_body(("404", "", ""), ("200", "::1", "/")), ahead=True)
    assert (data, times) == (b'{"status":"200","c-ip":"::1","path":"/","host":"web"}\n', [1])


def test_many_lines_stay_one_body() -> None:
    many = row_body(*[("200", "", str(number)) for number in range(2 * EVENTS_MAX)])
    assert len(passed([out.Drop("path == 7"), out.Drop("path < 0")], many, ahead=True)) == 1


def test_filters_that_change_what_is_there_want_records() -> None:
    wanting: list[Any] = [out.Reform(rename={"a": "b"}), out.Reform(keep=["a"]), out.Reform(delete=["a"])]
    wanting += [out.Reform({"a": "${b}"}), out.Reform(tag="${a}"), out.Reform({"a": ["x"]}), out.Nginx()]
    assert [one.json_columns() for one in wanting] == [None] * len(wanting)


def test_lines_that_were_read_already_are_not_read_again() -> None:
    body = JsonText(b'{"a":1}\n{"a":2}\n{"a":3}\n', [1, 2, 3])
    first = body.shared
    chosen = body.chosen([True, False, True], [1, 3])
    assert (chosen.data, chosen.shared) == (b'{"a":1}\n{"a":3}\n', [first[0], first[2]])
    assert chosen.shared[0] is first[0]


def test_records_and_rows_are_encoded_with_their_times_and_a_size_without_dicts() -> None:
    row = row_type("Row", ("c-ip", "note"))
    for body in (Rows([row("::1", None)], [7]), Dicts([{"c-ip": "::1", "note": None}], [7])):
        text = encoded(body)
        assert isinstance(text, JsonText)
        assert (text.data, list(text.times())) == (b'{"c-ip":"::1","note":null}\n', [7])
        assert len(text.data) < text.size_bytes < DICT_BYTES


def test_lines_and_texts_are_encoded_already() -> None:
    for body in (Block(b"a\n", 0), JsonText(b'{"n": 1}\n', [1])):
        assert encoded(body) is body


@pytest.mark.parametrize("value", [object(), {object(): 1}, 1j])
def test_what_json_cannot_carry_stays_as_it_is(value: object) -> None:
    body = Dicts([{"a": 1}, {"a": value}], [1, 2])
    assert encoded(body) is body


def test_half_a_surrogate_pair_is_replaced_as_in_every_output() -> None:
    text = encoded(Dicts([{"a": "\ud800"}], [1]))
    assert isinstance(text, JsonText)
    assert text.data == '{"a":"\ufffd"}\n'.encode()


def test_neighbours_of_one_tag_are_encoded_to_one_body() -> None:
    def part(number: int) -> Dicts:
        return Dicts([{"n": number}], [number])

    lines, odd = Block(b"a\n", 0), Dicts([{"n": object()}], [7])
    made = encoded_parts(
        [(part(1), "a"), (part(2), "a"), (part(3), "b"), (lines, "b"), (part(4), ["b"]), (part(5), ["b"]), (odd, "b")]
    )
    joined = made[0][0]
    assert isinstance(joined, JsonText)
    assert (joined.data, list(joined.times())) == (b'{"n":1}\n{"n":2}\n', [1, 2])
    counts = [(body.count, tags) for body, tags in made]
    assert counts == [(2, "a"), (1, "b"), (1, "b"), (1, ["b"]), (1, ["b"]), (1, "b")]
    assert (made[2][0], made[5][0]) == (lines, odd)


def test_nothing_is_encoded_to_nothing() -> None:
    assert encoded_parts([]) == []


def test_columns_are_joined_where_all_have_the_same() -> None:
    def part(number: int) -> Rows:
        return row_body((number, "", ""))

    ((joined, _),) = encoded_parts([(part(1), "a"), (part(2), "a")], ["status", "missing"])
    assert isinstance(joined, JsonText)
    assert (joined.fields, joined.columns) == (FIELDS, {"status": [1, 2], "missing": [None, None]})
    ((mixed, _),) = encoded_parts([(part(1), "a"), (Dicts([{"status": 2}], [2]), "a")], ["status"])
    assert isinstance(mixed, JsonText)
    assert (mixed.fields, mixed.column("status"), mixed.shared[1]) == ((), None, {"status": 2})


def test_equal_texts_beside_lines_are_one_object() -> None:
    texts = [str(404) for _ in range(10)]
    assert len({id(text) for text in texts}) == 10
    body = encoded(row_body(*[(text, f"{number}", None) for number, text in enumerate(texts)]), FIELDS)
    assert isinstance(body, JsonText)
    assert len({id(text) for text in body.columns["status"]}) == 1
    assert body.columns["c-ip"] == [f"{number}" for number in range(10)]
    assert body.columns["path"] == [None] * 10
