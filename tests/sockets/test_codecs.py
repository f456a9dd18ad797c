from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swak.event import EVENTS_MAX, Block, Body
from swak.formats.json_text import JsonText
from swak.formats.lines import json_lines
from swak.sockets.codecs import FAILURE, Codec, read_json, read_json_lines

NOW_NS = 10**18
NOW = NOW_NS


def codec(name: Any, **options: Any) -> Codec:
    return Codec(name, **({"host_field": "host", "time_field": "@timestamp"} | options))


def records(bodies: list[Body]) -> list[dict[str, Any]]:
    return [record for body in bodies for record in body.records()]


def test_lines_have_the_senders_address() -> None:
    bodies = codec("line").lines([(b"a\nb\n", "1.2.3.4"), (b"c\n", "::1")], NOW)
    assert records(bodies) == [
        {"message": "a", "host": "1.2.3.4"},
        {"message": "b", "host": "1.2.3.4"},
        {"message": "c", "host": "::1"},
    ]
    assert len(bodies) == 1


def test_without_a_field_for_the_address_lines_pass_untouched() -> None:
    (body,) = codec("line", host_field=None).lines([(b"a\xff\n", "x"), (b"b\n", "y")], NOW)
    assert isinstance(body, Block)
    assert body.data == b"a\xff\nb\n"


def test_json_fields_become_the_records() -> None:
    made = codec("json").lines([(b'{"message":"hi","host":"own"}\n{"n":1}\n', "1.2.3.4")], NOW)
    assert records(made) == [{"message": "hi", "host": "own"}, {"n": 1, "host": "1.2.3.4"}]


def test_the_inner_time_wins() -> None:
    line = b'{"@timestamp":"2014-10-31T15:02:10.201Z"}\n{"@timestamp":1414767730}\n{"@timestamp":"never"}\n{}\n'
    (body,) = codec("json").lines([(line, "x")], NOW)
    assert list(body.times()) == [1_414_767_730_201_000_000, 1_414_767_730_000_000_000, NOW, NOW]
    assert body.records()[0]["@timestamp"] == "2014-10-31T15:02:10.201Z"


@pytest.mark.parametrize("line", ["{", "5", '"text"', "null", "[1]", "\ufffd", '{"a":1} x', "[" * 2_000])
def test_what_is_no_json_stays_an_event_and_is_counted(line: str) -> None:
    reader = codec("json")
    made = reader.lines([(f'{{"n":1}}\n{line}\n'.encode(), "x")], NOW)
    assert records(made) == [{"n": 1, "host": "x"}, {"message": line, "host": "x", "tags": [FAILURE]}]
    assert reader.failures == 1


def test_an_array_of_objects_is_several_events() -> None:
    assert records(codec("json").lines([(b'[{"a":1},{"a":2}]\n', "x")], NOW)) == [
        {"a": 1, "host": "x"},
        {"a": 2, "host": "x"},
    ]


def test_a_datagram_is_one_event_as_it_is() -> None:
    made = codec("plain").texts([(b'{"a":1}\n', "x"), (b"two\nlines", "y")], NOW)
    assert records(made) == [{"message": '{"a":1}\n', "host": "x"}, {"message": "two\nlines", "host": "y"}]


def test_a_datagram_may_hold_several_lines() -> None:
    assert records(codec("line").texts([(b"a\r\nb", "x")], NOW)) == [
        {"message": "a", "host": "x"},
        {"message": "b", "host": "x"},
    ]


def test_a_datagram_of_json_may_be_laid_out_or_hold_several_lines() -> None:
    texts = [(b'{\n "a": 1\n}\n', "x"), (b'{"b":1}\n{"c":1}\n\n', "x"), (b"  ", "x"), (b'{"d":1}\nbad', "x")]
    assert records(codec("json", host_field=None).texts(texts, NOW)) == [
        {"a": 1},
        {"b": 1},
        {"c": 1},
        {"d": 1},
        {"message": "bad", "tags": [FAILURE]},
    ]


def test_other_encodings_are_decoded() -> None:
    data = '{"m":"한글"}\n'.encode("cp949")
    assert records(codec("json", encoding="cp949", host_field=None).lines([(data, "x")], NOW)) == [{"m": "한글"}]


def test_bodies_are_bounded() -> None:
    data = b'{"n":1}\n' * (EVENTS_MAX + 1)
    assert [body.count for body in codec("json").lines([(data, "x")], NOW)] == [EVENTS_MAX, 1]
    assert codec("json").lines([], NOW) == codec("line", host_field=None).lines([], NOW) == []


def test_a_body_is_taken_as_a_whole_or_not_at_all() -> None:
    reader = codec("json", host_field=None)
    assert records(reader.whole(b'{"a":1}\n\n[{"b":1}]', "x", NOW)) == [{"a": 1}, {"b": 1}]
    assert records(reader.whole(b'[\n{"a":1},\n{"b":2}\n]', "x", NOW)) == [{"a": 1}, {"b": 2}]
    with pytest.raises(ValueError, match="line 2: "):
        reader.whole(b'{"a":1}\n{"b"\n', "x", NOW)
    with pytest.raises(ValueError, match=r"."):
        reader.whole(b"5", "x", NOW)


