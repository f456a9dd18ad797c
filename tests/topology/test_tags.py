"""Tag patterns against tags."""

from __future__ import annotations

import pytest

from swak.topology.tags import TAGS_REMEMBERED, compile_pattern


@pytest.mark.parametrize(
    ("pattern", "tag", "matches"),
    [
        ("web", "web", True),
        ("web", "web.access", False),
        ("web", "weby", False),
        ("web.access", "webXaccess", False),
        ("*", "web", True),
        ("*", "web.access", False),
        ("*", "", False),
        ("web.*", "web.access", True),
        ("web.*", "web", False),
        ("web.*", "web.access.eu", False),
        ("*.access", "web.access", True),
        ("web.*.eu", "web.access.eu", True),
        ("web.*.eu", "web.eu", False),
        ("**", "", True),
        ("**", "web", True),
        ("**", "web.access.eu", True),
        ("web.**", "web", True),
        ("web.**", "web.access", True),
        ("web.**", "web.access.eu", True),
        ("web.**", "webaccess", False),
        ("web.**", "db.web", False),
        ("**.eu", "eu", True),
        ("**.eu", "web.access.eu", True),
        ("**.eu", "web.neu", False),
        ("a.**.z", "a.z", True),
        ("a.**.z", "a.b.c.z", True),
        ("a.**.z", "a.b.c", False),
        ("a.**.m.**.z", "a.b.m.c.z", True),
        ("a.**.m.**.z", "a.b.c.z", False),
        ("**.**", "a", True),
        ("{a,b}", "a", True),
        ("{a,b}", "b", True),
        ("{a,b}", "c", False),
        ("{a,b}.*", "b.x", True),
        ("a.{b,c.**}", "a.c.d.e", True),
        ("a.{b,c.**}", "a.b.d", False),
        ("{a,{b,c}d}", "cd", True),
        ("a b", "b", True),
        ("a b.**", "b.c", True),
        ("a b", "a b", False),
        ("web*", "web2", True),
        ("web*", "web.2", False),
        ("w*b*s", "webs", True),
        ("w*b*s", "wes", False),
        ("kube**", "kube", True),
        ("kube**", "kubernetes.pod.x", True),
        ("kube**", "akube", False),
        ("**log", "a.b.syslog", True),
        ("a**z", "abz", True),
        ("a**z", "ab.c.yz", True),
        ("a**z", "ab.c.y", False),
        ("a.b+c", "a.bbc", False),
        ("한국.*", "한국.로그", True),
    ],
)
def test_a_pattern_matches_as_in_fluentd(pattern: str, tag: str, matches: bool) -> None:
    assert compile_pattern(pattern)(tag) is matches


@pytest.mark.parametrize("pattern", ["{a", "a}", "{a,{b}", "}a{", "{a, b}", "", "  ", "***", "a**b**c"])
def test_a_malformed_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        compile_pattern(pattern)


def test_a_pattern_that_is_no_text_is_refused() -> None:
    with pytest.raises(ValueError, match="not 5"):
        compile_pattern(5)  # type: ignore[arg-type]


def test_braces_that_multiply_without_end_are_refused() -> None:
    with pytest.raises(ValueError, match="more than"):
        compile_pattern("{a,b}" * 30)


def test_a_long_hostile_tag_is_answered_in_bounded_time() -> None:
    matches = compile_pattern("**.a*a*a*b.**.c.**.d")
    assert not matches(".".join(["a" * 300] * 3_000))


def test_many_distinct_tags_do_not_fill_the_memory() -> None:
    matches = compile_pattern("web.**")
    for number in range(TAGS_REMEMBERED + 10):
        matches(f"web.{number}")
    assert matches.cache_info().currsize == TAGS_REMEMBERED  # type: ignore[attr-defined]
