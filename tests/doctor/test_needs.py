from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from swak.doctor.needs import enough, needs, plugins_of, watches_max
from swak.topology.compile import compile_recipe
from swak.topology.load import load_text

if TYPE_CHECKING:
    from pathlib import Path

    from swak.doctor.finding import Finding

posix = pytest.mark.skipif(sys.platform == "win32", reason="paths of POSIX")


def found(text: str) -> list[Finding]:
    return list(needs(compile_recipe(load_text(text))))


@posix
def test_files_to_read_and_folders_to_write_are_looked_at(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("")
    paths = f'["{tmp_path}/a.log", "{tmp_path}/b.log", "{tmp_path}/*.txt"]'
    told = found(f'task(in_.FileTailing({paths}), out.DiskBuffer("{tmp_path}/spool"), out.File("{tmp_path}/o/x.json"))')
    said = [(one.subject.partition("/")[2], one.level, one.what) for one in told]
    assert ("FileTailing", "ok", f"{tmp_path}/a.log can be read") in said
    assert ("FileTailing", "note", f"{tmp_path}/b.log is not there yet") in said
    assert ("File", "ok", f"{tmp_path}/o: can be written to (it would be made)") in said
    assert ("DiskBuffer", "ok", f"{tmp_path}/spool: can be written to (it would be made)") in said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.log"]


@posix
def test_an_output_below_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (one,) = found(f'task(in_.Udp(0), out.File("{tmp_path}/file/x.json"))')
    assert one.level == "failed"
    assert one.mend


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="capabilities are Linux's")
def test_a_port_of_the_systems_is_told_to_those_who_are_not_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "port 514" in found("task(in_.Udp(514), out.Null())")[0].what
    assert found("task(in_.Udp(5140), out.Null())") == []


def test_a_buffer_on_disk_counts_once(tmp_path: Path) -> None:
    topology = compile_recipe(load_text(f"task(in_.Udp(0), out.DiskBuffer({str(tmp_path / 's')!r}), out.Null())"))
    assert [plugin.name for _, plugin in plugins_of(topology)] == ["Udp", "DiskBuffer", "Null"]


@posix
def test_files_that_match_are_counted(tmp_path: Path) -> None:
    for name in ("a.log", "b.log", "c.txt"):
        (tmp_path / name).write_text("")
    told = {one.subject: one for one in found(f'task(in_.FileTailing("{tmp_path}/*.log"), out.Null())')}
    assert told["open files"].what == "files that match: 2; all of them can be open"


@pytest.mark.parametrize(
    ("files", "files_max", "watches", "levels"),
    [
        (100, 1_000, 1_000, ["ok", "ok"]),
        (100, None, None, ["ok"]),
        (900, 1_000, 1_000, ["warning", "ok"]),
        (900, 4_096, 900, ["ok", "warning"]),
    ],
)
def test_limits_are_held_against_what_matches(
    files: int, files_max: int | None, watches: int | None, levels: list[str]
) -> None:
    told = list(enough(files, 10, files_max, watches))
    assert [one.level for one in told] == levels
    assert all(bool(one.mend) == (one.level == "warning") for one in told)


def test_a_system_without_inotify_has_no_limit(tmp_path: Path) -> None:
    assert watches_max(tmp_path / "none") is None
    (tmp_path / "some").write_text("8192\n")
    assert watches_max(tmp_path / "some") == 8192
