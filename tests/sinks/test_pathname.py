from __future__ import annotations

import fnmatch
import os.path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swak.sinks.pathname import NAME_BYTES_MAX, PathTemplate

AT_NS = 1_414_767_730 * 10**9
VALUES = st.one_of(
    st.text(),
    st.none(),
    st.integers(),
    st.binary(),
    st.sampled_from([".", "..", "../../etc/passwd", "/etc/passwd", "a/b", "\0", "", "~", "x" * 5000, "한" * 200]),
)


def test_time_tag_and_fields_stand_in_a_path() -> None:
    template = PathTemplate("/log/%Y/{tag}/{host.name}-{time:%H}.log", "Asia/Seoul")
    assert template.path("web.access", AT_NS, {"host": {"name": "a1"}}) == "/log/2014/web.access/a1-00.log"


def test_the_same_path_for_all_is_fixed() -> None:
    assert PathTemplate("/log/a%%b{{c}}.log").path("t", 0, {}) == "/log/a%b{c}.log"
    assert PathTemplate("/log/app.log").fixed
    assert not PathTemplate("/log/%Y.log").fixed
    assert not PathTemplate("/log/{tag}.log").fixed
    assert not PathTemplate("/log/{a}.log").fixed


@given(VALUES, VALUES, st.text())
def test_a_value_never_leaves_its_folder(first: object, second: object, tag: str) -> None:
    path = PathTemplate("/log/{tag}/.{a}/{a}{b}/x{b}").path(tag, 0, {"a": first, "b": second})
    assert path.startswith("/log/")
    assert path.count("/") == 5
    assert os.path.normpath(path) == path
    assert all(0 < len(name.encode()) <= NAME_BYTES_MAX for name in path.split("/")[1:])
    assert path.isprintable()


@pytest.mark.parametrize("value", ["..", "a/b", "", None, "a\0b", ".hidden", "a\\b", "a\nb"])
def test_what_does_not_fit_is_told(value: object) -> None:
    told: list[tuple[str, str]] = []
    PathTemplate("/log/{a}", told=lambda *pair: told.append(pair)).path("t", 0, {"a": value})
    assert len(told) == 1


def test_long_names_that_differ_stay_different() -> None:
    template = PathTemplate("/log/{a}.log")
    assert template.path("t", 0, {"a": "x" * 500}) != template.path("t", 0, {"a": "x" * 501})


@given(VALUES, st.integers(0, 2**62))
def test_every_path_matches_the_pattern(value: object, time_ns: int) -> None:
    template = PathTemplate("/l[o]g/%Y-%m/{tag}{time}/a*{a}.log")
    path = template.path("t", time_ns, {"a": value})
    if len(path) <= NAME_BYTES_MAX:
        assert fnmatch.fnmatchcase(path, template.pattern())


def test_a_bad_template_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="names no field"):
        PathTemplate("/log/{}")
