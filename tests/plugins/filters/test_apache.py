from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from swak.plugins.filters.apache import Apache
from swak.testing import assert_same_both_ways, block_of, drive_batch

if TYPE_CHECKING:
    from swak.plugin import DeadEvent

COMMON = '127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.gif HTTP/1.0" 200 2326'
COMBINED = COMMON + ' "http://www.example.com/start.html" "Mozilla/4.08 [en] (Win98; I ;Nav)"'


def parse(line: str, form: str = "combined") -> dict[str, str | None]:
    assert_same_both_ways(Apache(form), block_of(line, line, "x"))
    (made,) = drive_batch(Apache(form), block_of(line))
    return made.record


def test_a_common_line_has_these_fields_and_its_time() -> None:
    assert parse(COMMON, "common") == {
        "remote_addr": "127.0.0.1",
        "remote_logname": "-",
        "remote_user": "frank",
        "time_local": "10/Oct/2000:13:55:36 -0700",
        "request": "GET /apache_pb.gif HTTP/1.0",
        "status": "200",
        "body_bytes_sent": "2326",
    }
    assert drive_batch(Apache("common"), block_of(COMMON))[0].time_ns == 971_211_336 * 10**9


def test_a_combined_line_adds_referer_and_agent() -> None:
    record = parse(COMBINED)
    assert record["http_referer"] == "http://www.example.com/start.html"
    assert record["http_user_agent"] == "Mozilla/4.08 [en] (Win98; I ;Nav)"


@pytest.mark.parametrize("rest", [COMBINED, COMMON])
def test_a_vhost_line_begins_with_the_host_and_perhaps_its_port(rest: str) -> None:
    record = parse(f"www.example.com:443 {rest}", "vhost")
    assert (record["vhost"], record["port"], record["remote_addr"]) == ("www.example.com", "443", "127.0.0.1")
    record = parse(f"www.example.com {rest}", "vhost")
    assert (record["vhost"], record["port"], record["remote_user"]) == ("www.example.com", None, "frank")


@pytest.mark.parametrize(
    ("old", "new", "field", "value"),
    [
        ("127.0.0.1", "2001:db8::7", "remote_addr", "2001:db8::7"),
        (" - frank", " ident frank", "remote_logname", "ident"),
        ("frank", "-", "remote_user", "-"),
        ("frank", "frank b", "remote_user", "frank b"),
        ("frank", r"a\"b", "remote_user", r"a\"b"),
        ("2326", "-", "body_bytes_sent", "-"),
        ("GET /apache_pb.gif HTTP/1.0", "-", "request", "-"),
        ("GET /apache_pb.gif HTTP/1.0", r"GET /\"q\" HTTP/1.1", "request", r"GET /\"q\" HTTP/1.1"),
        ("GET /apache_pb.gif HTTP/1.0", r"\x16\x03", "request", r"\x16\x03"),
        ("GET /apache_pb.gif HTTP/1.0", "", "request", ""),
        (" 200 ", " - ", "status", "-"),
        ("frank", "", "remote_user", ""),
        ("frank", "a [b] c", "remote_user", "a [b] c"),
        ("(Win98; I ;Nav)", r"\"x\\", "http_user_agent", r"Mozilla/4.08 [en] \"x\\"),
    ],
)
def test_odd_values_arrive_as_they_stand_in_the_line(old: str, new: str, field: str, value: str) -> None:
    assert parse(COMBINED.replace(old, new))[field] == value


@pytest.mark.parametrize("line", ["", COMMON, COMBINED[:-1], COMBINED + " x", f"www.example.com:443 {COMBINED}"])
def test_a_line_of_another_shape_does_not_fit(line: str) -> None:
    dead: list[DeadEvent] = []
    assert drive_batch(Apache(), block_of(line), dead=dead) == []
    assert dead[0].reason == "Apache: no match"


@pytest.mark.parametrize(
    ("form", "line"),
    [
        ("combined", f"www.example.com {COMBINED}"),
        ("combined", f"www.example.com:443 {COMBINED.replace('frank', 'frank b')}"),
        ("combined", COMBINED.replace(" - frank", " ident frank b")),
        ("common", f"www.example.com {COMMON}"),
        ("common", COMBINED),
        ("vhost", COMBINED),
        ("vhost", COMBINED.replace("frank", "frank b")),
    ],
)
def test_a_line_of_another_format_is_never_read_wrongly(form: str, line: str) -> None:
    dead: list[DeadEvent] = []
    assert drive_batch(Apache(form), block_of(line), dead=dead) == []
    assert [one.reason for one in dead] == ["Apache: no match"]
    assert_same_both_ways(Apache(form), block_of(line, COMBINED, COMMON))


def test_an_impossible_time_does_not_fit() -> None:
    dead: list[DeadEvent] = []
    drive_batch(Apache(), block_of(COMBINED.replace("10/Oct", "32/Oct")), dead=dead)
    assert dead[0].reason.startswith("Apache: there is no time '32/Oct/2000:13:55:36 -0700'")
