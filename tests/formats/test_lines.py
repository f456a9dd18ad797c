from __future__ import annotations

import msgspec
import pytest

from swak.event import Block, Dicts, Record, Rows
from swak.formats.lines import json_lines, raw_lines


class Row(msgspec.Struct, gc=False):
    n: int
    message: str = "m"


def test_rows_become_json_lines() -> None:
    assert json_lines(Rows([Row(1), Row(2)], [0, 0])) == b'{"n":1,"message":"m"}\n{"n":2,"message":"m"}\n'


def test_dicts_become_json_lines() -> None:
    assert json_lines(Dicts([{"a": "한글\n"}, {}], [0, 0])) == '{"a":"한글\\n"}\n{}\n'.encode()


def test_lines_become_messages() -> None:
    assert json_lines(Block(b"a\r\nb\n", 0)) == b'{"message":"a"}\n{"message":"b"}\n'


def test_no_events_are_no_lines() -> None:
    assert json_lines(Dicts([], [])) == b""


def test_lone_surrogates_become_replacement_characters() -> None:
    assert json_lines(Dicts([{"ok": 1}, {"k\udce9": ["\ud83d\ude00", "\ud800"]}], [0, 0])).decode().splitlines() == [
        '{"ok":1}',
        '{"k\ufffd":["😀","\ufffd"]}',
    ]


def test_surrogates_in_rows_do_not_stop_them() -> None:
    assert json_lines(Rows([Row(1, "\udce9")], [0])).decode() == '{"n":1,"message":"\ufffd"}\n'


@pytest.mark.parametrize("record", [{"a": object()}, {None: 1}, {(1, 2): 1}])
def test_what_json_cannot_carry_is_a_type_error(record: Record) -> None:
    with pytest.raises(TypeError):
        json_lines(Dicts([{"ok": 1}, record], [0, 0]))


def test_raw_lines_stay_as_they_were_read() -> None:
    assert raw_lines(Block(b"a\r\n\xe9\n", 0)) == b"a\r\n\xe9\n"


def test_a_block_without_its_last_line_end_gets_one() -> None:
    assert raw_lines(Block(b"a", 0)) == b"a\n"


def test_raw_records_show_their_message_or_else_json() -> None:
    records: list[Record] = [
        {"message": "hi"},
        {"a": 1},
        {"message": 7},
        {"message": b"\xff"},
        {"message": "caf\udce9"},
    ]
    assert raw_lines(Dicts(records, [0] * 5)) == b'hi\n{"a":1}\n{"message":7}\n\xff\ncaf\xe9\n'
