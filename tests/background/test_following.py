from __future__ import annotations

from typing import TYPE_CHECKING

from swak.background.following import follow, last_lines

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_the_last_lines_are_found(tmp_path: Path) -> None:
    path = tmp_path / "web.log"
    path.write_text("".join(f"{number}\n" for number in range(50_000)))
    assert last_lines(path, 3) == b"49997\n49998\n49999\n"
    assert last_lines(path, 0) == b""
    assert last_lines(path, 100_000).count(b"\n") == 50_000


def test_where_the_log_was_just_rotated_the_lines_before_count(tmp_path: Path) -> None:
    (tmp_path / "web.log.1").write_text("a\nb\nc\n")
    (tmp_path / "web.log").write_text("d\n")
    assert last_lines(tmp_path / "web.log", 3) == b"b\nc\nd\n"


def test_a_line_that_is_not_finished_is_shown(tmp_path: Path) -> None:
    (tmp_path / "web.log").write_text("a\nb")
    assert last_lines(tmp_path / "web.log", 1) == b"b"


def followed(path: Path, *steps: Callable[[], object]) -> bytes:
    """Follow a log while these happen, one at each rest."""
    left = list(steps)

    def rest() -> bool:
        if not left:
            return False
        left.pop(0)()
        return True

    return b"".join(follow(path, rest))


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def rotate(path: Path) -> None:
    for number in (2, 1):
        older = path.with_name(f"{path.name}.{number}")
        if older.exists():
            older.rename(path.with_name(f"{path.name}.{number + 1}"))
    path.rename(path.with_name(f"{path.name}.1"))
    path.touch()


def test_only_what_comes_is_followed_over_rotations(tmp_path: Path) -> None:
    path = tmp_path / "web.log"
    path.write_text("before\n")

    def twice() -> None:
        append(path, "two\n")
        rotate(path)
        append(path, "three\n")
        rotate(path)
        append(path, "four\n")

    assert followed(path, lambda: append(path, "one\n"), twice, lambda: append(path, "five\n")) == (
        b"one\ntwo\nthree\nfour\nfive\n"
    )


def test_a_log_that_was_removed_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "web.log"
    path.touch()
    assert followed(path, path.unlink, lambda: append(path, "new\n"), lambda: None) == b"new\n"
