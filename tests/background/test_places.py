from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from swak.background.places import SOCKET_PATH_MAX, Places, candidates, private_folder, socket_path, usable
from swak.errors import StateError

posix = pytest.mark.skipif(sys.platform == "win32", reason="modes and owners of POSIX")


@pytest.mark.parametrize(
    ("platform", "environ", "uid", "run", "logs"),
    [
        ("linux", {"SWAK_HOME": "/srv/swak", "XDG_RUNTIME_DIR": "/run/user/7"}, 7, "/srv/swak/run", "/srv/swak/logs"),
        ("linux", {}, 0, "/run/swak", "/var/log/swak"),
        (
            "linux",
            {"HOME": "/home/a", "XDG_RUNTIME_DIR": "/run/user/7", "XDG_STATE_HOME": "/state"},
            7,
            "/run/user/7/swak",
            "/state/swak/logs",
        ),
        ("linux", {"HOME": "/home/a"}, 7, "/run/user/7/swak", "/home/a/.local/state/swak/logs"),
        (
            "linux",
            {"HOME": "/home/a", "XDG_RUNTIME_DIR": "no path"},
            7,
            *["/home/a/.local/state/swak/" + one for one in ("run", "logs")],
        ),
        (
            "darwin",
            {"HOME": "/Users/a"},
            7,
            "/Users/a/Library/Application Support/swak/run",
            "/Users/a/Library/Logs/swak",
        ),
    ],
)
@posix
def test_the_places_are_those_of_the_platform(
    platform: str, environ: dict[str, str], uid: int, run: str, logs: str
) -> None:
    assert candidates(platform, environ, uid)[0] == Places(Path(run), Path(logs))


@posix
def test_folders_are_made_for_their_owner_only(tmp_path: Path) -> None:
    places = usable([Places(tmp_path / "a" / "run", tmp_path / "a" / "logs")])
    assert [places.run.stat().st_mode & 0o777, places.logs.stat().st_mode & 0o777] == [0o700, 0o700]


@posix
def test_a_folder_that_others_could_enter_is_shut(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    private_folder(tmp_path)
    assert tmp_path.stat().st_mode & 0o777 == 0o700


@posix
def test_a_link_in_the_place_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "run").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(NotADirectoryError):
        private_folder(tmp_path / "run")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may give a folder away")
def test_a_folder_of_another_user_is_not_used(tmp_path: Path) -> None:
    mine, theirs = Places(tmp_path / "mine", tmp_path / "logs"), Places(tmp_path / "theirs", tmp_path / "logs")
    theirs.run.mkdir()
    os.chown(theirs.run, 65_534, 65_534)
    assert usable([theirs, mine]) == mine
    with pytest.raises(StateError, match="belongs to user 65534"):
        usable([theirs])


def test_where_no_folder_can_be_made_the_error_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StateError, match="SWAK_HOME"):
        usable([Places(tmp_path / "file" / "run", tmp_path / "logs")])


@posix
def test_a_socket_whose_path_is_too_long_gets_a_short_one_that_is_always_the_same(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100)
    path = socket_path(deep, "web")
    assert path == socket_path(deep, "web") != socket_path(deep, "app")
    assert len(os.fsencode(path)) <= SOCKET_PATH_MAX
    assert socket_path(Path("/run/swak"), "web") == Path("/run/swak/web.sock")
