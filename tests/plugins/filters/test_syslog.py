from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from swak.formats.syslog import FACILITIES, FACILITY_OF, SEVERITIES, SEVERITY_OF
from swak.plugins.filters.syslog import Syslog
from swak.testing import assert_same_both_ways, block_of, drive, drive_batch, event

if TYPE_CHECKING:
    from swak.event import Event
    from swak.plugin import DeadEvent

READ_S = datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp()


def parse(line: str, at_s: float = READ_S, **options: Any) -> Event:
    assert_same_both_ways(Syslog(**options), block_of(line, at_s=at_s))
    return drive_batch(Syslog(**options), block_of(line, at_s=at_s))[0]


def at(text: str, **options: Any) -> str:
    time_ns = parse(f"{text} web app: x", **options).time_ns
    return datetime.fromtimestamp(time_ns / 1e9, UTC).isoformat()


def reason(line: str, **options: Any) -> str:
    dead: list[DeadEvent] = []
    drive_batch(Syslog(**options), block_of(line), dead=dead)
    assert_same_both_ways(Syslog(**options), block_of(line, "<1>Oct 1 00:00:00 a b: c"))
    return dead[0].reason


def test_the_example_of_rfc_3164() -> None:
    assert parse("<34>Oct 11 22:14:15 mymachine su: 'su root' failed for lonvick on /dev/pts/8").record == {
        "facility": "auth",
        "severity": "crit",
        "host": "mymachine",
        "program": "su",
        "pid": None,
        "message": "'su root' failed for lonvick on /dev/pts/8",
    }


@pytest.mark.parametrize(
    ("rest", "host", "program", "pid", "message"),
    [
        ("web sshd[12]: Accepted", "web", "sshd", "12", "Accepted"),
        ("web postfix/smtpd[7]: x", "web", "postfix/smtpd", "7", "x"),
        ("web kernel: [ 1.5] up", "web", "kernel", None, "[ 1.5] up"),
        ("web kernel:[ 1.5] up", "web", "kernel", None, "[ 1.5] up"),
        ("web last message repeated 2 times", "web", None, None, "last message repeated 2 times"),
        ("web see http://x.y/", "web", None, None, "see http://x.y/"),
        ("app[12]: from /dev/log", None, "app", "12", "from /dev/log"),
        ("fe80::1 app: x", "fe80::1", "app", None, "x"),
        ("web app:", "web", "app", None, ""),
        ("web 한글[1]: 로그", "web", "한글", "1", "로그"),
    ],
)
def test_lines_of_files_have_no_priority(
    rest: str, host: str | None, program: str | None, pid: str | None, message: str
) -> None:
    record = parse(f"Nov 21 01:07:27 {rest}").record
    expected = {"facility": None, "severity": None, "host": host, "program": program, "pid": pid, "message": message}
    assert record == expected


def test_the_examples_of_rfc_5424() -> None:
    line = "<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \ufeff'su root' failed"
    made = parse(line)
    assert made.time_ns == 1_065_910_455_003_000_000
    assert made.record == {
        "facility": "auth",
        "severity": "crit",
        "host": "mymachine.example.com",
        "program": "su",
        "pid": None,
        "msgid": "ID47",
        "data": None,
        "message": "'su root' failed",
    }


def test_structured_data_is_a_field_with_its_escapes_undone() -> None:
    line = r'<165>1 - - - - - [a@1 x="1" y="q\" b\\ c\] d\n"][b][a@1 z=""]'
    record = parse(line).record
    assert record["data"] == {"a@1": {"x": "1", "y": 'q" b\\ c] d\\n', "z": ""}, "b": {}}
    assert (record["message"], record["host"]) == (None, None)


