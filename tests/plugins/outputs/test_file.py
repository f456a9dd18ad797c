from __future__ import annotations

import os
import resource
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from swak.errors import ConfigError, Refused, Retry
from swak.event import Batch, Dicts, Rows
from swak.plugin import Pending
from swak.plugins.outputs.file import SYNC_BYTES, File
from swak.testing import FakeClock, batch_of, block_of, event, promise

if TYPE_CHECKING:
    from collections.abc import Iterator


class Row(msgspec.Struct, gc=False):
    n: int


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "out.log"


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@contextmanager
def opened(path: Path | str, **options: Any) -> Iterator[File]:
    plugin = File(str(path), **options)
    plugin.clock = FakeClock()
    try:
        plugin.open()
        yield plugin
    finally:
        plugin.close()


def advance(plugin: File, seconds: float) -> None:
    assert isinstance(plugin.clock, FakeClock)
    plugin.clock.advance(seconds)


def due(plugin: File) -> bool:
    due_at = plugin.due_at()
    return due_at is not None and plugin.clock.monotonic() >= due_at


def test_records_become_json_lines(path: Path) -> None:
    with opened(path) as plugin:
        plugin.write(batch_of([event({"a": 1}), event({"b": "한글"})]))
        plugin.write(Batch(Rows([Row(7)], [0]), "web", promise()))
        plugin.write(block_of("line"))
    assert path.read_text(encoding="utf-8") == '{"a":1}\n{"b":"한글"}\n{"n":7}\n{"message":"line"}\n'


def test_it_says_what_it_writes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    link = path.with_name("link.log")
    link.symlink_to(path)
    assert File("x/../out.log").writes_to() == [str(path)]
    assert File(str(link)).writes_to() == [str(link), str(path)]
    assert File("").writes_to() == []


def test_raw_lines_stay_as_they_were_read(path: Path) -> None:
    with opened(path, format="raw") as plugin:
        plugin.write(block_of(b"caf\xe9"))
        plugin.write(batch_of([event({"message": "parsed", "a": 1}), event({"a": 1})]))
    assert path.read_bytes() == b'caf\xe9\nparsed\n{"a":1}\n'


def test_a_record_that_json_cannot_carry_raises_before_anything_is_written(path: Path) -> None:
    with opened(path) as plugin, pytest.raises(TypeError):
        plugin.write(batch_of([event({"ok": 1}), event({"bad": object()})]))
    assert path.read_bytes() == b""


def test_written_is_pending_until_synced(path: Path) -> None:
    with opened(path) as plugin:
        assert plugin.due_at() is None
        assert plugin.write(block_of("a")) is Pending
        assert not due(plugin)
        advance(plugin, 0.9)
        plugin.write(block_of("b"))
        assert not due(plugin)
        advance(plugin, 0.1)
        assert due(plugin)
        plugin.sync()
        assert plugin.due_at() is None


def test_a_sync_is_due_at_once_when_much_is_pending(path: Path) -> None:
    with opened(path, format="raw") as plugin:
        plugin.write(block_of(b"x" * SYNC_BYTES))
        assert due(plugin)


def test_how_long_to_wait_for_the_disk_can_be_told(path: Path) -> None:
    with opened(path, fsync="10s") as plugin:
        plugin.write(block_of("a"))
        advance(plugin, 9)
        assert not due(plugin)
        advance(plugin, 1)
        assert due(plugin)


def test_without_fsync_written_is_settled(path: Path) -> None:
    with opened(path, fsync=None) as plugin:
        assert plugin.write(block_of("a")) is None
        assert plugin.due_at() is None


def test_without_fsync_the_disk_is_never_asked(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr("swak.sinks.append._datasync", asked.append)
    with opened(path, fsync=None) as plugin:
        plugin.write(block_of("a"))
        path.rename(path.with_suffix(".1"))
        plugin.write(block_of("b"))
    assert asked == []


def test_an_empty_batch_is_settled(path: Path) -> None:
    with opened(path) as plugin:
        assert plugin.write(Batch(Dicts([], []), "web", promise(0))) is None


def test_no_path_is_a_problem() -> None:
    assert File("").check() == [("path is empty", 'name a file, e.g. File("/tmp/out.json")')]
    with pytest.raises(ConfigError, match='option "path" is missing'):
        File()


def test_a_folder_is_explained(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError, match=r"name a file in it.*") as caught, opened(tmp_path):
        pass
    assert str(tmp_path) in str(caught.value)


def test_a_folder_that_cannot_be_made_is_explained(path: Path) -> None:
    path.write_text("a file")
    with pytest.raises(OSError, match=r"something above it is no folder|exists"), opened(path / "below"):
        pass


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_file_that_may_not_be_written_is_explained(path: Path) -> None:
    path.touch(0o400)
    with pytest.raises(PermissionError, match="let this user"), opened(path):
        pass


def test_a_full_disk_keeps_nothing_of_the_batch_and_is_explained(path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with opened(path, format="raw") as plugin:
        plugin.write(block_of("a"))
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))
        try:
            with pytest.raises(OSError, match=str(path)):
                plugin.write(block_of("b" * 5, "c" * 50))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert path.read_bytes() == b"a\n"
        plugin.close()
        plugin.open()
        plugin.write(block_of("b" * 5, "c" * 50))
    assert path.read_bytes() == b"a\nbbbbb\n" + b"c" * 50 + b"\n"


