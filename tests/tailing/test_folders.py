from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from swak.tailing.folders import Folders
from swak.tailing.globs import Globs
from tests.tailing.tails import append, no_permission, told
from tests.tailing.trees import NAMES, PARTS, build, by_glob, magic, tick


def looked(*patterns: str) -> Folders:
    """Return the folders of patterns, which were looked at once; nothing of that is left to be touched."""
    folders = Folders(Globs(patterns), lambda _: True)
    look(folders)
    return folders


def look(folders: Folders) -> list[str]:
    tick()
    folders.look()
    tick()
    return folders.touched()


def real(paths: set[str] | list[str]) -> set[str]:
    return {str(Path(path).resolve()) for path in paths}


@pytest.fixture
def no_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every change a change of long ago: a look at the same names finds nothing."""
    monkeypatch.setattr("swak.tailing.stamp.TICK_NS", 0)


FILES = st.lists(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4), max_size=12)
PATTERNS = st.lists(
    st.lists(st.sampled_from(PARTS), min_size=1, max_size=4).filter(magic).map("/".join), min_size=1, max_size=3
)


@settings(max_examples=100, deadline=None)
@given(files=FILES, patterns=PATTERNS)
def test_the_files_of_patterns_are_those_that_glob_finds(files: list[list[str]], patterns: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        build(folder, files)
        paths = [f"{folder}/{pattern}" for pattern in patterns]
        folders = Folders(Globs(paths), lambda _: True)
        folders.look()
        assert set(folders.paths()) == set(folders.touched()) == by_glob(paths)
        assert len(folders.paths()) == len(set(folders.paths()))


@settings(max_examples=100, deadline=None)
@given(
    files=FILES,
    patterns=PATTERNS,
    link=st.lists(st.sampled_from(NAMES), min_size=1, max_size=3),
    to=st.lists(st.sampled_from(NAMES), max_size=3),
)
@example(files=[["a", "x.log"]], patterns=["**/*.log"], link=["a", "b"], to=[])
@example(files=[["x.log"]], patterns=["*/*.log"], link=["b"], to=[])
@example(files=[["b", "x.log"]], patterns=["*/*.log"], link=["a"], to=["b"])
def test_with_symbolic_links_the_same_files_are_found_by_some_path(
    files: list[list[str]], patterns: list[str], link: list[str], to: list[str]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        build(folder, files)
        path = Path(folder, *link)
        if path.parent.is_dir() and not path.exists():
            path.symlink_to(Path(folder, *to))
        paths = [f"{folder}/{pattern}" for pattern in patterns]
        assert real(looked(*paths).paths()) == real(by_glob(paths))


@pytest.mark.usefixtures("no_tick")
def test_nothing_is_touched_when_nothing_changed(tmp_path: Path) -> None:
    build(str(tmp_path), [["a", "x.log"], ["b", "x.log"]])
    assert look(looked(f"{tmp_path}/*/*.log")) == []


@pytest.mark.usefixtures("no_tick")
def test_only_files_in_a_directory_that_changed_are_touched(tmp_path: Path) -> None:
    build(str(tmp_path), [["a", "x.log"], ["b", "x.log"], ["b", "z.log"]])
    folders = looked(f"{tmp_path}/*/*.log")
    append(tmp_path / "b" / "y.log", b"")
    assert look(folders) == [str(tmp_path / "b" / name) for name in ("x.log", "y.log", "z.log")]


@pytest.mark.usefixtures("no_tick")
def test_a_file_that_is_gone_is_touched_once(tmp_path: Path) -> None:
    append(tmp_path / "a.log", b"")
    folders = looked(f"{tmp_path}/*.log")
    (tmp_path / "a.log").unlink()
    assert look(folders) == [str(tmp_path / "a.log")]
    assert (look(folders), folders.paths()) == ([], [])


@pytest.mark.usefixtures("no_tick")
def test_a_directory_that_takes_the_name_of_another_one_is_listed(tmp_path: Path) -> None:
    build(str(tmp_path), [["a", "one.log"], ["b", "two.log"]])
    folders = looked(f"{tmp_path}/a/*.log")
    (tmp_path / "a").rename(tmp_path / "c")
    (tmp_path / "b").rename(tmp_path / "a")
    before = folders.revision
    assert look(folders) == [str(tmp_path / "a" / name) for name in ("one.log", "two.log")]
    assert folders.paths() == [str(tmp_path / "a" / "two.log")]
    assert folders.revision > before


@pytest.mark.usefixtures("no_tick")
def test_a_whole_tree_that_comes_is_found_and_one_that_goes_is_touched(tmp_path: Path) -> None:
    folders = looked(f"{tmp_path}/**/*.log")
    build(str(tmp_path), [["a", "b", "x.log"], ["a", "y.log"]])
    found = [str(tmp_path / "a" / "y.log"), str(tmp_path / "a" / "b" / "x.log")]
    assert look(folders) == found
    (tmp_path / "a").rename(tmp_path / ".a")
    assert look(folders) == found
    assert folders.present() == [str(tmp_path)]


@pytest.mark.usefixtures("no_tick")
def test_a_link_is_touched_at_every_look(tmp_path: Path) -> None:
    build(str(tmp_path), [["real", "1"], ["logs", "x.log"]])
    (tmp_path / "logs" / "y.log").symlink_to(tmp_path / "real" / "1")
    folders = looked(f"{tmp_path}/logs/*.log")
    assert look(folders) == look(folders) == [str(tmp_path / "logs" / "y.log")]


@pytest.mark.usefixtures("no_tick")
def test_a_link_may_lead_to_a_directory_later_and_to_nothing_again(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "link").symlink_to(tmp_path / "real")
    folders = looked(f"{tmp_path}/logs/*/*.log")
    build(str(tmp_path), [["real", "x.log"]])
    found = str(tmp_path / "logs" / "link" / "x.log")
    assert look(folders) == [found]
    (tmp_path / "real").rename(tmp_path / "other")
    assert look(folders) == [found]
    assert folders.paths() == []


@pytest.mark.usefixtures("no_tick")
def test_a_link_to_another_directory_than_before_is_followed(tmp_path: Path) -> None:
    build(str(tmp_path), [["v1", "one.log"], ["v2", "two.log"], ["logs", "none"]])
    link = tmp_path / "logs" / "current"
    link.symlink_to(tmp_path / "v1")
    folders = looked(f"{tmp_path}/logs/*/*.log")
    link.unlink()
    link.symlink_to(tmp_path / "v2")
    assert set(look(folders)) == {str(link / "one.log"), str(link / "two.log")}
    assert folders.paths() == [str(link / "two.log")]


@pytest.mark.usefixtures("no_tick")
def test_a_directory_known_by_two_paths_is_read_by_the_one_without_links(tmp_path: Path) -> None:
    build(str(tmp_path), [["v1", "x.log"]])
    (tmp_path / "current").symlink_to(tmp_path / "v1")
    assert looked(f"{tmp_path}/*/*.log").paths() == [str(tmp_path / "v1" / "x.log")]


@pytest.mark.usefixtures("no_tick")
def test_when_the_path_without_links_goes_the_other_one_is_used(tmp_path: Path) -> None:
    build(str(tmp_path), [["logs", "v1", "x.log"]])
    (tmp_path / "logs" / "current").symlink_to(tmp_path / "kept")
    folders = looked(f"{tmp_path}/logs/*/*.log")
    (tmp_path / "logs" / "v1").rename(tmp_path / "kept")
    look(folders)
    assert folders.paths() == [str(tmp_path / "logs" / "current" / "x.log")]


@pytest.mark.usefixtures("no_tick")
def test_a_root_that_is_not_there_is_told_once_and_found_when_it_comes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folders = looked(f"{tmp_path}/none/*.log")
    assert (look(folders), folders.absent()) == ([], [str(tmp_path / "none")])
    assert len(told(caplog)) == 1
    build(str(tmp_path), [["none", "x.log"]])
    assert look(folders) == [str(tmp_path / "none" / "x.log")]
    assert folders.absent() == []


@pytest.mark.usefixtures("no_tick")
@pytest.mark.parametrize("closed", ["logs", "logs/a"])
def test_a_directory_that_becomes_unreadable_keeps_its_files(
    tmp_path: Path, closed: str, caplog: pytest.LogCaptureFixture
) -> None:
    build(str(tmp_path), [["logs", "a", "x.log"], ["logs", "y.log"]])
    folders = looked(f"{tmp_path}/logs/**/*.log")
    found = folders.paths()
    with no_permission(tmp_path / closed):
        look(folders)
        look(folders)
        assert folders.paths() == found
        assert len(set(told(caplog))) == len(told(caplog)) > 0
    append(tmp_path / "logs" / "a" / "z.log", b"")
    look(folders)
    assert folders.paths() == [*found, str(tmp_path / "logs" / "a" / "z.log")]


@pytest.mark.usefixtures("no_tick")
def test_a_directory_that_was_unreadable_at_first_is_listed_when_it_can_be(tmp_path: Path) -> None:
    build(str(tmp_path), [["a", "x.log"]])
    with no_permission(tmp_path / "a"):
        folders = looked(f"{tmp_path}/*/*.log")
        assert folders.paths() == []
    assert look(folders) == [str(tmp_path / "a" / "x.log")]


def test_a_name_that_is_spelled_out_is_found_where_nothing_can_be_listed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    build(str(tmp_path), [["home", "x.log"], ["secret"]])
    (tmp_path / "home").chmod(0o111)
    with no_permission(tmp_path / "secret"):
        folders = looked(f"{tmp_path}/h*/x.log")
        assert folders.paths() == [str(tmp_path / "home" / "x.log")]
        assert told(caplog) == []


@pytest.mark.usefixtures("no_tick")
def test_everything_under_a_root_is_meant_until_it_is_taken_back(tmp_path: Path) -> None:
    build(str(tmp_path), [["a", "b", "x"], ["a", ".hidden"]])
    folders = looked()
    folders.add_root(str(tmp_path / "a"))
    assert folders.touched() == folders.paths() == [str(tmp_path / "a" / "b" / "x")]
    folders.remove_root(str(tmp_path / "a"))
    assert folders.touched() == [str(tmp_path / "a" / "b" / "x")]
    assert (folders.paths(), folders.present()) == ([], [])


@pytest.mark.usefixtures("no_tick")
def test_a_root_inside_the_tree_of_another_pattern_outlives_it(tmp_path: Path) -> None:
    build(str(tmp_path), [["a", "b", "x.log"], ["a", "b", "x.txt"]])
    folders = looked(f"{tmp_path}/*/*/*.txt", f"{tmp_path}/a/b/*.log")
    (tmp_path / "a").rename(tmp_path / ".a")
    look(folders)
    assert (folders.paths(), folders.absent()) == ([], [str(tmp_path / "a" / "b")])
    (tmp_path / ".a").rename(tmp_path / "a")
    look(folders)
    assert folders.paths() == [str(tmp_path / "a" / "b" / name) for name in ("x.log", "x.txt")]
