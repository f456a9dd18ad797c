from __future__ import annotations

import json
import typing

import msgpack  # type: ignore[import-untyped]  # it has no types
import msgspec
import pytest

from swak.event import Batch, Rows
from swak.formats.registry import Format, FormatName, LineFormat, Shape
from swak.testing import batch_of, block_of, event, promise

NAMES = typing.get_args(FormatName)
COLUMNS = {"csv", "tsv"}


class Row(msgspec.Struct, gc=False):
    n: int
    message: str = "m"


def made(name: str, **options: typing.Any) -> Format:
    if name in COLUMNS:
        options.setdefault("fields", ["n", "message"])
    return Shape(name, host="box", **options).made()


def batches() -> list[Batch]:
    return [
        block_of("a b", "한글", "", b"\xff\xfe", at_s=5),
        batch_of([event({"message": "x\ny", "n": 1}, tag="a", at_s=1), event({"n": [1], "\ud800": "\ud800"}, tag="b")]),
        Batch(Rows([Row(1), Row(2, "z")], [0, 1]), "web", promise()),
        batch_of([]),
    ]


@pytest.mark.parametrize("name", NAMES)
def test_every_format_has_a_piece_for_each_event_that_together_are_the_whole(name: str) -> None:
    form = made(name)
    for batch in batches():
        pieces = form.pieces(batch)
        assert len(pieces) == batch.count
        whole = form.encode(batch)
        assert whole == (b"[" + b",".join(pieces) + b"]" if form.framed == "whole" else b"".join(pieces))


@pytest.mark.parametrize("name", [name for name in NAMES if name not in {"json_array", "msgpack"}])
def test_lines_end_in_a_line_feed(name: str) -> None:
    form = made(name)
    assert form.framed == "lines"
    assert all(piece.endswith(b"\n") for batch in batches() for piece in form.pieces(batch))


def test_the_formats_that_can_be_added_to_are_all_but_the_array() -> None:
    assert set(NAMES) - set(typing.get_args(LineFormat)) == {"json_array"}


def test_an_array_is_one_json_text() -> None:
    assert json.loads(made("json_array").encode(block_of("a", "b"))) == [{"message": "a"}, {"message": "b"}]
    assert made("json_array").encode(batch_of([])) == b"[]"


def test_msgpack_is_one_map_after_the_other() -> None:
    data = made("msgpack").encode(batch_of([event({"a": b"\xff"}), event({"b": None})]))
    unpacker = msgpack.Unpacker()
    unpacker.feed(data)
    assert list(unpacker) == [{"a": b"\xff"}, {"b": None}]


def test_csv_begins_with_the_names_of_its_columns() -> None:
    form = made("csv", fields=["n", "a,b"])
    assert form.head == b'n,"a,b"\n'
    assert form.encode(batch_of([event({"n": 1, "a,b": 'say "hi"'})])) == b'1,"say ""hi"""\n'


def test_ltsv_labels_every_field() -> None:
    assert made("ltsv").encode(batch_of([event({"a": 1, "b": "x"})])) == b"a:1\tb:x\n"


def test_a_line_follows_its_template() -> None:
    form = made("line", template="{time:%H:%M}\t{tag}\t{record}", zone="Asia/Seoul")
    assert form.encode(batch_of([event({"a": 1}, tag="web", at_s=60)])) == b'09:01\tweb\t{"a":1}\n'


def test_a_line_stays_one_line() -> None:
    assert made("line", template="{a}").encode(batch_of([event({"a": "x\r\ny"})])) == b"x\\r\\ny\n"


def test_for_a_terminal_control_characters_are_escaped() -> None:
    form = made("line", template="{a}", terminal=True)
    assert form.encode(batch_of([event({"a": "\x1b[2J"})])) == b"\\x1b[2J\n"


def test_without_a_template_a_line_shows_time_host_and_message() -> None:
    assert made("line").encode(block_of("hi")) == b"1970-01-01T00:00:00.000+0000 box hi\n"


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"raw", "line"}))
def test_what_no_format_can_carry_raises(name: str) -> None:
    with pytest.raises(TypeError):
        made(name).encode(batch_of([event({"n": object()})]))


@pytest.mark.parametrize(
    ("shape", "what"),
    [
        (Shape("csv"), 'format="csv" without fields'),
        (Shape("json", ["a"]), 'format="json" has no columns'),
        (Shape("json", template="{a}"), 'format="json" has no template'),
        (Shape("line", template="{a"), "template: "),
        (Shape("line", zone="Mars"), "there is no time zone"),
    ],
)
def test_options_that_do_not_fit_are_named(shape: Shape, what: str) -> None:
    assert any(text.startswith(what) for text, _ in shape.problems())


def test_options_that_fit_are_no_problem() -> None:
    assert Shape("csv", ["a"]).problems() == Shape("line", template="{a}", zone="local").problems() == []
