from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from swak.errors import ConfigError, Gone, Retry
from swak.plugins.outputs.stdout import Stdout
from swak.testing import batch_of, block_of, event

if TYPE_CHECKING:
    from collections.abc import Iterator


class Pipe:
    """A pipe of the smallest size that stands in for standard output."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()
        fcntl.fcntl(self.writer, fcntl.F_SETPIPE_SZ, 4096)
        os.set_blocking(self.reader, False)

    def read(self) -> bytes:
        try:
            return os.read(self.reader, 65536)
        except BlockingIOError:
            return b""


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pipe]:
    """What stands in for standard output, which belongs to pytest."""
    pipe = Pipe()
    monkeypatch.setattr("swak.plugins.outputs.stdout.STDOUT", pipe.writer)
    yield pipe
    os.close(pipe.writer)
    if pipe.reader >= 0:
        os.close(pipe.reader)


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@contextmanager
def opened(**options: Any) -> Iterator[Stdout]:
    plugin = Stdout(**options)
    try:
        plugin.open()
        yield plugin
    finally:
        plugin.close()


def test_each_event_is_a_line_at_once(pipe: Pipe) -> None:
    with opened(host="box") as plugin:
        plugin.write(batch_of([event({"message": "hello world"}, at_s=1414767730.5), event({"message": "b"})]))
        assert pipe.read().decode().splitlines() == [
            "2014-10-31T15:02:10.500+0000 box hello world",
            "1970-01-01T00:00:00.000+0000 box b",
        ]


def test_json_shows_the_record_and_where_it_came_from(pipe: Pipe) -> None:
    with opened(format="json", host="box") as plugin:
        plugin.write(batch_of([event({"message": "hi"}, at_s=1414767730.5)]))
    stamp = b'"@version":"1","@timestamp":"2014-10-31T15:02:10.500Z","host":"box"'
    assert pipe.read() == b'{"message":"hi",' + stamp + b"}\n"


def test_rubydebug_is_for_looking(pipe: Pipe) -> None:
    with opened(format="rubydebug", host="box") as plugin:
        plugin.write(block_of("hi"))
    assert pipe.read().splitlines()[1] == b'       "message" => "hi",'


def test_the_machine_s_name_is_shown_unless_another_is_given(pipe: Pipe) -> None:
    import platform

    with opened() as plugin:
        plugin.write(block_of("hi"))
    assert pipe.read().decode().split()[1:] == [platform.node(), "hi"]


def test_an_unknown_format_is_named() -> None:
    with pytest.raises(ConfigError, match=r"'json', .*'line', 'rubydebug'"):
        Stdout(format="yaml")


def test_a_slow_reader_gets_every_line_once(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("swak.plugins.outputs.stdout.WAIT_S", 0)
    batch = batch_of([event({"message": f"{n} {'x' * 200}"}) for n in range(200)])
    got, retries = b"", 0
    with opened(host="box") as plugin:
        while True:
            try:
                plugin.write(batch)
            except Retry:
                assert not plugin.probe()
                retries += 1
                got += pipe.read()
                assert plugin.probe()
            else:
                break
    got += pipe.read()
    assert retries > 2
    assert [int(line.split()[2]) for line in got.splitlines()] == list(range(200))


def test_a_reader_that_went_away_ends_the_run(pipe: Pipe) -> None:
    with opened() as plugin:
        os.close(pipe.reader)
        pipe.reader = -1
        with pytest.raises(Gone):
            plugin.write(block_of("x"))


def test_a_record_that_cannot_be_shown_raises_before_anything_is_printed(pipe: Pipe) -> None:
    with opened(format="json") as plugin, pytest.raises(TypeError):
        plugin.write(batch_of([event({"ok": 1}), event({"bad": object()})]))
    assert pipe.read() == b""


def test_after_abort_nothing_is_printed(pipe: Pipe) -> None:
    plugin = Stdout()
    plugin.open()
    plugin.abort()
    with pytest.raises(OSError, match="Bad file descriptor"):
        plugin.write(block_of("x"))
    plugin.close()
    with pytest.raises(OSError, match="told to stop"):
        plugin.open()
    plugin.close()
    assert pipe.read() == b""


def test_abort_leaves_the_process_s_own_standard_output_alone(pipe: Pipe) -> None:
    with opened() as plugin:
        plugin.abort()
        os.write(pipe.writer, b"still here\n")
    assert pipe.read() == b"still here\n"


def test_no_descriptor_is_left(pipe: Pipe) -> None:
    before = open_descriptors()
    with opened() as plugin:
        plugin.write(block_of("x"))
    plugin.close()
    assert open_descriptors() == before
    assert pipe.read()


def test_descriptor_one_is_what_is_written_to() -> None:
    script = """if True:
        from swak.plugins.outputs.stdout import Stdout
        from swak.testing import block_of
        plugin = Stdout(host="box")
        plugin.open()
        plugin.write(block_of("hi"))
        plugin.close()
    """
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "1970-01-01T00:00:00.000+0000 box hi\n"


def test_a_process_without_standard_output_is_told_so() -> None:
    script = "from swak.plugins.outputs.stdout import Stdout; Stdout().open()"
    command = f"exec '{sys.executable}' -c '{script}' >&-"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert "standard output is closed" in done.stderr
