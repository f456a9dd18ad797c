from __future__ import annotations

import logging
import os
import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from swak.tailing.growth import Entry
from swak.tailing.tree import Tree
from tests.tailing.trees import NAMES, PARTS, build, by_glob, files_of, tick


@pytest.fixture
def no_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every change a change of long ago: a look at the same names finds nothing."""
    monkeypatch.setattr("swak.tailing.stamp.TICK_NS", 0)


def looked(*paths: str | Path) -> Tree:
    tree = Tree([str(path) for path in paths])
    look(tree)
    return tree


def look(tree: Tree) -> list[str]:
    tick()
    touched = tree.look()
    tick()
    return touched


def come(path: Path) -> Entry:
    return Entry(str(path.parent), path.name, path.is_dir())


def test_the_first_look_returns_all_with_plain_paths_first(tmp_path: Path) -> None:
    build(str(tmp_path), [["b.log"], ["a.log"], ["sub", "c.log"]])
    plain = [str(tmp_path / "z"), str(tmp_path / "b.log")]
    tree = Tree([f"{tmp_path}/**/*.log", *plain])
    matched = [str(tmp_path / "a.log"), str(tmp_path / "sub" / "c.log")]
    assert tree.look() == [*plain, *matched]
    assert tree.paths() == [*plain, *matched]


def test_nothing_is_looked_at_before_the_first_look(tmp_path: Path) -> None:
    build(str(tmp_path), [["a.log"]])
    assert Tree([f"{tmp_path}/*.log"]).paths() == []


def test_home_and_relative_paths_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/me")
    tree = Tree(["a.log", "~/b.log", "~/*.log"])
    assert (tree.plain, tree.patterns) == ([str(tmp_path / "a.log"), "/home/me/b.log"], ["/home/me/*.log"])


def test_the_identity_names_all_paths_in_their_order() -> None:
    assert Tree(["/b", "/a/*", "/\udcff"]).identity == "/b, /a/*, bytes:2fff"


def test_exclude_takes_names_and_whole_paths_from_patterns_but_no_plain_path(tmp_path: Path) -> None:
    build(str(tmp_path), [["a.log"], ["b.log"], ["c.log"]])
    tree = Tree([f"{tmp_path}/*.log", f"{tmp_path}/a.log"], ["a.*", f"{tmp_path}/b*"])
    tree.look()
    assert tree.paths() == [str(tmp_path / "a.log"), str(tmp_path / "c.log")]


def test_compressed_files_are_left_out_and_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    build(str(tmp_path), [["a.log"], ["a.log.1.GZ"], ["a.log.2.zst"]])
    tree = looked(f"{tmp_path}/a.log*")
    tree.look()
    assert tree.paths() == [str(tmp_path / "a.log")]
    assert len([record for record in caplog.records if "compressed" in record.getMessage()]) == 2


def test_compressed_files_that_can_be_read_are_read_when_asked_for(tmp_path: Path) -> None:
    names = ["a.gz", "b.bz2", "c.xz", "d.lzma", "e.zst", "f.zip", "g.lz4", "h.z"]
    build(str(tmp_path), [[name] for name in names])
    tree = Tree([f"{tmp_path}/*"], compressed=True)
    tree.look()
    assert tree.paths() == [str(tmp_path / name) for name in names[:4]]


def test_a_plain_path_is_read_whatever_its_suffix() -> None:
    tree = looked("/d/a.gz")
    assert tree.paths() == ["/d/a.gz"]
    assert tree.wants("/d/a.gz")


@pytest.mark.usefixtures("no_tick")
def test_a_plain_path_is_touched_only_when_its_directory_changed(tmp_path: Path) -> None:
    tree = looked(tmp_path / "a.log", tmp_path / "sub" / "b.log")
    assert look(tree) == []
    build(str(tmp_path), [["a.log"]])
    assert look(tree) == [str(tmp_path / "a.log")]
    build(str(tmp_path), [["sub", "other"]])
    assert set(look(tree)) == {str(tmp_path / "a.log"), str(tmp_path / "sub" / "b.log")}
    assert look(tree) == []


@pytest.mark.usefixtures("no_tick")
def test_a_plain_path_through_a_symbolic_link_is_touched_at_every_look(tmp_path: Path) -> None:
    build(str(tmp_path), [["real", "a.log"], ["real", "b.log"]])
    (tmp_path / "a.log").symlink_to(tmp_path / "real" / "a.log")
    (tmp_path / "folder").symlink_to(tmp_path / "real")
    tree = looked(tmp_path / "a.log", tmp_path / "folder" / "b.log", tmp_path / "real" / "b.log")
    assert look(tree) == look(tree) == [str(tmp_path / "a.log"), str(tmp_path / "folder" / "b.log")]


@pytest.mark.usefixtures("no_tick")
def test_a_path_that_is_a_directory_means_everything_under_it(tmp_path: Path) -> None:
    build(str(tmp_path), [["logs", "a", "x"], ["logs", ".hidden"], ["logs", "y"]])
    tree = looked(tmp_path / "logs")
    assert tree.paths() == [str(tmp_path / "logs" / "y"), str(tmp_path / "logs" / "a" / "x")]
    assert look(tree) == []


@pytest.mark.usefixtures("no_tick")
def test_a_path_may_become_a_directory_and_cease_to_be_one(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    tree = looked(logs)
    build(str(tmp_path), [["logs", "x"]])
    assert set(look(tree)) == {str(logs), str(logs / "x")}
    assert tree.paths() == [str(logs / "x")]
    shutil.rmtree(logs)
    logs.touch()
    assert set(look(tree)) == {str(logs), str(logs / "x")}
    assert tree.paths() == [str(logs)]


def test_a_new_file_is_noted_without_listing(tmp_path: Path) -> None:
    tree = looked(f"{tmp_path}/*.log")
    build(str(tmp_path), [["a.log"], ["b.log"], ["c.txt"]])
    assert tree.note({come(tmp_path / "a.log"), come(tmp_path / "c.txt")}) == [str(tmp_path / "a.log")]
    assert tree.paths() == [str(tmp_path / "a.log")]


def test_a_file_that_went_is_noted(tmp_path: Path) -> None:
    build(str(tmp_path), [["a.log"]])
    tree = looked(f"{tmp_path}/*.log")
    (tmp_path / "a.log").unlink()
    assert tree.note([Entry(str(tmp_path), "a.log", is_directory=False)]) == [str(tmp_path / "a.log")]
    assert tree.paths() == []


def test_a_pipe_is_no_file_that_a_pattern_means(tmp_path: Path) -> None:
    tree = looked(f"{tmp_path}/*.log")
    os.mkfifo(tmp_path / "a.log")
    assert tree.note([come(tmp_path / "a.log")]) == tree.look() == []


def test_a_new_directory_is_walked_at_once_and_to_be_watched(tmp_path: Path) -> None:
    tree = looked(f"{tmp_path}/**/*.log")
    before = tree.revision
    build(str(tmp_path), [["a", "b", "x.log"]])
    assert tree.note([come(tmp_path / "a")]) == [str(tmp_path / "a" / "b" / "x.log")]
    assert tree.revision > before
    assert tree.directories() == [str(tmp_path), str(tmp_path / "a"), str(tmp_path / "a" / "b")]


def test_a_directory_that_is_moved_is_noted_under_both_names(tmp_path: Path) -> None:
    build(str(tmp_path), [["a", "b", "x.log"]])
    tree = looked(f"{tmp_path}/**/*.log")
    (tmp_path / "a").rename(tmp_path / "c")
    entries = [Entry(str(tmp_path), name, is_directory=True) for name in "ac"]
    assert tree.note(entries) == [str(tmp_path / name / "b" / "x.log") for name in "ac"]
    assert tree.paths() == [str(tmp_path / "c" / "b" / "x.log")]


def test_without_a_name_the_directory_itself_is_looked_at(tmp_path: Path) -> None:
    build(str(tmp_path), [["logs", "a.log"]])
    tree = looked(f"{tmp_path}/logs/*.log", tmp_path / "logs" / "b.log")
    build(str(tmp_path), [["logs", "c.log"]])
    found = [str(tmp_path / "logs" / name) for name in ("b.log", "a.log", "c.log")]
    assert tree.note([Entry(str(tmp_path / "logs"), "", is_directory=True)]) == found
    shutil.rmtree(tmp_path / "logs")
    assert tree.note([Entry(str(tmp_path / "logs"), "", is_directory=True)]) == found
    assert tree.paths() == found[:1]


def test_a_name_in_a_directory_of_no_interest_touches_nothing(tmp_path: Path) -> None:
    build(str(tmp_path), [["a.log"]])
    assert looked(f"{tmp_path}/sub/*.log").note([come(tmp_path / "a.log")]) == []


@pytest.mark.usefixtures("no_tick")
@pytest.mark.parametrize("path", ["a/b/x.log", "a/b/*.log"])
def test_of_a_directory_that_is_not_there_the_nearest_ancestor_is_watched(tmp_path: Path, path: str) -> None:
    tree = looked(tmp_path / path)
    assert tree.directories() == [str(tmp_path)]
    (tmp_path / "a").mkdir()
    before = tree.revision
    tree.note([come(tmp_path / "a")])
    assert tree.revision > before
    assert tree.directories() == [str(tmp_path / "a")]
    build(str(tmp_path), [["a", "b", "x.log"]])
    assert tree.note([come(tmp_path / "a" / "b")]) == [str(tmp_path / "a" / "b" / "x.log")]
    assert tree.directories() == [str(tmp_path / "a" / "b")]


@pytest.mark.usefixtures("no_tick")
def test_an_ancestor_that_came_unseen_is_found_by_looking(tmp_path: Path) -> None:
    tree = looked(tmp_path / "a" / "b" / "x.log")
    tree.directories()
    before = tree.revision
    look(tree)
    assert tree.revision == before
    (tmp_path / "a").mkdir()
    look(tree)
    assert tree.revision > before


@pytest.mark.usefixtures("no_tick")
def test_a_directory_that_was_replaced_is_to_be_watched_anew(tmp_path: Path) -> None:
    build(str(tmp_path), [["a", "x.log"]])
    tree = looked(tmp_path / "a" / "x.log")
    before = tree.revision
    (tmp_path / "a").rename(tmp_path / "b")
    build(str(tmp_path), [["a", "x.log"]])
    assert look(tree) == [str(tmp_path / "a" / "x.log")]
    assert tree.revision > before


def test_no_more_directories_are_watched_than_may_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("swak.tailing.tree.WATCHED_MAX", 2)
    build(str(tmp_path), [["a", "x"], ["b", "x"], ["c", "x"]])
    tree = looked(f"{tmp_path}/*/x")
    assert tree.directories() == tree.directories() == [str(tmp_path), str(tmp_path / "a")]
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/var/log/app.log", True),
        ("/var/log/sub/../app.log", True),
        ("/var/log/deep/er/x.log", True),
        ("/var/log/x.txt", False),
        ("/var/log/.hidden.log", False),
        ("/var/log/x.log.gz", False),
        ("/var/log/noise.log", False),
        ("/srv/logs/any/thing", True),
        ("/srv/logs/any/thing.gz", False),
        ("/srv/logs", True),
        ("/srv/logs2", False),
    ],
)
def test_what_would_be_read_can_be_told_without_looking(path: str, answer: bool) -> None:
    assert Tree(["/var/log/**/*.log*", "/srv/logs"], ["noise.*"]).wants(path) is answer


class Step(NamedTuple):
    """One change to a tree of files."""

    kind: str
    parts: list[str]
    to: list[str]


PATHS = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3)
STEPS = st.builds(Step, st.sampled_from(["file", "folder", "delete", "move", "link", "replace"]), PATHS, PATHS)
WANTED = st.lists(st.lists(st.sampled_from(PARTS), min_size=1, max_size=3).map("/".join), min_size=1, max_size=3)


def do(folder: str, step: Step) -> list[Entry]:
    """Do a step if it can be done; return the entries that tell of it."""
    path, to = Path(folder, *step.parts), Path(folder, *step.to)
    there, entry = os.path.lexists(path), Entry(str(path.parent), path.name, path.is_dir())
    if step.kind in ("delete", "replace") and there:
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        if step.kind == "replace":
            path.touch()
        return [entry]
    if step.kind == "move" and there and to.parent.is_dir() and not os.path.lexists(to) and path not in to.parents:
        path.rename(to)
        return [entry, come(to)]
    if there or not path.parent.is_dir() or step.kind in ("delete", "move", "replace"):
        return []
    if step.kind == "folder":
        path.mkdir()
    elif step.kind == "link" and to.is_file():
        path.symlink_to(to)  # to a file only: what glob makes of links to directories is another test
    else:
        path.touch()
    return [come(path)]


def state(folder: str) -> dict[str, tuple[int, int]]:
    """Return inode and time of change of every file that is there."""
    there = {path: Path(path).stat() for path in files_of(folder) if Path(path).exists()}
    return {path: (status.st_ino, status.st_ctime_ns) for path, status in there.items()}


def check(tree: Tree, paths: list[str], folder: str, steps: list[Step], *, notices: bool) -> None:
    """Do some steps; compare with glob, and see that nothing changed without being touched."""
    before, meant = state(folder), set(tree.paths())
    watched = set(tree.directories())
    entries = [entry for step in steps for entry in do(folder, step) if entry.directory in watched]
    touched = tree.note(entries) if notices else tree.look()
    assert set(tree.paths()) == by_glob(paths)
    assert len(touched) == len(set(touched))
    after = state(folder)
    changed = {path for path in before | after if before.get(path) != after.get(path)}
    assert changed & (meant | set(tree.paths())) <= set(touched)


ROUNDS = st.lists(st.lists(STEPS, min_size=1, max_size=4), max_size=6)


@settings(max_examples=100, deadline=None)
@given(files=st.lists(PATHS, max_size=8), wanted=WANTED, rounds=ROUNDS)
@example(files=[["a", "b", "x.log"]], wanted=["a/b/*"], rounds=[[Step("move", ["a"], ["ab"])]])
def test_after_any_changes_a_look_finds_what_glob_finds(
    files: list[list[str]], wanted: list[str], rounds: list[list[Step]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        build(folder, files)
        paths = [f"{folder}/{one}" for one in wanted]
        tree = looked(*paths)
        for steps in rounds:
            check(tree, paths, folder, steps, notices=False)


@settings(max_examples=100, deadline=None)
@given(files=st.lists(PATHS, max_size=8), wanted=WANTED, rounds=ROUNDS)
def test_after_any_changes_notices_lead_to_what_glob_finds(
    files: list[list[str]], wanted: list[str], rounds: list[list[Step]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        build(folder, files)
        paths = [f"{folder}/*/{one}" for one in wanted] + [f"{folder}/**/{one}" for one in wanted]
        tree = looked(*paths)
        for steps in rounds:
            check(tree, paths, folder, steps, notices=True)
