from __future__ import annotations

from typing import TYPE_CHECKING

from swak.plugins.inputs.file_tailing import FileTailing
from tests.tailing.tails import Tail, age, append, rotate, told

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_after_a_restart_the_rest_of_a_rotated_file_comes_first(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\n")
    with Tail(path) as tail:
        tail.read()
        positions = tail.positions
    append(path, b"two\n")
    rotate(path)
    append(path, b"three\n")
    with Tail(path, positions) as again:
        assert again.pass_time(3) == b"two\nthree\n"


def test_two_rotations_while_stopped_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\n")
    with Tail(path) as tail:
        tail.read()
        positions = tail.positions
    for text in (b"two\n", b"three\n"):
        append(path, text)
        rotate(path)
    append(path, b"four\n")
    with Tail(path, positions) as again:
        assert again.pass_time(3) == b"two\nthree\nfour\n"


def test_rotated_files_are_read_even_while_nothing_new_has_the_path(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\n")
    with Tail(path) as tail:
        tail.read()
        positions = tail.positions
    for text in (b"two\n", b"three\n"):
        append(path, text)
        rotate(path)
    with Tail(path, positions, once=True) as again:
        assert again.read() == b"two\nthree\n"
        assert again.ended


def test_files_that_were_rotated_before_the_very_first_start_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path.with_name("a.log.1"), b"older\n")
    age(path.with_name("a.log.1"), 100)
    append(path, b"one\n")
    with Tail(path) as tail:
        tail.read()
        positions = tail.positions
    rotate(path)
    append(path, b"two\n")
    with Tail(path, positions) as again:
        assert again.pass_time(3) == b"two\n"


def test_other_files_beside_the_path_are_no_generations_of_it(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\n")
    with Tail(path) as tail:
        tail.read()
        rotate(path)
        for name in ("a.log.gz", "a.log.2.gz", "a.log.pos", "a.log.audit", "b.log.1"):
            append(tmp_path / name, b"foreign\n")
        append(path, b"two\n")
        tail.pass_time(3)
        assert tail.text == b"one\ntwo\n"


def test_a_dated_name_is_a_generation(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\n")
    with Tail(path) as tail:
        tail.read()
        path.rename(tmp_path / "a.log-20240101")
        append(path, b"two\n")
        path.rename(tmp_path / "a.log-20240102.1")
        append(path, b"three\n")
        tail.pass_time(3)
        assert tail.text == b"one\ntwo\nthree\n"


def test_every_position_of_a_run_leads_back_to_everything_after_it(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    with Tail(path) as tail:
        for text in (b"one\n", b"two\n", b"three\n"):
            append(path, text)
            tail.pass_time(3)
            if text != b"three\n":
                rotate(path)
        steps, whole = tail.steps, tail.text
    assert whole == b"one\ntwo\nthree\n"
    for step in steps[1:]:
        with Tail(path, step) as again:
            rest = again.pass_time(5)
        done = len(b"".join(b"%s\n" % word for word in (b"one", b"two", b"three")[: settled_lines(step)]))
        assert rest == whole[done:], step


def settled_lines(step: dict[str, dict[str, int]]) -> int:
    return sum(position["offset"] > 0 for position in step.values())


def test_a_file_read_before_and_not_found_again_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\n")
    with Tail(path) as tail:
        tail.read()
        positions = tail.positions
    path.unlink()
    append(path, b"two\n")
    with Tail(path, positions) as again:
        assert again.pass_time(1) == b"two\n"
        again.clock.advance(3_600)
        again.pass_time(6)
        assert set(positions) <= set(again.plugin.gone())
    assert any("not found" in line and "read_to=4" in line for line in told(caplog))


def test_a_new_file_with_the_inode_of_the_old_one_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    for number in range(20):  # this file system may give the inode to somebody else in between
        append(path, b"same head\n%d\n" % number)
        with Tail(path) as tail:
            tail.read()
            positions = tail.positions
        path.unlink()
        append(path, b"same head\n%d\nmore\n" % number)
        with Tail(path, positions) as again:
            assert again.pass_time(2) == b"same head\n%d\nmore\n" % number
        path.unlink()


def test_old_generations_keep_their_positions_as_long_as_they_exist(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\n")
    with Tail(path) as tail:
        tail.read()
        rotate(path)
        append(path, b"two\n")
        tail.pass_time(70)
        assert tail.plugin.gone() == []
        (tmp_path / "a.log.1").unlink()
        tail.pass_time(6)
        tail.clock.advance(3_600)
        tail.pass_time(6)
        assert tail.plugin.gone() == [tail.handed[0][0]]


def test_files_take_turns(tmp_path: Path) -> None:
    for name in "ab":
        append(tmp_path / f"{name}.log", f"{name} line\n".encode() * 100_000)
    with Tail(tmp_path / "*.log") as tail:
        tail.read()
        order = [data[:1] for _, data in tail.handed]
    assert order[:4] == [b"a", b"b", b"a", b"b"]


def test_a_quiet_file_is_read_while_another_never_pauses(tmp_path: Path) -> None:
    busy, quiet = tmp_path / "busy.log", tmp_path / "quiet.log"
    append(busy, b"b\n")
    append(quiet, b"q\n")
    with Tail([str(busy), str(quiet)]) as tail:
        tail.calm_down()
        append(quiet, b"heard\n")
        for _ in range(5):
            append(busy, b"noise\n")
            tail.clock.advance(0.009)
            tail.plugin.read()
        append(busy, b"noise\n")
        assert b"heard\n" not in tail.read()  # it came among the five


def test_a_pattern_finds_files_that_appear_later_at_any_depth(tmp_path: Path) -> None:
    append(tmp_path / "a.log", b"a\n")
    with Tail(tmp_path / "**" / "*.log", exclude=["skip*"]) as tail:
        assert tail.read() == b"a\n"
        deep = tmp_path / "x" / "y"
        deep.mkdir(parents=True)
        append(deep / "b.log", b"b\n")
        append(deep / "skip.log", b"never\n")
        append(deep / "c.log.gz", b"never\n")
        assert tail.pass_time(6) == b"b\n"


def test_a_file_with_two_names_is_read_once(tmp_path: Path) -> None:
    append(tmp_path / "a.log", b"one\n")
    (tmp_path / "b.log").hardlink_to(tmp_path / "a.log")
    (tmp_path / "c.log").symlink_to(tmp_path / "a.log")
    with Tail([str(tmp_path / "*.log"), str(tmp_path / "a.log")]) as tail:
        assert tail.read() == b"one\n"


def test_the_identity_of_the_input_is_its_absolute_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert FileTailing(["a.log", "/b/*.log"]).identity == f"{tmp_path}/a.log, /b/*.log"


def test_a_file_that_was_renamed_just_before_a_restart_is_still_followed(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\n")
    with Tail(path) as tail:
        tail.read()
        positions = tail.positions
    age(path, 500)
    rotate(path)
    append(path, b"two\n")
    with Tail(path, positions) as again:
        assert again.pass_time(3) == b"two\n"
        append(path.with_name("a.log.1"), b"late\n")
        assert again.read() == b"late\n"
