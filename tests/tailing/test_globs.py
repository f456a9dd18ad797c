from __future__ import annotations

import tempfile

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from swak.tailing.globs import Globs
from tests.tailing.trees import NAMES, PARTS, build, by_glob, files_of, magic


def meant(folder: str, pattern: str) -> set[str]:
    """Return which of the files under a folder a pattern means, by their paths alone."""
    globs = Globs([f"{folder}/{pattern}"])
    ((root, mask),) = globs.roots.items()
    return {path for path in files_of(folder) if globs.means(path, root, mask)}


@settings(max_examples=150, deadline=None)
@given(
    files=st.lists(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4), max_size=12),
    parts=st.lists(st.sampled_from(PARTS), min_size=1, max_size=4).filter(magic),
)
@example(files=[["x.log"], ["a", "x.log"], ["a", "b", "x.log"]], parts=["**", "x.log"])
@example(files=[["a", ".h", "x.log"], [".h", "x.log"]], parts=["**", "*"])
@example(files=[["a", "b", "x.log"]], parts=["**", "**", "b", "**"])
def test_a_pattern_means_the_files_that_glob_finds(files: list[list[str]], parts: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        build(folder, files)
        pattern = "/".join(parts)
        assert meant(folder, pattern) == by_glob([f"{folder}/{pattern}"])


@pytest.mark.parametrize(
    ("pattern", "root"),
    [("/r/*.log", "/r"), ("/r/a/**/x", "/r/a"), ("/*", "/"), ("/r/[ab]/c/*", "/r"), ("/**", "/")],
)
def test_a_pattern_begins_where_its_wildcards_begin(pattern: str, root: str) -> None:
    assert list(Globs([pattern]).roots) == [root]


def test_patterns_of_one_root_share_its_mask() -> None:
    globs = Globs(["/r/*.log", "/r/*.txt"])
    rules = globs.rules(globs.roots["/r"])
    assert rules.file is not None
    assert [bool(rules.file(name)) for name in ("a.log", "a.txt", "a.gz")] == [True, True, False]


def test_a_directory_that_leads_nowhere_has_no_mask() -> None:
    globs = Globs(["/r/*/x.log"])
    inner = globs.enter(globs.roots["/r"], "a")
    assert inner
    assert globs.enter(inner, "b") == 0


def test_only_spelled_out_names_can_be_asked_for() -> None:
    globs = Globs(["/r/*/x.log"])
    inner = globs.enter(globs.roots["/r"], "a")
    assert (globs.rules(inner).literals, globs.rules(inner).spelled_out) == (["x.log"], True)
    assert not globs.rules(globs.roots["/r"]).spelled_out


@pytest.mark.parametrize(
    ("path", "answer"),
    [("/r/x", True), ("/r/a/b/x", True), ("/r/.h/x", False), ("/r/.x", False), ("/other/x", False), ("/rx", False)],
)
def test_everything_below_a_directory_but_what_is_hidden(path: str, answer: bool) -> None:
    globs = Globs([])
    assert globs.means(path, "/r", globs.below) is answer


def test_a_name_with_line_ends_or_no_unicode_is_a_name_like_others() -> None:
    globs = Globs(["/r/*.log"])
    assert globs.means("/r/a\nb.log", "/r", globs.roots["/r"])
    assert globs.means("/r/\udcff.log", "/r", globs.roots["/r"])
    assert not globs.means("/r/a.log\n", "/r", globs.roots["/r"])


def test_a_pattern_of_many_wildcards_is_compared_in_no_time() -> None:
    globs = Globs(["/r/" + "*a" * 30 + "b"])
    assert not globs.means("/r/" + "a" * 200, "/r", globs.roots["/r"])
