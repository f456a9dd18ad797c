from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from swak.cli import swak
from swak.event import BLOCK_BYTES
from swak.plugins.inputs.file_tailing import FileTailing
from tests.tailing.tails import Tail, append, no_permission, rotate, told

if TYPE_CHECKING:
    from pathlib import Path


def test_whole_lines_come_as_they_are(tmp_path: Path) -> None:
    data = b"plain\ncr\r\n\x00nul\xff\xfe\n\n"
    append(tmp_path / "a.log", data)
    with Tail(tmp_path / "a.log") as tail:
        assert tail.read() == data


def test_a_half_line_waits_for_its_end(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\ntw")
    with Tail(path) as tail:
        assert tail.read() == b"one\n"
        append(path, b"o")
        assert tail.read() == b""
        append(path, b"\nth")
        assert tail.read() == b"two\n"


def test_single_bytes_add_up_to_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    text = b"ab\r\n\ncd\n"
    with Tail(path) as tail:
        for byte in text:
            append(path, bytes([byte]))
            tail.read()
        assert [data for _, data in tail.handed] == [b"ab\r\n", b"\n", b"cd\n"]


def test_an_empty_file_gives_nothing_and_is_followed(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.touch()
    with Tail(path) as tail:
        assert tail.read() == b""
        append(path, b"now\n")
        assert tail.read() == b"now\n"


@pytest.mark.parametrize("size", [BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1])
def test_a_line_of_the_size_of_a_block_stays_whole(tmp_path: Path, size: int) -> None:
    line = b"x" * (size - 1) + b"\n"
    append(tmp_path / "a.log", b"before\n" + line + line + b"after\n")
    with Tail(tmp_path / "a.log") as tail:
        assert tail.read() == b"before\n" + line + line + b"after\n"


def test_a_block_is_never_larger_than_its_bound(tmp_path: Path) -> None:
    append(tmp_path / "a.log", b"a line of a log\n" * 50_000)
    with Tail(tmp_path / "a.log") as tail:
        tail.read()
        sizes = [len(data) for _, data in tail.handed]
    assert max(sizes) <= BLOCK_BYTES
    assert sum(sizes) == 800_000


def test_a_line_that_is_too_long_is_cut_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    append(tmp_path / "a.log", b"short\n" + b"y" * 300_000 + b"\nafter\n")
    with Tail(tmp_path / "a.log", max_line="100k") as tail:
        assert tail.read() == b"short\n" + b"y" * 102_400 + b"\nafter\n"
        assert (tail.plugin.shortfalls.lines_cut, tail.plugin.shortfalls.bytes_cut) == (1, 300_000 - 102_400)
        assert tail.positions[tail.handed[0][0]]["offset"] == 300_013
    assert any("too long" in line for line in told(caplog))


def test_a_long_line_whose_end_is_not_there_is_read_again_from_its_start(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"first\n" + b"z" * 900_000)
    with Tail(path, max_line="1k") as tail:
        assert tail.read() == b"first\n"
        before = tail.positions
    append(path, b"z\nlast\n")
    with Tail(path, before, max_line="1k") as again:
        assert again.read() == b"z" * 1024 + b"\nlast\n"


def test_without_follow_the_last_line_needs_no_end(tmp_path: Path) -> None:
    append(tmp_path / "a.log", b"one\ntwo")
    with Tail(tmp_path / "a.log", follow=False) as tail:
        assert tail.read() == b"one\ntwo\n"
        assert tail.ended


def test_a_line_end_that_comes_after_its_line_was_delivered_makes_no_empty_line(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\ntwo")
    with Tail(path, follow=False) as tail:
        tail.read()
        positions = tail.positions
    append(path, b"\nthree\n")
    with Tail(path, positions, follow=False) as again:
        assert again.read() == b"three\n"


def test_a_single_run_leaves_a_half_line_for_the_next(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\ntw")
    with Tail(path, once=True) as tail:
        assert tail.read() == b"one\n"
        assert tail.ended
        positions = tail.positions
    append(path, b"o\n")
    with Tail(path, positions, once=True) as again:
        assert again.read() == b"two\n"


def test_a_single_run_ends_after_one_very_long_line(tmp_path: Path) -> None:
    append(tmp_path / "a.log", b"w" * 5_000_000 + b"\nend\n")
    with Tail(tmp_path / "a.log", once=True) as tail:
        assert tail.read() == b"w" * 2**20 + b"\nend\n"
        assert tail.ended


def test_from_the_end_only_new_lines_come(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"old\nhal")
    with Tail(path, from_="end") as tail:
        assert tail.read() == b""
        append(path, b"f\nnew\n")
        assert tail.read() == b"half\nnew\n"


def test_from_the_end_holds_over_a_restart_before_the_first_line(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"old\n")
    with Tail(path, from_="end") as tail:
        tail.read()
        positions = tail.positions
    append(path, b"while down\n")
    with Tail(path, positions, from_="end") as again:
        assert again.read() == b"while down\n"


def test_a_file_that_appears_later_is_read_from_its_start(tmp_path: Path) -> None:
    path = tmp_path / "later.log"
    with Tail(path, from_="end") as tail:
        assert tail.read() == b""
        append(path, b"first\n")
        assert tail.read() == b"first\n"


def test_a_file_that_could_not_be_read_at_the_very_first_start_keeps_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"old\n")
    with no_permission(path):
        tail = Tail(path, from_="end")
        assert tail.read() == b""
    with tail:
        assert tail.pass_time(1.5) == b""
        append(path, b"new\n")
        assert tail.read() == b"new\n"


def test_the_position_of_a_new_file_is_told_before_its_lines(tmp_path: Path) -> None:
    append(tmp_path / "a.log", b"one\n")
    with Tail(tmp_path / "a.log") as tail:
        tail.read()
        (before, after) = (next(iter(step.values())) for step in tail.steps[1:])
    assert (before["offset"], after["offset"]) == (0, 4)


def test_positions_are_json_and_say_where_they_are(tmp_path: Path) -> None:
    append(tmp_path / "a.log", b"one\n")
    with Tail(tmp_path / "a.log") as tail:
        tail.read()
        (position,) = json.loads(json.dumps(tail.positions)).values()
    assert (position["path"], position["offset"], position["head_len"]) == (str(tmp_path / "a.log"), 4, 4)


def test_a_name_that_is_no_unicode_makes_positions_that_are(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"\xff.log")
    append(path, b"one\n")
    with Tail(tmp_path / "*.log") as tail:
        assert tail.read() == b"one\n"
        positions = json.loads(json.dumps(tail.positions).encode().decode())
    assert "bytes:" in next(iter(positions.values()))["path"]
    rotate(path)
    with Tail(tmp_path / "*.log", positions) as again:
        append(path, b"two\n")
        assert again.pass_time(2) == b"two\n"


def test_a_missing_file_is_waited_for_and_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "a.log"
    with Tail(path) as tail:
        tail.pass_time(3)
        append(path, b"one\n")
        assert tail.read() == b"one\n"
    assert len([line for line in told(caplog) if "not there" in line]) == 1


def test_a_folder_that_is_missing_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "later" / "a.log"
    with Tail(path) as tail:
        tail.pass_time(1)
        path.parent.mkdir()
        append(path, b"one\n")
        assert tail.pass_time(1) == b"one\n"


def test_a_file_without_permission_is_tried_again_and_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\n")
    with no_permission(path):
        tail = Tail(path)
        assert tail.pass_time(3) == b""
    with tail:
        assert tail.pass_time(1.5) == b"one\n"
    assert len([line for line in told(caplog) if "ermission" in line]) == 1


def test_a_directory_means_every_file_under_it(tmp_path: Path) -> None:
    append(tmp_path / "a.log", b"one\n")
    with Tail(tmp_path) as tail:
        assert tail.read() == b"one\n"
        (tmp_path / "below" / "more").mkdir(parents=True)
        append(tmp_path / "below" / "more" / "b.log", b"two\n")
        assert tail.read() == b"two\n"


def test_a_named_pipe_is_told_and_does_not_hang(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    os.mkfifo(tmp_path / "a.log")
    with Tail(tmp_path / "a.log") as tail:
        assert tail.read() == b""
    assert any("named pipe" in line for line in told(caplog))


def test_a_single_run_over_a_missing_file_ends(tmp_path: Path) -> None:
    with Tail(tmp_path / "none.log", once=True) as tail:
        assert tail.read() == b""
        assert tail.ended


def test_a_position_that_makes_no_sense_costs_a_repeat_and_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    append(tmp_path / "a.log", b"one\n")
    with Tail(tmp_path / "a.log", {"what": {"offset": -3, "path": "x"}, "else": "nonsense"}) as tail:
        assert tail.read() == b"one\n"
    assert len([line for line in told(caplog) if "no sense" in line]) == 2


@pytest.mark.parametrize("path", ["", [], ["a.log", ""], "a\0b"])
def test_a_path_that_names_no_file_is_refused(path: str | list[str]) -> None:
    assert FileTailing(path).check()


def test_a_check_tells_all_that_is_wrong_with_the_options_and_how_to_mend_it() -> None:
    options = 'encoding="utf-9", multiline={"strat": "x"}, fields=["ofset"]'
    result = CliRunner().invoke(swak, ["check", "-e", f'in.FileTailing("a.log", {options}) | out.Stdout()'])
    assert result.exit_code == 78
    problems = result.stderr.replace("\n", " ")
    assert "there is no encoding 'utf-9'; did you mean" in problems
    assert 'option "multiline": unknown key \'strat\'; did you mean "start"?' in problems
    assert 'there is no field "ofset" to add; did you mean "offset"?' in problems


def test_a_check_takes_an_event_of_several_lines_in_either_spelling() -> None:
    for rule in ('"^a"', '{"start": "^a", "timeout": "5s"}'):
        recipe = f'in.FileTailing("a.log", multiline={rule}) | out.Stdout()'
        result = CliRunner().invoke(swak, ["check", "-e", recipe])
        assert (result.exit_code, result.stderr) == (0, "")


def test_what_is_gone_unread_is_told_by_number_also_after_it_was_opened_anew(tmp_path: Path) -> None:
    plugin = FileTailing(str(tmp_path / "a.log"))
    for times in (1, 2):
        plugin.open()
        plugin.shortfalls.note_dropped(7, "a.log", "truncated")
        plugin.close()
        assert plugin.losses() == {"truncated or deleted unread, bytes": 7 * times, "cut by max_line, bytes": 0}
