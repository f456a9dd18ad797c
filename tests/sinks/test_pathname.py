from __future__ import annotations

import fnmatch
import os.path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swak.sinks import pathname
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


@pytest.mark.parametrize("name", ["con", "NUL.txt", "Com1", "aux .log", "lpt³.x"])
def test_a_name_that_windows_takes_for_a_device_is_changed_there(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pathname, "_WINDOWS", True)
    assert PathTemplate("c:/../log/{a}").path("t", 0, {"a": name}) == f"c:/../log/_{name}"


def test_dots_and_blanks_that_windows_cuts_off_are_changed_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pathname, "_WINDOWS", True)
    assert PathTemplate("{a}/x").path("t", 0, {"a": "name. ."}) == "name___/x"
    assert PathTemplate("{a}/x").path("t", 0, {"a": "console"}) == "console/x"


@given(st.integers(0, 2**62))
def test_exactly_the_paths_of_a_time_are_known_by_their_look(time_ns: int) -> None:
    template = PathTemplate("/l+g/%Y%m%d-%b%%/{time:%H}.log")
    pattern = template.exact()
    assert pattern is not None
    assert pattern.fullmatch(template.path("t", time_ns, {}))
    assert not pattern.fullmatch("/l+g/x-Jan%/00.log")


@pytest.mark.parametrize("text", ["/log/a.log", "/log/%Y-{tag}.log", "/log/%Y-{a}.log"])
def test_what_varies_by_more_than_the_time_has_no_exact_look(text: str) -> None:
    assert PathTemplate(text).exact() is None


@pytest.mark.parametrize(
    ("text", "folder"), [("/a/b/%Y/x", "/a/b"), ("/a/b-{tag}/x", "/a"), ("{tag}/x", ""), ("x/%Y", "x")]
)
def test_the_folder_of_all_paths_is_known(text: str, folder: str) -> None:
    assert PathTemplate(text).folder == folder