def test_without_a_time_the_event_keeps_its_own() -> None:
    assert parse("<1>1 - a b c d - x", at_s=9).time_ns == 9 * 10**9


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("Nov 21 01:07:27", "2026-11-21T01:07:27+00:00"),
        ("Nov  1 01:07:27", "2026-11-01T01:07:27+00:00"),
        ("Nov 1 01:07:27", "2026-11-01T01:07:27+00:00"),
        ("Nov 28 23:59:59", "2026-11-28T23:59:59+00:00"),
        ("Nov 29 00:00:00", "2025-11-29T00:00:00+00:00"),
        ("Dec 31 23:59:59", "2025-12-31T23:59:59+00:00"),
        ("Feb 29 01:02:03", "2024-02-29T01:02:03+00:00"),
        ("Nov 21 2019 01:07:27", "2019-11-21T01:07:27+00:00"),
        ("Nov 21 01:07:27.25", "2026-11-21T01:07:27.250000+00:00"),
        ("2026-11-21T01:07:27.5+09:00", "2026-11-20T16:07:27.500000+00:00"),
        ("Dec 31 23:59:60", "2026-01-01T00:00:00+00:00"),
        ("Dec 31 2016 23:59:60.5", "2017-01-01T00:00:00.500000+00:00"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00+00:00"),
    ],
)
def test_the_year_is_the_last_one_that_is_not_a_week_ahead(text: str, meant: str) -> None:
    assert at(text) == meant


def test_at_new_year_yesterday_is_of_the_old_year() -> None:
    newyear_s = datetime(2027, 1, 1, 0, 5, tzinfo=UTC).timestamp()
    assert at("Dec 31 23:59:59", at_s=newyear_s) == "2026-12-31T23:59:59+00:00"
    assert at("Jan  1 00:00:01", at_s=newyear_s - 600) == "2027-01-01T00:00:01+00:00"


def test_a_time_without_a_zone_is_of_the_given_one() -> None:
    assert at("Nov 21 09:07:27", zone="Asia/Seoul") == "2026-11-21T00:07:27+00:00"
    assert at("2026-11-21T09:07:27", zone="Asia/Seoul") == "2026-11-21T00:07:27+00:00"


def test_lines_read_on_several_days_have_the_year_of_their_own_day() -> None:
    days_s = [READ_S + 86_400 * day for day in range(0, 800, 100)]
    events = [event({"message": "Nov 21 01:07:27 web app: x"}, at_s=at_s) for at_s in days_s]
    plugin = Syslog()
    plugin.open()
    years = [datetime.fromtimestamp(plugin.process(one).time_ns / 1e9, UTC).year for one in events]  # type: ignore[union-attr]
    assert years == [2026, 2026, 2026, 2026, 2027, 2027, 2027, 2027]
    assert len(drive(Syslog(), events)) == 8


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "no match"),
        ("hello", "no match"),
        ("<192>1 - - - - - -", "there is no priority 192"),
        ("<034>Oct 11 22:14:15 a b: c", "there is no priority 034"),
        ("<34>Oct 32 22:14:15 a b: c", "there is no time 'Oct 32 22:14:15': day is out of range for month"),
        ("<34>Oktober 11 22:14:15 a b: c", "no match"),
        ("<34>Okt 11 22:14:15 a b: c", "there is no time 'Okt 11 22:14:15'"),
        ("<34>1 yesterday a b c d -", "there is no time 'yesterday'"),
        ("<34>1 2003 a b c d -", "there is no time '2003'"),
        ("<34>Oct 11 22:14:60 a b: c", "there is no time 'Oct 11 22:14:60': second must be in 0..59"),
        ("<34>1 - a b c d [x y=z]", "no match"),
        ("<34>su: it tells no time", "no match"),
        ("<34", "no match"),
        ('<34>1 - a b c d [x y="z"', "no match"),
    ],
)
def test_what_does_not_fit_is_named(line: str, said: str) -> None:
    assert reason(line) == f"Syslog: {said}"


def test_a_format_turns_lines_of_the_other_one_away() -> None:
    assert reason("<34>Oct 11 22:14:15 a b: c", format="rfc5424") == "Syslog: no match"
    assert reason("<34>1 - a b c d - x", format="rfc3164") == "Syslog: no match"


def test_both_kinds_may_come_in_turns() -> None:
    assert_same_both_ways(Syslog(), block_of(*["<34>1 - a b c d - x", "Oct 11 22:14:15 a b: c"] * 3))


def test_every_priority_has_its_names() -> None:
    assert len(FACILITIES) == 24
    assert len(SEVERITIES) == 8
    assert (FACILITY_OF["165"], SEVERITY_OF["165"]) == ("local4", "notice")
    assert (FACILITY_OF["191"], SEVERITY_OF["0"]) == ("local7", "emerg")


def test_an_unknown_zone_is_named() -> None:
    ((said, _),) = Syslog(zone="Mars/North").check()
    assert said == 'there is no time zone "Mars/North"'
