from __future__ import annotations

import socket
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from swak.formats.placeholders import filled, host_address, same_for_all
from swak.testing import event

RECORD: dict[str, Any] = {"a": 5, "b": {"c": [1, 2]}, "time": "mine", "x-y": "z", "none": None, "od[d]": "!"}


def of(text: object, tag: str = "app.web.eu") -> Any:
    return filled(text)(event(RECORD, tag=tag, at_s=1_414_767_730))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("plain", "plain"),
        ("", ""),
        ("${a}", 5),
        ("${ a }", 5),
        ("${b}", {"c": [1, 2]}),
        ("${b.c}", [1, 2]),
        ("${x-y}", "z"),
        ("${none}", None),
        ("${missing}", None),
        ("${b.missing}", None),
        ("a=${a}, b=${b}", 'a=5, b={"c":[1,2]}'),
        ("<${missing}${none}>", "<>"),
        ("${record[a]}", 5),
        ("${record[b.c]}", [1, 2]),
        ("${record[time]}", "mine"),
        ('${record["time"]}', "mine"),
        ("${record[od[d]]}", "!"),
        ("${time}", "2014-10-31T15:02:10.000Z"),
        ("${tag}", "app.web.eu"),
        ("${tag_parts[0]}", "app"),
        ("${tag_parts[-1]}", "eu"),
        ("${tag_parts[2]}", "eu"),
        ("${tag_parts[3]}", ""),
        ("${tag_parts[-4]}", ""),
        ("${tag_prefix[0]}", "app"),
        ("${tag_prefix[1]}", "app.web"),
        ("${tag_prefix[-1]}", "app.web.eu"),
        ("${tag_prefix[-2]}", "app.web"),
        ("${tag_prefix[9]}", "app.web.eu"),
        ("${tag_prefix[-9]}", ""),
        ("${tag_suffix[0]}", "app.web.eu"),
        ("${tag_suffix[1]}", "web.eu"),
        ("${tag_suffix[-1]}", "eu"),
        ("${tag_suffix[9]}", ""),
        ("${hostname}", socket.gethostname()),
        ("${hostaddr}", host_address()),
        ("${hostaddr_parts[-1]}", host_address().split(".")[-1]),
        ("${hostaddr_parts[4]}", ""),
        ("{a} } { $a $ {}", "{a} } { $a $ {}"),
        ("$${a}", "${a}"),
        ("$$${a} ${a}", "$${a} 5"),
        (5, 5),
        (None, None),
        (["${a}", "x${a}", 1], [5, "x5", 1]),
        ({"k": {"${a}": ("${a}",)}}, {"k": {"${a}": [5]}}),
    ],
)
def test_placeholders_are_filled_in(text: object, value: object) -> None:
    assert of(text) == value


def test_an_empty_tag_has_one_empty_part() -> None:
    assert of("${tag_parts[0]}|${tag_prefix[-1]}|${tag_suffix[0]}", tag="") == "||"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("${", '"${" at character 0 is not closed; write $${ for the text itself'),
        ("ab ${x", '"${" at character 3 is not closed'),
        ("${a{b}}", '"${" at character 0 is not closed'),
        ("${}", "names no field"),
        ("${ }", "names no field"),
        ("${tag_parts}", '"${tag_parts}" needs a number, as in ${tag_parts[0]}'),
        ("${tag_parts[x]}", "'x' is no whole number"),
        ("${tag_prefix[1.5]}", "'1.5' is no whole number"),
        ("${hostaddr_parts[]}", "'' is no whole number"),
        ("${tag_part[0]}", '"${tag_part[0]}" is unknown'),
        ("${od[d]}", "${record[od[d]]}"),
        (["ok", {"k": "${"}], "is not closed"),
    ],
)
def test_what_cannot_be_read_is_named(text: object, said: str) -> None:
    with pytest.raises(ValueError, match=r"\S") as caught:
        filled(text)
    assert said in str(caught.value)


@given(some.text(some.sampled_from("${}[]ab-1.record tag_parts"), max_size=30))
def test_reading_only_ever_raises_value_error(text: str) -> None:
    with suppress(ValueError):
        filled(text)(event(RECORD))


@given(some.text())
def test_text_is_kept_when_its_braces_are_escaped(text: str) -> None:
    text = text.replace("$", "")
    assert of(f"{text}$${{{text}}}") == f"{text}${{{text}}}"


@pytest.mark.parametrize(
    "value", ["", "x", "${hostname}", "<${ hostaddr }>", "${hostaddr_parts[-1]}", "$${a}", 5, 0.5, None, True, b"x"]
)
def test_what_names_the_host_only_is_the_same_for_all_events(value: object) -> None:
    assert same_for_all(value)


@pytest.mark.parametrize(
    "value", ["${a}", "${hostname}${tag}", "${time}", "${record[hostname]}", "${tag_parts[0]}", ["x"], {}]
)
def test_what_tells_of_an_event_or_can_be_changed_is_not(value: object) -> None:
    assert not same_for_all(value)