def test_a_full_device_says_that_nothing_was_kept() -> None:
    with opened("/dev/full") as plugin, pytest.raises(OSError, match="the disk is full"):
        plugin.write(block_of("a"))


def test_a_successor_syncs_what_its_predecessor_wrote(path: Path) -> None:
    old = File(str(path))
    old.open()
    assert old.write(block_of("a")) is Pending
    old.abort()
    new = old.fresh()
    assert new.inherit(old)
    new.open()
    assert new.due_at() is not None
    new.sync()
    new.close()
    old.close()
    assert path.read_bytes() == b'{"message":"a"}\n'


def test_a_successor_of_another_path_takes_nothing_over(path: Path) -> None:
    with opened(path) as old:
        old.write(block_of("a"))
        assert not File(str(path) + "2").inherit(old)


def test_a_successor_does_not_take_over_a_file_that_was_replaced(path: Path) -> None:
    with opened(path) as old:
        old.write(block_of("a"))
        path.rename(path.with_suffix(".1"))
        assert not File(str(path)).inherit(old)


def test_the_successor_of_one_that_never_opened_has_nothing_to_take_over(path: Path) -> None:
    assert File(str(path)).inherit(File(str(path)))


def test_a_released_thread_writes_nothing_after_abort(path: Path) -> None:
    batch, errors = block_of("x" * 100_000), []
    with opened(path, format="raw") as plugin:
        go = threading.Event()

        def hung() -> None:
            go.wait(20)
            try:
                plugin.write(batch)
            except OSError as error:
                errors.append(error)

        thread = threading.Thread(target=hung)
        thread.start()
        plugin.abort()
        go.set()
        thread.join(20)
    assert path.read_bytes() == b""
    assert errors


def test_an_aborted_plugin_cannot_be_opened(path: Path) -> None:
    plugin = File(str(path))
    plugin.abort()
    with pytest.raises(OSError, match="told to stop"):
        plugin.open()
    plugin.close()
    assert not path.exists()


def test_probe_says_whether_the_folder_can_be_written(tmp_path: Path) -> None:
    assert File(str(tmp_path / "new" / "out.log")).probe()
    assert not File(str(tmp_path)).probe()


def test_a_fifo_gets_whole_lines_without_sync(path: Path) -> None:
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with opened(path) as plugin:
        assert plugin.write(block_of("a")) is None
        assert plugin.due_at() is None
        assert os.read(reader, 100) == b'{"message":"a"}\n'
    os.close(reader)


def test_a_full_fifo_is_a_retry(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("swak.plugins.outputs.file.WAIT_S", 0)
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with opened(path) as plugin, pytest.raises(Retry):
        plugin.write(block_of(*["x" * 1000] * 1000))
    os.close(reader)


def test_a_fifo_that_nobody_reads_is_explained(path: Path) -> None:
    os.mkfifo(path)
    with pytest.raises(OSError, match="nobody reads this FIFO yet"), opened(path):
        pass


def test_dev_stdout_is_the_process_s_own(capfd: pytest.CaptureFixture[str]) -> None:
    with opened("/dev/stdout", format="raw") as plugin:
        plugin.write(block_of("hello"))
    assert capfd.readouterr().out == "hello\n"


def test_no_descriptor_is_left(path: Path) -> None:
    path.write_bytes(b"whole\ntorn")
    before = open_descriptors()
    with opened(path) as plugin:
        plugin.write(block_of("x"))
        path.rename(path.with_suffix(".1"))
        plugin.write(block_of("y"))
        plugin.sync()
    plugin.close()
    assert open_descriptors() == before


def test_a_path_may_have_the_day_the_tag_and_fields_in_it(tmp_path: Path) -> None:
    with opened(tmp_path / "%Y" / "{tag}-{host}.log", format="raw", zone="Asia/Seoul") as plugin:
        plugin.write(batch_of([event({"message": "m", "host": "../x"}, tag="web", at_s=0)]))
    assert (tmp_path / "1970" / "web-_._x.log").read_text() == "m\n"


def test_a_value_that_cannot_stand_in_a_path_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with opened(tmp_path / "{host}.log") as plugin:
        plugin.write(batch_of([event({"host": ".."}), event({"host": "a/b"})]))
        plugin.write(batch_of([event({})]))
    assert [one.getMessage().count("cannot stand in a path") for one in caplog.records] == [1]


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"path": "/x/{"}, "path: "),
        ({"suffix": "/x"}, "suffix or path"),
        ({"mode": "0888"}, "no octal number"),
        ({"header": True}, "has no header"),
        ({"keep": 3}, "keep without rotation"),
        ({"format": "csv"}, "without fields"),
        ({"zone": "Mars"}, "there is no time zone"),
    ],
)
def test_options_that_cannot_be_are_named(options: dict[str, Any], what: str) -> None:
    problems = File(**({"path": "/x"} | options)).check()
    assert any(what in text for text, _ in problems)


