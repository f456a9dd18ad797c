from __future__ import annotations

import pytest

from swak.formats.template import Template, json_text, look_up, parts_of, text_of, wall_time, zone_of

AT_NS = 1_414_767_730_201_999_999


def filled(text: str, record: dict[str, object] | None = None, zone: str = "UTC", tag: str = "web.access") -> str:
    return Template(text, zone=zone, host="box").fill(tag, AT_NS, record or {})


def test_placeholders_are_filled_in() -> None:
    assert filled("{time} {tag} {host}: {message}", {"message": "hi"}) == "2014-10-31T15:02:10.201Z web.access box: hi"


def test_the_record_is_shown_as_json() -> None:
    assert filled("{tag}\t{record}", {"a": [1]}) == 'web.access\t{"a":[1]}'


def test_the_records_own_host_wins() -> None:
    assert filled("{host}", {"host": "web1"}) == "web1"


def test_a_field_that_is_not_there_is_a_dash() -> None:
    assert filled("{a}|{b.c}", {"b": {"d": 1}}) == "-|-"


def test_braces_are_doubled() -> None:
    assert filled("{{{tag}}}") == "{web.access}"


def test_times_have_a_format_and_a_zone() -> None:
    assert filled("{time:%Y-%m-%d %H:%M}", zone="Asia/Seoul") == "2014-11-01 00:02"
    assert filled("{time}", zone="Asia/Seoul") == "2014-11-01T00:02:10.201+09:00"
    assert filled("{time:%S.%f}") == "10.201999"


@pytest.mark.parametrize("text", ["{", "}", "{}", "{a!r}", "{a:>5}", "{ }"])
def test_what_cannot_be_read_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parts_of(text)


@pytest.mark.parametrize("name", ["Nowhere/City", "../etc", "Asia", "/etc/passwd"])
def test_an_unknown_zone_is_a_value_error(name: str) -> None:
    with pytest.raises(ValueError, match="there is no time zone"):
        zone_of(name)


def test_the_machines_own_zone_can_be_asked_for() -> None:
    assert wall_time(AT_NS, zone_of("local")).timestamp() == pytest.approx(AT_NS / 1e9)


def test_a_field_is_looked_for_by_name_and_then_by_path() -> None:
    assert look_up({"a.b": 1, "a": {"b": 2}}, "a.b") == 1
    assert look_up({"a": {"b": 2}}, "a.b") == 2
    assert look_up({"a": 5}, "a.b") is None


@pytest.mark.parametrize(
    ("value", "text"),
    [("x", "x"), (None, ""), (True, "true"), (1.5, "1.5"), (b"\xff", "\udcff"), ([1, "a"], '[1,"a"]')],
)
def test_values_become_text(value: object, text: str) -> None:
    assert text_of(value) == text


def test_what_json_cannot_carry_is_a_type_error() -> None:
    with pytest.raises(TypeError):
        text_of(object())


def test_lone_surrogates_in_what_is_nested_become_replacement_characters() -> None:
    assert json_text({"a": "\ud800"}) == '{"a":"\ufffd"}'


@pytest.mark.parametrize(("name", "hours"), [("+09:00", 9.0), ("-0330", -3.5), ("+00:00", 0.0)])
def test_a_zone_may_be_an_offset(name: str, hours: float) -> None:
    offset = wall_time(AT_NS, zone_of(name)).utcoffset()
    assert offset is not None
    assert offset.total_seconds() == hours * 3_600


def test_epoch_seconds_are_the_same_in_every_zone() -> None:
    assert [Template("{time:%s %%s}", zone=zone).fill("t", 5 * 10**9, {}) for zone in ("UTC", "Asia/Seoul")] == [
        "5 %s",
        "5 %s",
    ]
