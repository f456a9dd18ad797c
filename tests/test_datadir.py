from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from swak.ack import Origin
from swak.datadir import DataDir, Owner, owner_of, state_home
from swak.deadletters import DeadLetter
from swak.errors import StateError
from swak.event import Event

ONE = DeadLetter(Event("t", 0, {}), Origin("s", 1), "flow", "stage", "bad")
posix_user = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SWAK_DATA_DIR", "SWAK_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)


def test_the_option_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWAK_DATA_DIR", "/elsewhere")
    data_dir = DataDir.resolve(str(tmp_path / "here"))
    assert (data_dir.path, data_dir.why) == (tmp_path / "here", "--data-dir")


def test_the_variable_for_data_comes_before_the_one_for_all(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SWAK_HOME", "/elsewhere")
    monkeypatch.setenv("SWAK_DATA_DIR", str(tmp_path))
    assert DataDir.resolve().path == tmp_path


def test_home_holds_the_data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SWAK_HOME", str(tmp_path))
    assert DataDir.resolve().path == tmp_path / "data"


def test_a_relative_directory_stays_where_the_process_began(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    data_dir = DataDir.resolve("state")
    monkeypatch.chdir("/")
    assert data_dir.path == tmp_path / "state"


@pytest.mark.parametrize(
    ("platform", "environ", "uid", "path"),
    [
        ("linux", {"HOME": "/home/kim"}, 0, "/var/lib/swak"),
        ("linux", {"HOME": "/home/kim"}, 1000, "/home/kim/.local/state/swak"),
        ("linux", {"HOME": "/home/kim", "XDG_STATE_HOME": "/state"}, 1000, "/state/swak"),
        ("linux", {"HOME": "/home/kim", "XDG_STATE_HOME": "relative"}, 1000, "/home/kim/.local/state/swak"),
        ("darwin", {"HOME": "/Users/kim"}, 501, "/Users/kim/Library/Application Support/swak"),
        ("win32", {"PROGRAMDATA": "/ProgramData"}, None, "/ProgramData/swak/data"),
    ],
)
def test_each_platform_has_its_place(platform: str, environ: dict[str, str], uid: int | None, path: str) -> None:
    assert state_home(platform, environ, uid) == Path(path)


def test_a_user_without_a_home_is_told_what_to_name() -> None:
    with pytest.raises(StateError, match="no home directory; name a data directory with --data-dir"):
        state_home("linux", {"HOME": "relative"}, 1000)


def test_two_agents_never_share_a_directory(tmp_path: Path) -> None:
    first = DataDir.resolve(str(tmp_path))
    first.lock()
    text = "import sys; from swak.datadir import DataDir; DataDir.resolve(sys.argv[1]).lock()"
    second = subprocess.run(
        [sys.executable, "-c", text, tmp_path], check=False, capture_output=True, text=True, timeout=30
    )
    wanted = f"StateError: {tmp_path}: in use by another swak (process {os.getpid()}); stop that one, or give this one"
    assert wanted in second.stderr
    first.close()


def test_a_second_run_in_this_process_is_refused_as_well(tmp_path: Path) -> None:
    first, second = DataDir.resolve(str(tmp_path)), DataDir.resolve(str(tmp_path))
    first.lock()
    with pytest.raises(StateError, match="this process"):
        second.lock()
    first.close()
    second.lock()
    second.close()


def test_a_lock_of_a_killed_process_holds_nobody_up(tmp_path: Path) -> None:
    text = "import os, sys; from swak.datadir import DataDir; DataDir.resolve(sys.argv[1]).lock(); os._exit(9)"
    subprocess.run([sys.executable, "-c", text, tmp_path], check=False, timeout=30)
    data_dir = DataDir.resolve(str(tmp_path))
    data_dir.lock()
    assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"
    data_dir.close()


@posix_user
def test_a_directory_that_is_not_writable_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StateError, match=r"cannot be used: Permission denied; make it writable"):
        DataDir.resolve(str(tmp_path / "below")).lock()
    tmp_path.chmod(0o700)


@posix_user
def test_checkpoints_that_are_not_writable_are_told_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir(mode=0o500)
    with pytest.raises(StateError, match="cannot be used: Permission denied"):
        DataDir.resolve(str(tmp_path)).lock()


def test_a_file_in_the_place_of_the_directory_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match=r"cannot be used: .*; make it writable"):
        DataDir.resolve(str(tmp_path / "file")).lock()