def test_options_that_fit_are_no_problem() -> None:
    assert File("/x/{tag}-%Y.log", mode="0640", compress="gzip", suffix=".part", rotate_size="1g").check() == []


def test_csv_has_a_header_when_asked_for(path: Path) -> None:
    with opened(path, format="csv", fields=["a", "b"], header=True, mode="0600") as plugin:
        plugin.write(batch_of([event({"a": 1})]))
        plugin.write(batch_of([event({"b": "x,y"})]))
    assert path.read_text() == 'a,b\n1,\n,"x,y"\n'
    assert path.stat().st_mode & 0o777 == 0o600


def test_an_error_in_the_last_write_leaves_files_unfinished(path: Path) -> None:
    plugin = File(str(path), suffix=".part")
    plugin.open()
    plugin.write(block_of("a"))
    with pytest.raises(TypeError):
        plugin.write(batch_of([event({"bad": object()})]))
    plugin.close()
    assert [one.name for one in path.parent.iterdir()] == ["out.log.part"]
    plugin.open()
    plugin.write(block_of("b"))
    plugin.close()
    assert path.read_text() == '{"message":"a"}\n{"message":"b"}\n'


def test_a_varying_path_says_what_it_may_write(tmp_path: Path) -> None:
    assert File(str(tmp_path / "{tag}.log"), suffix=".part").writes_to() == [str(tmp_path / "x.log.part")]


def test_a_refusal_is_no_reason_to_leave_files_unfinished(tmp_path: Path) -> None:
    (tmp_path / "folder.part").mkdir()
    with opened(tmp_path / "{k}", format="raw", suffix=".part") as plugin, pytest.raises(Refused):
        plugin.write(batch_of([event({"k": "a", "message": "1"}), event({"k": "folder", "message": "2"})]))
    assert (tmp_path / "a").read_text() == "1\n"


def test_a_torn_row_of_csv_is_put_aside_though_it_ends_in_a_line_feed(path: Path) -> None:
    path.write_bytes(b'1,a\n2,"torn\n')
    with opened(path, format="csv", fields=["n", "v"]) as plugin:
        plugin.write(batch_of([event({"n": 2, "v": "torn\nrow"})]))
    assert path.read_text() == '1,a\n2,"torn\nrow"\n'
    assert path.with_name("out.log.torn").read_text() == '2,"torn\n\n'


def test_what_was_torn_is_as_secret_as_the_file(path: Path) -> None:
    path.write_bytes(b"torn")
    path.chmod(0o600)
    with opened(path):
        pass
    assert path.with_name("out.log.torn").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(("zone", "hour"), [("UTC", "23"), ("+09:00", "08"), ("America/New_York", "18")])
def test_the_path_and_the_lines_show_the_same_zone(zone: str, hour: str, tmp_path: Path) -> None:
    with opened(tmp_path / "%H.log", format="line", template="{time:%H %s}", zone=zone) as plugin:
        plugin.write(batch_of([event({}, at_s=23 * 3_600)]))
    assert (tmp_path / f"{hour}.log").read_text() == f"{hour} 82800\n"


def test_what_the_file_holds_is_not_written_again_when_that_is_asked_for(path: Path) -> None:
    for ids in ("ab", "abc"):
        with opened(path, dedupe="id") as plugin:
            assert plugin.write(batch_of([event({"id": one}) for one in ids])) is Pending
            plugin.sync()
    assert path.read_text() == '{"id":"a"}\n{"id":"b"}\n{"id":"c"}\n'


def test_a_batch_of_which_the_file_holds_everything_is_settled_at_once(path: Path) -> None:
    path.write_text('{"id":"a"}\n')
    with opened(path, dedupe="id") as plugin:
        assert plugin.write(batch_of([event({"id": "a"})])) is None


def test_a_successor_takes_over_what_is_pending_in_a_file_that_takes_nothing_twice(path: Path) -> None:
    with opened(path, dedupe="id") as old:
        old.write(batch_of([event({"id": "a"})]))
        successor = old.fresh()
        successor.clock = FakeClock()
        assert successor.inherit(old)
        successor.open()
        assert successor.write(batch_of([event({"id": "a"})])) is Pending
        successor.sync()
        successor.close()
    assert path.read_text() == '{"id":"a"}\n'


def test_only_a_file_that_can_be_read_back_takes_nothing_twice(path: Path) -> None:
    os.mkfifo(path)
    with pytest.raises(OSError, match="not a regular file"), opened(path, dedupe="id"):
        pass
