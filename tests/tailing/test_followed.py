from __future__ import annotations

import errno
import os
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import pytest

from swak.plugins.inputs import file_tailing
from swak.tailing.content import Plain
from tests.tailing.tails import Tail, append, count_of_descriptors, no_permission, open_files, rotate, told

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from swak.ack import Position
    from swak.tailing.files import Files
    from swak.tailing.lineage import Generation

COUNT = 50
ROOM = 10


@pytest.fixture
def little_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let an input hold ROOM files open."""
    monkeypatch.setattr(file_tailing, "open_files_max", lambda: ROOM)


def files_of(tail: Tail) -> Files:
    assert tail.plugin._files is not None
    return tail.plugin._files


def generations(tail: Tail) -> dict[str, Generation]:
    """Return the open files by the paths under which they are followed."""
    return {one.follower.path: one for one in files_of(tail)._followed.open.values()}


def lines_of(tail: Tail) -> dict[str, list[bytes]]:
    """Return what came of each source, line by line."""
    found: dict[str, list[bytes]] = {}
    for source, data in tail.handed:
        found.setdefault(source, []).extend(data.splitlines())
    return found


def fill(folder: Path, text: str = "first") -> list[Path]:
    paths = [folder / f"{number:02d}.log" for number in range(COUNT)]
    for path in paths:
        append(path, f"{path.stem} {text}\n".encode())
    return paths


def wanted(paths: list[Path], *texts: str) -> list[list[bytes]]:
    return sorted([f"{path.stem} {text}".encode() for text in texts] for path in paths)


# ---- parking: more files than descriptors


@pytest.mark.usefixtures("little_room")
def test_more_files_than_may_be_open_are_all_read(tmp_path: Path) -> None:
    paths = fill(tmp_path)
    with Tail(tmp_path / "*.log") as tail:
        tail.pass_time(12)
        assert sorted(lines_of(tail).values()) == wanted(paths, "first")
        assert len(open_files(tmp_path)) <= ROOM


@pytest.mark.usefixtures("little_room")
def test_with_no_room_for_all_nothing_is_told_as_an_error_for_ever(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fill(tmp_path)
    with Tail(tmp_path / "*.log") as tail:
        tail.pass_time(30)
    assert len(told(caplog)) <= 1, told(caplog)


@pytest.mark.usefixtures("little_room")
def test_growth_of_files_that_are_not_open_comes_within_a_sweep(tmp_path: Path) -> None:
    paths = fill(tmp_path)
    with Tail(tmp_path / "*.log") as tail:
        tail.pass_time(12)
        fill(tmp_path, "second")
        tail.pass_time(12)
        assert sorted(lines_of(tail).values()) == wanted(paths, "first", "second")
        append(paths[0], b"00 third\n")
        append(paths[-1], b"49 third\n")
        assert sorted(tail.pass_time(5.5).splitlines()) == [b"00 third", b"49 third"]


@pytest.mark.usefixtures("little_room")
def test_rotation_of_files_that_are_not_open_loses_nothing(tmp_path: Path) -> None:
    paths = fill(tmp_path)
    with Tail(tmp_path / "*.log") as tail:
        tail.pass_time(12)
        for path in paths:
            append(path, f"{path.stem} unread\n".encode())
            rotate(path)
            append(path, f"{path.stem} new\n".encode())
        tail.pass_time(40)
        assert sorted(tail.text.splitlines()) == sorted(
            f"{path.stem} {text}".encode() for path in paths for text in ("first", "unread", "new")
        )
        assert len(open_files(tmp_path)) <= ROOM


@pytest.mark.usefixtures("little_room")
def test_files_that_are_renamed_within_a_pattern_while_they_are_not_open_are_not_read_again(tmp_path: Path) -> None:
    paths = fill(tmp_path)
    with Tail(tmp_path / "*.log*") as tail:
        tail.pass_time(12)
        for path in paths:
            path.rename(path.with_name(f"{path.name}.moved"))
        tail.pass_time(12)
        assert sorted(lines_of(tail).values()) == wanted(paths, "first")
        for path in paths:
            append(path.with_name(f"{path.name}.moved"), f"{path.stem} second\n".encode())
        tail.pass_time(12)
        assert sorted(lines_of(tail).values()) == wanted(paths, "first", "second")


@pytest.mark.usefixtures("little_room")
def test_more_files_than_may_be_open_go_on_where_they_were_left(tmp_path: Path) -> None:
    paths = fill(tmp_path)
    with Tail(tmp_path / "*.log") as tail:
        tail.pass_time(12)
        positions = tail.positions
    fill(tmp_path, "second")
    with Tail(tmp_path / "*.log", positions) as again:
        again.pass_time(12)
        assert sorted(lines_of(again).values()) == wanted(paths, "second")


@pytest.mark.usefixtures("little_room")
@pytest.mark.parametrize("follow", [{"follow": False}, {"once": True}])
def test_a_run_that_ends_reads_more_files_than_may_be_open(tmp_path: Path, follow: dict[str, Any]) -> None:
    paths = fill(tmp_path)
    with Tail(tmp_path / "*.log", **follow) as tail:
        tail.pass_time(60)
        assert sorted(lines_of(tail).values()) == wanted(paths, "first")
        assert tail.ended


@pytest.mark.usefixtures("little_room")
def test_half_lines_of_files_that_are_not_open_are_kept(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number:02d}.log" for number in range(COUNT)]
    for path in paths:
        append(path, b"half")
    with Tail(tmp_path / "*.log") as tail:
        tail.pass_time(12)
        assert tail.text == b""
        for path in paths:
            append(path, f" {path.stem}\n".encode())
        tail.pass_time(12)
        assert sorted(tail.text.splitlines()) == sorted(f"half {path.stem}".encode() for path in paths)


@pytest.mark.usefixtures("little_room")
def test_a_file_that_is_truncated_while_it_is_not_open_is_read_from_its_start(tmp_path: Path) -> None:
    paths = fill(tmp_path)
    with Tail(tmp_path / "*.log") as tail:
        tail.pass_time(12)
        for path in paths:
            path.write_bytes(f"{path.stem}\n".encode())
        tail.pass_time(12)
        assert sorted(tail.text.splitlines()[COUNT:]) == sorted(path.stem.encode() for path in paths)


@pytest.mark.usefixtures("little_room")
def test_files_that_are_deleted_while_they_are_not_open_are_gone(tmp_path: Path) -> None:
    paths = fill(tmp_path)
    (tmp_path / "other").touch()
    with Tail(tmp_path / "*.log") as tail:
        tail.pass_time(12)
        for path in paths:
            path.unlink()
        tail.pass_time(3_700)
        assert sorted(tail.plugin.gone()) == sorted(tail.positions)
        assert open_files(tmp_path) == set()


@pytest.mark.usefixtures("little_room")
def test_a_half_line_of_a_file_that_is_rotated_while_it_is_not_open_is_delivered(tmp_path: Path) -> None:
    paths = fill(tmp_path)
    for path in paths:
        append(path, b"half")
    with Tail(tmp_path / "*.log") as tail:
        tail.pass_time(12)
        for path in paths:
            rotate(path)
            append(path, b"new\n")
        tail.pass_time(600)
        assert (tail.text.count(b"half\n"), tail.text.count(b"new\n")) == (COUNT, COUNT)
        assert len(open_files(tmp_path)) <= ROOM


@pytest.mark.usefixtures("little_room")
def test_files_that_never_pause_do_not_keep_others_out_for_ever(tmp_path: Path) -> None:
    paths = fill(tmp_path)
    with Tail(tmp_path / "*.log") as tail:
        for _ in range(1_000):
            for path in paths[:ROOM]:
                append(path, b"noise\n")
            tail.clock.advance(0.06)
            tail.read()
        assert {path.stem.encode() + b" first" for path in paths} <= set(tail.text.splitlines())
        tail.pass_time(12)
        assert tail.text.count(b"noise\n") == 1_000 * ROOM


@pytest.mark.usefixtures("little_room")
def test_events_of_several_lines_are_whole_in_files_that_take_turns(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number:02d}.log" for number in range(COUNT)]
    for path in paths:
        append(path, f"1 {path.stem}\n more\n".encode())
    with Tail(tmp_path / "*.log", multiline=r"^\d") as tail:
        tail.pass_time(60)
        for path in paths:
            append(path, f"2 {path.stem}\n".encode())
        tail.pass_time(60)
        wanted_messages = [text for path in paths for text in (f"1 {path.stem}\n more", f"2 {path.stem}")]
        assert sorted(tail.messages) == sorted(wanted_messages)


@pytest.mark.usefixtures("little_room")
def test_what_is_there_at_the_first_start_is_skipped_in_all_files(tmp_path: Path) -> None:
    fill(tmp_path)
    with Tail(tmp_path / "*.log", from_="end") as tail:
        tail.pass_time(12)
        assert tail.text == b""
        paths = fill(tmp_path, "second")
        tail.pass_time(12)
        assert sorted(lines_of(tail).values()) == wanted(paths, "second")


@pytest.mark.usefixtures("little_room")
def test_a_file_that_grows_just_when_it_is_closed_for_another_is_read(tmp_path: Path) -> None:
    paths = fill(tmp_path)
    with Tail(tmp_path / "*.log") as tail:
        tail.pass_time(12)
        assert tail.plugin._files is not None
        for generation in list(files_of(tail)._followed.open.values()):
            append(tmp_path / generation.follower.path, b"at the last moment\n")
            generation.lineage.waiting.clear()
            files_of(tail)._followed.put_away(generation)
        assert tail.pass_time(12) == b"at the last moment\n" * len(open_files(tmp_path))
        assert len(paths) == COUNT


@pytest.mark.skipif(sys.platform != "linux", reason="it counts descriptors in /proc")
def test_when_descriptors_run_out_quiet_files_are_closed_for_others(tmp_path: Path) -> None:
    script = """
        import resource, sys
        from swak.plugins.inputs import file_tailing
        from tests.tailing.tails import Tail

        file_tailing.open_files_max = lambda: 1_000  # it does not know how few there are
        resource.setrlimit(resource.RLIMIT_NOFILE, (30, 30))
        with Tail(sys.argv[1] + "/*.log") as tail:
            tail.pass_time(12)
            for number in range(50):
                with open(f"{sys.argv[1]}/{number:02d}.log", "ab") as file:
                    file.write(b"%02d second\\n" % number)
            tail.pass_time(12)
            sys.stdout.buffer.write(tail.text)
        """
    paths = fill(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(tmp_path)], capture_output=True, check=False, timeout=50
    )
    assert done.returncode == 0, done.stderr.decode()
    assert sorted(done.stdout.splitlines()) == sorted(
        f"{path.stem} {text}".encode() for path in paths for text in ("first", "second")
    )


def test_of_files_that_come_and_go_nothing_is_kept(tmp_path: Path) -> None:
    append(tmp_path / "stays.log", b"x\n")
    with Tail(tmp_path / "*.log") as tail:
        for _ in range(3):
            paths = fill(tmp_path)
            tail.pass_time(1)
            for path in paths:
                path.unlink()
            tail.pass_time(130)
        files = files_of(tail)
        assert [*files._lineages] == [str(tmp_path / "stays.log")]
        assert (len(files._followed.moving), len(files._followed.names), len(files._closed.marks)) == (0, 1, 0)


# ---- descriptors that fail


@pytest.fixture(params=["a directory", "a closed pipe"])
def broken(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[int]:
    """A descriptor that cannot be read from: it fails with EISDIR, or with ESPIPE."""
    if request.param == "a directory":
        fd = os.open(tmp_path, os.O_RDONLY)
    else:
        fd, other = os.pipe()
        os.close(other)
    yield fd
    os.close(fd)


def test_a_descriptor_that_fails_is_told_once_and_the_file_is_opened_again(
    tmp_path: Path, broken: int, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\n")
    with Tail(path) as tail:
        tail.read()
        before = count_of_descriptors()
        os.dup2(broken, generations(tail)[str(path)].follower.fd)
        append(path, b"two\n")
        assert tail.pass_time(8) == b"two\n"
        append(path, b"three\n")
        assert tail.pass_time(1) == b"three\n"
        assert count_of_descriptors() == before
    assert len([line for line in told(caplog) if "cannot be read" in line]) == 1


class Stale(Plain):
    """A file of a server that came back and knows it no more."""

    def size(self) -> int:
        raise OSError(errno.ESTALE, "Stale file handle")

    def pread(self, size: int, offset: int, /) -> bytes:
        del size, offset
        raise OSError(errno.ESTALE, "Stale file handle")


def test_a_stale_handle_is_opened_again_at_the_same_place(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\ntwo")
    with Tail(path) as tail:
        tail.read()
        follower = generations(tail)[str(path)].follower
        content = follower.content = Stale(follower.fd)
        append(path, b"\nthree\n")
        assert tail.pass_time(2) == b"two\nthree\n"
        assert generations(tail)[str(path)].follower.content is not content


def test_other_files_are_read_while_one_fails(tmp_path: Path, broken: int) -> None:
    for name in "ab":
        append(tmp_path / f"{name}.log", b"one\n")
    with Tail(tmp_path / "*.log") as tail:
        tail.read()
        os.dup2(broken, generations(tail)[str(tmp_path / "a.log")].follower.fd)
        append(tmp_path / "a.log", b"a two\n")
        append(tmp_path / "b.log", b"b two\n")
        assert tail.read() == b"b two\n"
        assert tail.pass_time(8) == b"a two\n"


def test_a_rotated_file_whose_descriptor_fails_is_found_under_its_new_name(tmp_path: Path, broken: int) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\n")
    with Tail(path) as tail:
        tail.read()
        append(path, b"two\n")
        rotate(path)
        append(path, b"three\n")
        os.dup2(broken, generations(tail)[str(path)].follower.fd)
        tail.pass_time(30)
        assert sorted(tail.text.splitlines()) == [b"one", b"three", b"two"]


# ---- followers that stand still


def test_a_file_that_grows_and_is_not_read_is_opened_again_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\n")
    with Tail(path) as tail:
        tail.calm_down()
        generation = generations(tail)[str(path)]
        files_of(tail)._turns.forget(generation)
        generation.hot = True  # as a bug would leave it: taken for hot, and in no queue
        append(path, b"two\n")
        assert tail.pass_time(10.5) == b"two\n"
        assert tail.plugin.shortfalls.restarts == 1
        assert "1 times a file was opened again" in tail.plugin.notes()
        append(path, b"three\n")
        assert tail.pass_time(1) == b"three\n"
        tail.pass_time(30)
        assert tail.plugin.shortfalls.restarts == 1
    assert len([line for line in told(caplog) if "grows and is not read" in line]) == 1


def test_files_that_are_only_slow_or_quiet_or_wait_for_their_turn_are_not_restarted(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\nhalf")
    append(tmp_path / "b.log", b"x\n")
    with Tail([str(path), str(tmp_path / "b.log"), str(tmp_path / "none.log")], multiline="^never") as tail:
        tail.pass_time(12)
        rotate(path)
        append(path, b"new\n")
        tail.pass_time(40)
        assert tail.plugin.shortfalls.restarts == 0


# ---- rotated files are kept until they are settled


def test_a_rotated_file_is_kept_open_until_all_of_it_is_safe(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\n")
    safe: dict[str, Position] = {}
    with Tail(path, settled=safe.get) as tail:
        tail.read()
        safe.update(tail.positions)
        append(path, b"two\n")
        tail.read()
        rotate(path)
        append(path, b"three\n")
        tail.pass_time(600)
        assert tail.text == b"one\ntwo\nthree\n"
        assert open_files(tmp_path) == {"a.log", "a.log.1"}
        safe.update(tail.positions)
        tail.pass_time(1)
        assert open_files(tmp_path) == {"a.log"}


def test_a_deleted_file_is_kept_open_until_all_of_it_is_safe(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\n")
    (tmp_path / "other").touch()
    safe: dict[str, Position] = {}
    with Tail(path, settled=safe.get) as tail:
        tail.read()
        safe.update(tail.steps[1])
        path.unlink()
        tail.pass_time(600)
        assert open_files(tmp_path) == {"a.log (deleted)"}
        safe.update(tail.positions)
        tail.pass_time(70)
        assert open_files(tmp_path) == set()


# ---- paths that cannot be read for a while


def test_permission_that_is_lost_while_a_file_is_followed_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\n")
    with Tail(path) as tail:
        tail.read()
        with no_permission(path):
            tail.pass_time(12)
        append(path, b"two\n")
        assert tail.pass_time(2) == b"two\n"


def test_a_new_generation_without_permission_is_read_once_it_may_be(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\n")
    with Tail(path) as tail:
        tail.read()
        rotate(path)
        append(path, b"two\n")
        with no_permission(path):
            tail.pass_time(12)
            assert tail.text == b"one\n"
        tail.pass_time(3)
        assert tail.text == b"one\ntwo\n"
    assert len([line for line in told(caplog) if "ermission" in line]) == 1


def test_a_path_that_is_a_directory_for_a_while_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\n")
    with Tail(path) as tail:
        tail.read()
        append(path, b"two\n")
        rotate(path)
        path.mkdir()
        tail.pass_time(10)
        assert tail.text == b"one\ntwo\n"
        path.rmdir()
        append(path, b"three\n")
        tail.pass_time(10)
        assert tail.text == b"one\ntwo\nthree\n"


def test_a_file_that_is_away_for_a_while_goes_on_where_it_was_left(tmp_path: Path) -> None:
    path = tmp_path / "sub" / "a.log"
    path.parent.mkdir()
    append(path, b"one\n")
    with Tail(path) as tail:
        tail.read()
        path.parent.rename(tmp_path / "away")
        tail.pass_time(120)
        append(tmp_path / "away" / "a.log", b"two\n")
        (tmp_path / "away").rename(path.parent)
        append(path, b"three\n")
        tail.pass_time(10)
        assert tail.text == b"one\ntwo\nthree\n"
