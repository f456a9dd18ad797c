from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from swak.control.protocol import RequestError, encode, id_of, read_request


def test_a_request_is_an_object_with_a_verb() -> None:
    request = read_request(b'{"id": 7, "verb": "pause", "stage": "File", "protocol": 1}')
    assert (request.id, request.verb, request.text("stage")) == (7, "pause", "File")
    request.all_taken("stage")


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"", "bad-request"),
        (b"hello", "bad-request"),
        (b"[1]", "bad-request"),
        (b'{"verb": "sta', "bad-request"),
        (b"\xff\xfe", "bad-request"),
        (b"[" * 100_000, "bad-request"),
        (b'{"id": {}, "verb": "status"}', "bad-request"),
        (b'{"id": 1}', "bad-argument"),
        (b'{"verb": 5}', "bad-argument"),
        (b'{"verb": "status", "protocol": 2}', "bad-version"),
        (b'{"verb": "status", "protocol": true}', "bad-version"),
    ],
)
def test_what_is_none_is_refused_with_a_reason(line: bytes, code: str) -> None:
    with pytest.raises(RequestError) as caught:
        read_request(line)
    assert caught.value.code == code


def test_a_request_that_is_wrong_is_answered_under_its_id() -> None:
    with pytest.raises(RequestError) as caught:
        read_request(b'{"id": "x", "verb": "status", "protocol": 9}')
    assert id_of(caught.value) == "x"


def refused(given: str, take: Any) -> str:
    request = read_request(b'{"verb": "tap", %s}' % given.encode())
    with pytest.raises(RequestError) as caught:
        take(request)
    return str(caught.value)


def test_an_argument_that_does_not_fit_is_named() -> None:
    assert refused('"stage": 5', lambda one: one.text("stage")) == '"stage" wants text'
    assert "is missing" in refused('"a": 1', lambda one: one.text("stage"))
    assert "true or false" in refused('"now": 1', lambda one: one.flag("now"))
    assert "from 1 to 9" in refused('"sample": 10', lambda one: one.number("sample", 1, 1, 9))
    assert "from 1 to 9" in refused('"sample": true', lambda one: one.number("sample", 1, 1, 9))
    assert "wants a list" in refused('"events": {}', lambda one: one.rows("events"))
    assert 'did you mean "sample"' in refused('"smaple": 1', lambda one: one.all_taken("sample"))


@pytest.mark.parametrize(
    "value",
    [
        "\udc80 smuggled",
        {"\udc80": 1},
        {1: {2: 3}},
        float("nan"),
        b"\xff",
        datetime(2026, 1, 1, tzinfo=UTC),
        object(),
        2**100,
        {"deep": [object(), "fine"]},
    ],
)
def test_whatever_an_event_holds_becomes_one_line_of_json(value: object) -> None:
    line = encode({"event": value})
    assert line.count(b"\n") == 1
    assert list(json.loads(line)) == ["event"]


def test_what_holds_itself_is_cut() -> None:
    endless: dict[str, Any] = {}
    endless["again"] = endless
    assert b"..." in encode({"event": endless})