@pytest.mark.parametrize("name", ["web", "../../etc/passwd", "a/b", "", "CON", "x" * 500, "\udcff", "웹", ".", "a\0b"])
def test_any_flow_has_a_file_inside_the_directory(tmp_path: Path, name: str) -> None:
    data_dir = DataDir.resolve(str(tmp_path))
    data_dir.lock()
    checkpoint = data_dir.checkpoint(name)
    assert checkpoint is not None
    checkpoint.save({"input": {"source": 1}})
    assert checkpoint.path.parent == tmp_path / "checkpoints"
    assert checkpoint.load() == {"input": {"source": 1}}
    data_dir.close()


def test_names_that_look_alike_have_files_of_their_own(tmp_path: Path) -> None:
    data_dir = DataDir.resolve(str(tmp_path))
    names = ["web", "Web", "WEB", "we b", "we-b", "we/b", "caf\u00e9", "cafe\u0301"]
    assert len({str(data_dir.checkpoint_path(name)).lower() for name in names}) == len(names)


def test_a_flow_keeps_its_file_from_run_to_run(tmp_path: Path) -> None:
    assert DataDir.resolve(str(tmp_path)).checkpoint_path("web").name == "web-4b5e57f6eb2f42b9.json"


def test_an_ephemeral_run_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    data_dir = DataDir.resolve(None, ephemeral=True)
    data_dir.lock()
    assert data_dir.checkpoint("web") is None
    assert data_dir.dead_letters().path == ""
    data_dir.close()
    assert list(tmp_path.iterdir()) == []


def test_an_ephemeral_run_keeps_its_dead_letters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    data_dir = DataDir.resolve(None, ephemeral=True)
    data_dir.lock()
    data_dir.dead_letters().append([ONE])
    data_dir.close()
    assert Path(data_dir.dead_letters().path).read_text().count("\n") == 1


def test_an_ephemeral_directory_without_dead_letters_goes_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    data_dir = DataDir.resolve(None, ephemeral=True)
    assert data_dir.path.is_dir()
    data_dir.close()
    assert list(tmp_path.iterdir()) == []


def test_closing_twice_does_no_harm(tmp_path: Path) -> None:
    data_dir = DataDir.resolve(str(tmp_path))
    data_dir.lock()
    data_dir.close()
    data_dir.close()


# Whose it is


def test_the_id_is_made_once_and_never_changes(tmp_path: Path) -> None:
    found = set()
    for _ in range(3):
        data_dir = DataDir.resolve(str(tmp_path))
        data_dir.lock()
        found.add(data_dir.agent_id)
        data_dir.close()
    assert len(found) == 1
    assert found == {(tmp_path / "agent-id").read_text().strip()}


def test_two_directories_have_two_ids(tmp_path: Path) -> None:
    ids = set()
    for name in ("a", "b"):
        data_dir = DataDir.resolve(str(tmp_path / name))
        data_dir.lock()
        ids.add(data_dir.agent_id)
        data_dir.close()
    assert len(ids) == 2


def test_an_id_that_is_damaged_is_told_and_left_as_it_is(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "agent-id").write_text("0123\x1b\n")
    data_dir = DataDir.resolve(str(tmp_path))
    data_dir.lock()
    assert len(data_dir.agent_id) == 32
    data_dir.close()
    assert (tmp_path / "agent-id").read_text() == "0123\x1b\n"
    assert "the agent's id is damaged" in caplog.text


def test_whoever_only_looks_makes_no_id(tmp_path: Path) -> None:
    assert DataDir.resolve(str(tmp_path)).agent_id
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_note_of_the_owner_is_written_anew(tmp_path: Path) -> None:
    (tmp_path / "agent.json").write_text('{"name": 1')
    data_dir = DataDir(tmp_path, "test", owner=Owner("web", "/a/web.py"))
    data_dir.lock()
    data_dir.close()
    assert owner_of(tmp_path) == Owner("web", "/a/web.py")
