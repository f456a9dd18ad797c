from __future__ import annotations

from pathlib import Path

import pytest

from swak.event import Block, Body, Dicts, Record
from swak.formats.logstash import event_json, event_rubydebug, plain_lines

SEEN_NS = 1_414_767_730_201_999_999
GOLDEN = Path(__file__).parent / "golden"


def body(*records: Record) -> Body:
    return Dicts(list(records), [SEEN_NS] * len(records))


def mixed() -> Body:
    return body(
        {"message": "hello world"},
        {
            "message": 'say "hi"\tand #{go}',
            "level": "warn",
            "size": 12.5,
            "tags": ["a", {"b": None}],
            "geo": {"lat": 1},
        },
        {"no": "message", "host": "web1", "empty": [], "none": None, "yes": True},
        {"message": "two\nlines", "@timestamp": "2020-01-01T00:00:00.000Z", "한글": "값"},
    )


@pytest.mark.parametrize(
    ("name", "encoded"),
    [
        ("line.txt", plain_lines(mixed(), "box")),
        ("json.txt", event_json(mixed(), "box")),
        ("rubydebug.txt", event_rubydebug(mixed(), "box")),
    ],
)
def test_the_layout_is_as_it_always_was(name: str, encoded: bytes) -> None:
    assert encoded.decode() == (GOLDEN / name).read_text(encoding="utf-8")


def test_a_plain_line_shows_time_host_and_message() -> None:
    assert plain_lines(body({"message": "hello world"}), "box") == b"2014-10-31T15:02:10.201+0000 box hello world\n"


def test_rubydebug_looks_as_in_logstash() -> None:
    assert event_rubydebug(body({"message": "hi"}), "box").decode().splitlines() == [
        "{",
        '       "message" => "hi",',
        '      "@version" => "1",',
        '    "@timestamp" => "2014-10-31T15:02:10.201Z",',
        '          "host" => "box"',
        "}",
    ]


def test_well_known_fields_come_first() -> None:
    lines = event_rubydebug(body({"zone": 1, "host": "h", "message": "m"}), "box").decode().splitlines()
    assert [line.split('"')[1] for line in lines[1:-1]] == ["message", "@version", "@timestamp", "host", "zone"]


def test_json_keeps_what_the_record_says_about_itself() -> None:
    encoded = event_json(body({"host": "web1", "@version": "2", "@timestamp": "then"}), "box")
    assert encoded == b'{"host":"web1","@version":"2","@timestamp":"then"}\n'


def test_the_record_stays_as_it_was() -> None:
    record = {"message": "m"}
    event_json(body(record), "box")
    assert record == {"message": "m"}


def test_lines_that_nobody_parsed_are_messages() -> None:
    assert plain_lines(Block(b"a\nb\n", SEEN_NS), "box").decode().split("\n")[1].endswith(" box b")


@pytest.mark.parametrize("host", ["", "two words", "a\nb", 7, None])
def test_a_host_that_is_no_word_is_not_shown(host: object) -> None:
    assert plain_lines(body({"message": "m", "host": host}), "box").endswith(b" box m\n")


def test_an_event_stays_one_line() -> None:
    assert plain_lines(body({"message": "a\r\nb\tc"}), "box").endswith(b" box a\\r\\nb\tc\n")


def test_a_terminal_gets_no_control_characters() -> None:
    message = {"message": "\x1b]0;owned\x07 \x9b2J\ttab"}
    assert plain_lines(body(message), "box", terminal=True).decode().endswith(" \\x1b]0;owned\\x07 \\x9b2J\ttab\n")
    assert b"\x1b]0;owned\x07" in plain_lines(body(message), "box")


@pytest.mark.parametrize("encode", [plain_lines, event_json, event_rubydebug])
def test_lone_surrogates_do_not_stop_it(encode: object) -> None:
    assert callable(encode)
    assert encode(body({"message": "caf\udce9\ud800", "k\udce9": "\udce9"}), "box")


def test_a_message_that_is_no_text_is_shown_as_json() -> None:
    assert plain_lines(body({"message": {"a": 1}}, {"message": 7}), "box").decode().split("\n")[:2] == [
        '2014-10-31T15:02:10.201+0000 box {"a":1}',
        "2014-10-31T15:02:10.201+0000 box 7",
    ]