def test_a_body_of_lines() -> None:
    assert records(codec("line", host_field=None).whole(b"a\r\n\nb", "x", NOW)) == [
        {"message": "a"},
        {"message": ""},
        {"message": "b"},
    ]


@pytest.mark.parametrize("text", ['[{"a":' + "[" * 600 + "]" * 600 + "}]", "[" * 100_000])
def test_deep_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_json(text)


@given(st.binary(max_size=300))
def test_whatever_comes_is_an_event_or_a_value_error(data: bytes) -> None:
    for name in ("json", "line", "plain"):
        reader = codec(name)
        lines = data.replace(b"\r", b"") + b"\n"
        made = reader.lines([(lines, "x")], NOW)
        if name != "json":
            assert sum(body.count for body in made) == lines.count(b"\n")
        reader.texts([(data, "x")], NOW)
    try:
        codec("json").whole(data, "x", NOW)
    except ValueError as error:
        assert str(error)  # noqa: PT017 - either is right


@given(st.lists(st.dictionaries(st.text(), st.integers() | st.text() | st.none(), max_size=4), max_size=5))
def test_json_lines_are_read_as_they_were_written(written: list[dict[str, Any]]) -> None:
    assert list(read_json_lines("\n".join(json.dumps(one) for one in written))) == written


def both(data: bytes, **options: Any) -> tuple[list[Body], list[Body]]:
    """Read lines as they come, and with the fast way switched off."""
    fast, slow = codec("json", **options), codec("json", **options)
    slow._heads = None
    return fast.lines([(data, "1.2.3.4")], NOW), slow.lines([(data, "1.2.3.4")], NOW)


@pytest.mark.parametrize("host_field", ["host", None, "sender's own"])
def test_plain_json_lines_keep_their_bytes_until_somebody_looks(host_field: str | None) -> None:
    data = '{"n": 1.50, "m":"한"}\r\n{"@timestamp":5,"b":{"c":[]}}\n'.encode()
    fast, slow = both(data, host_field=host_field)
    assert isinstance(fast[0], JsonText)
    assert records(fast) == records(slow)
    assert list(fast[0].times()) == list(slow[0].times()) == [NOW, 5 * 10**9]
    assert [json.loads(line) for line in json_lines(fast[0]).splitlines()] == records(slow)
    assert b"1.50" in fast[0].data


def test_lines_of_several_senders_get_the_address_of_each() -> None:
    parts = [(b'{"n":1}\n{"n":2}\n', "a"), (b"", "b"), (b'{"n":3}\n', "c")]
    (body,) = codec("json").lines(parts, NOW)
    assert isinstance(body, JsonText)
    assert [(one["n"], one["host"]) for one in body.records()] == [(1, "a"), (2, "a"), (3, "c")]


def test_records_that_name_their_host_keep_it() -> None:
    (body,) = codec("json").lines([(b'{"host":"own"}\n{"host":null}\n', "x")], NOW)
    assert isinstance(body, JsonText)
    assert body.records() == [{"host": "own"}, {"host": None}]


@pytest.mark.parametrize(
    "data",
    [
        b'{"a":1}{"b":2}\n',
        b'{"a":1}\n{"b":2}{"c":3}\n\n',
        b'{"a":{"b":1}\n{"c":2}\n',
        b'{"a":1,\n"b":2}\n',
        b'{}\n{"a":1}\n',
        b'{"a":"\xff"}\n',
        b'{"a":\r1}\n',
        b'{"a":"\\ud800"}\n',
        b'{"a":01}\n',
        b'{"a":' + b"[" * 600 + b"]" * 600 + b"}\n",
        b"\n",
    ],
)
def test_whatever_is_not_plain_is_looked_at_closely(data: bytes) -> None:
    fast, slow = both(data)
    assert not any(isinstance(body, JsonText) for body in fast)
    assert records(fast) == records(slow)


@pytest.mark.parametrize("number", ["1e999", "-1e999", "9" * 5_000])
def test_a_number_beyond_every_bound_stays_text_where_somebody_looks(number: str) -> None:
    data = f'{{"n":{number}}}\n'.encode()
    fast, slow = both(data, host_field=None)
    assert records(fast) == records(slow) == [{"n": number}]
    assert json_lines(fast[0]) == data


@pytest.mark.parametrize(("host_field", "time_field"), [("x", "x"), ('a "quoted" name', "y"), ("a\\b", None)])
def test_odd_field_names_are_looked_at_closely(host_field: str, time_field: str | None) -> None:
    (body,) = codec("json", host_field=host_field, time_field=time_field).lines([(b'{"n":1}\n', "h")], NOW)
    assert body.records() == [{"n": 1, host_field: "h"}]
