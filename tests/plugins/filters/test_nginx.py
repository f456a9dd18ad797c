"""Nginx: the lines of real servers, and lines that somebody made up to break it."""

from __future__ import annotations

from pathlib import Path

import pytest

from swak.event import Block, Dicts, Rows
from swak.formats.rows import bounded
from swak.plugin import DeadEvent
from swak.plugins.filters.nginx import Nginx
from swak.testing import assert_same_both_ways, block_of, drive, drive_batch, event, outcome_of

SAMPLE = Path(__file__).parents[3] / "recipes" / "data" / "access.log"
PLAIN = '1.2.3.4 - bob [21/Nov/2026:01:07:27 +0000] "GET /a?b=c HTTP/1.1" 200 22 "https://x.y/" "curl/8"'
AT_NS = 1_795_223_247 * 10**9


def parse(line: str, **options: str) -> dict[str, str | None]:
    (made,) = drive_batch(Nginx(**options), block_of(line))
    return made.record


def test_a_combined_line_has_the_names_of_nginxs_variables() -> None:
    assert parse(PLAIN) == {
        "remote_addr": "1.2.3.4",
        "remote_user": "bob",
        "time_local": "21/Nov/2026:01:07:27 +0000",
        "request": "GET /a?b=c HTTP/1.1",
        "status": "200",
        "body_bytes_sent": "22",
        "http_referer": "https://x.y/",
        "http_user_agent": "curl/8",
    }


def test_the_event_gets_the_time_of_the_line() -> None:
    (made,) = drive_batch(Nginx(), block_of(PLAIN, at_s=5))
    assert made.time_ns == AT_NS


def test_the_time_respects_the_zone() -> None:
    (made,) = drive_batch(Nginx(), block_of(PLAIN.replace("+0000", "-0830")))
    assert made.time_ns == AT_NS + 30_600 * 10**9


def test_every_line_of_the_sample_parses() -> None:
    body = Block(SAMPLE.read_bytes(), 0)
    outcome = outcome_of(Nginx(), block_of(*body.lines()))
    assert not outcome.dead
    assert sum(part.count for part, _ in outcome.parts) == body.count == 2_500


def test_the_sample_parses_into_rows_of_at_most_a_thousand() -> None:
    outcome = outcome_of(Nginx(), block_of(*Block(SAMPLE.read_bytes(), 0).lines()))
    parts = bounded(outcome.parts)
    assert [part.count for part, _ in parts] == [1_000, 1_000, 500]
    assert all(isinstance(part, Rows) for part, _ in parts)


@pytest.mark.parametrize(
    "lines",
    [
        PLAIN.replace("GET /a", "GET\n/a").split("\n"),  # a line that goes on in the next one
        [f"{PLAIN} {PLAIN}"],
        ["no line", PLAIN],
        [PLAIN, f"x{PLAIN}", "", PLAIN],
        [PLAIN, f'{PLAIN} "forwarded"'],
        [PLAIN.replace("+0000", "+9900"), PLAIN],
        [PLAIN.replace("21/Nov", "21\n/Nov"), PLAIN],
        [f"{PLAIN}\r", PLAIN],
    ],
)
def test_a_block_is_matched_at_once_only_where_each_match_is_a_line(lines: list[str]) -> None:
    assert_same_both_ways(Nginx(), block_of(*lines))


def test_a_block_without_lines_has_no_parts() -> None:
    assert outcome_of(Nginx(), block_of()).parts == []


def test_the_lines_of_a_good_block_are_not_matched_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("read line by line")

    monkeypatch.setattr(Nginx, "read_lines", never)
    assert len(drive_batch(Nginx(), block_of(PLAIN, PLAIN))) == 2
    with pytest.raises(AssertionError, match="line by line"):
        drive_batch(Nginx(), block_of(PLAIN, "no line"))


def test_the_sample_parses_the_same_as_a_block_and_line_by_line() -> None:
    assert_same_both_ways(Nginx(), block_of(*Block(SAMPLE.read_bytes(), 0).lines()))


def test_a_forwarded_address_is_a_field_of_its_own() -> None:
    record = parse(f'{PLAIN} "10.0.0.1, 10.0.0.2"')
    assert (record["http_user_agent"], record["http_x_forwarded_for"]) == ("curl/8", "10.0.0.1, 10.0.0.2")


def test_a_line_without_a_forwarded_address_has_no_such_field() -> None:
    assert "http_x_forwarded_for" not in parse(PLAIN)


def test_lines_with_and_without_a_forwarded_address_keep_their_order() -> None:
    mixed = block_of(PLAIN, f'{PLAIN} "10.0.0.1"', PLAIN, f'{PLAIN} "-"')
    outcome = outcome_of(Nginx(), mixed)
    ((body, _),) = outcome.parts
    assert isinstance(body, Dicts)
    assert [record.get("http_x_forwarded_for") for record in body.records()] == [None, "10.0.0.1", None, "-"]
    assert_same_both_ways(Nginx(), mixed)


def test_a_block_of_forwarded_lines_travels_as_rows() -> None:
    ((body, _),) = outcome_of(Nginx(), block_of(*[f'{PLAIN} "10.0.0.1"'] * 5)).parts
    assert isinstance(body, Rows)


def test_common_has_neither_referer_nor_agent() -> None:
    line = '::1 - - [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.gif HTTP/1.0" 200 2326'
    assert parse(line, format="common") == {
        "remote_addr": "::1",
        "remote_user": "-",
        "time_local": "10/Oct/2000:13:55:36 -0700",
        "request": "GET /apache_pb.gif HTTP/1.0",
        "status": "200",
        "body_bytes_sent": "2326",
    }


@pytest.mark.parametrize(
    ("old", "new", "field", "value"),
    [
        ("1.2.3.4", "2001:db8::ff00:42:8329", "remote_addr", "2001:db8::ff00:42:8329"),
        ("1.2.3.4", "unix:", "remote_addr", "unix:"),
        ("bob", "-", "remote_user", "-"),
        ("bob", "bob the builder", "remote_user", "bob the builder"),
        ("bob", "a [21/Nov/2026:01:07:27 +0000] b", "remote_user", "a [21/Nov/2026:01:07:27 +0000] b"),
        ("bob", "", "remote_user", ""),
        ("GET /a?b=c HTTP/1.1", "", "request", ""),
        ("GET /a?b=c HTTP/1.1", "-", "request", "-"),
        ("GET /a?b=c HTTP/1.1", r"\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03", "request", None),
        ("GET /a?b=c HTTP/1.1", r"GET /\x22quoted\x22 HTTP/1.1", "request", None),
        ("GET /a?b=c HTTP/1.1", r"GET /\"quoted\" HTTP/1.1", "request", None),
        ("GET /a?b=c HTTP/1.1", r"GET /\\", "request", None),
        ("GET /a?b=c HTTP/1.1", "GET /한글 HTTP/1.1", "request", None),
        (" 22 ", " - ", "body_bytes_sent", "-"),
        ("200", "499", "status", "499"),
        ("curl/8", r"a \" 200 1 \"b", "http_user_agent", r"a \" 200 1 \"b"),
    ],
)
def test_odd_values_arrive_as_they_stand_in_the_line(old: str, new: str, field: str, value: str | None) -> None:
    line = PLAIN.replace(old, new, 1)
    assert parse(line)[field] == (new if value is None else value)
    assert_same_both_ways(Nginx(), block_of(PLAIN, line, PLAIN))


def test_an_escaped_quote_cannot_forge_a_field() -> None:
    forged = PLAIN.replace("GET /a?b=c HTTP/1.1", r"GET /\" 404 5 \"-\" \"x")
    assert parse(forged)["status"] == "200"


def dead_of(line: str) -> DeadEvent:
    dead: list[DeadEvent] = []
    assert not drive_batch(Nginx(), block_of(line, at_s=3), dead=dead)
    return dead[0]


@pytest.mark.parametrize("line", ["", "hello", PLAIN[:-1], PLAIN + " ", " " + PLAIN, PLAIN + ' "a" "b"'])
def test_a_line_of_another_shape_is_dead_with_the_line(line: str) -> None:
    assert dead_of(line) == DeadEvent(event({"message": line}, at_s=3), "Nginx: no match")


@pytest.mark.parametrize("time", ["31/Feb/2026:01:07:27 +0000", "21/Nov/2026:24:07:27 +0000", "yesterday"])
def test_an_impossible_time_is_dead_and_shown(time: str) -> None:
    reason = dead_of(PLAIN.replace("21/Nov/2026:01:07:27 +0000", time)).reason
    assert reason.startswith(f"Nginx: there is no time '{time}'")


def test_bad_lines_do_not_move_their_neighbours() -> None:
    dead: list[DeadEvent] = []
    second = PLAIN.replace("bob", "eve")
    made = drive_batch(Nginx(), block_of("x", PLAIN, "y", second, "z"), dead=dead)
    assert [one.record["remote_user"] for one in made] == ["bob", "eve"]
    assert [one.event.record["message"] for one in dead] == ["x", "y", "z"]


def test_windows_line_ends_are_no_part_of_a_value() -> None:
    assert parse(PLAIN + "\r")["http_user_agent"] == "curl/8"


def test_undecodable_bytes_stay_visible() -> None:
    (made,) = drive_batch(Nginx(), block_of(PLAIN.encode().replace(b"/a?", b"/\xff?")))
    assert made.record["request"] == "GET /\ufffd?b=c HTTP/1.1"


def test_a_hostile_line_costs_no_more_than_its_length() -> None:
    hostile = "1.2.3.4 - " + " [21/Nov/2026:01:07:27 +0000] " * 20_000 + '"' + '\\"' * 100_000
    assert dead_of(hostile).reason == "Nginx: no match"


def test_other_fields_stay_if_wanted() -> None:
    (record,) = drive(Nginx(field="line", keep=True), [event({"line": PLAIN, "host": "web-1"})])
    assert (record["host"], record["status"], "line" in record) == ("web-1", "200", False)


def test_size_counts_the_line_and_what_parsing_adds() -> None:
    ((body, _),) = outcome_of(Nginx(), block_of(*[PLAIN] * 10)).parts
    assert body.size_bytes == 10 * (len(PLAIN) + 1 + 550)
