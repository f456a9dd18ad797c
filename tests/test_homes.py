from __future__ import annotations

from pathlib import Path

import pytest

from swak.datadir import DataDir, Owner
from swak.errors import StateError
from swak.homes import RESERVED, choose, find, folder_of, kept, left_behind, roots


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("SWAK_DATA_DIR", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SWAK_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "data"


def recipe(folder: Path, name: str = "web.py") -> str:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("")
    return str(folder / name)


def used(owner: Owner, *flows: str, keep: bool = True) -> Path:
    """Be an agent that has run once and ended."""
    where = choose(owner, flows)
    where.lock()
    for flow in flows if keep else ():
        checkpoint = where.checkpoint(flow)
        assert checkpoint is not None
        checkpoint.save({"input": {"source": 1}})
    where.close()
    return where.path


@pytest.mark.parametrize(
    ("platform", "environ", "uid", "shared", "own"),
    [
        ("linux", {"SWAK_HOME": "/s"}, 1000, "/s/data", "/s/data"),
        ("linux", {}, 0, "/var/lib/swak", "/var/lib/swak/data"),
        ("linux", {"HOME": "/home/kim"}, 1000, "/home/kim/.local/state/swak", "/home/kim/.local/state/swak/data"),
        ("win32", {"PROGRAMDATA": "/P"}, None, "/P/swak/data", "/P/swak/data"),
    ],
)
def test_each_platform_has_a_folder_for_the_directories(
    platform: str, environ: dict[str, str], uid: int | None, shared: str, own: str
) -> None:
    assert roots(platform, environ, uid)[:2] == (Path(shared), Path(own))


def test_each_name_has_a_directory_of_its_own(home: Path) -> None:
    assert used(Owner("web", "/a/web.py"), "web-1") == home / "web"
    assert used(Owner("api", "/a/api.py"), "api-1") == home / "api"


def test_two_agents_run_side_by_side(home: Path) -> None:
    first, second = choose(Owner("web", "/a/web.py"), ["web-1"]), choose(Owner("api", "/a/api.py"), ["api-1"])
    for one in (first, second):
        one.lock()
    assert sorted(path.name for path in home.iterdir()) == ["api", "web"]
    for one in (first, second):
        one.close()


def test_what_is_named_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose(Owner("web"), ["web-1"], str(tmp_path / "here")).path == tmp_path / "here"
    monkeypatch.setenv("SWAK_DATA_DIR", str(tmp_path / "there"))
    assert choose(Owner("web"), ["web-1"]).path == tmp_path / "there"


@pytest.mark.parametrize("name", [*RESERVED, "Lock", "dead-letters.jsonl"])
def test_no_name_leads_to_a_file_of_the_directory_that_all_shared(name: str) -> None:
    assert folder_of(name) == f"agent-{name}"


# What was kept before each agent had its own


def shared_state(home: Path, flow: str) -> None:
    where = DataDir(home, "as it was")
    where.lock()
    checkpoint = where.checkpoint(flow)
    assert checkpoint is not None
    checkpoint.save({"input": {"source": 1}})
    where.close()


def test_positions_in_the_shared_directory_are_used_on(home: Path) -> None:
    shared_state(home, "web-1")
    where = choose(Owner("web", "/a/web.py"), ["web-2", "web-1"])
    assert (where.path, "from before" in where.why) == (home, True)


def test_a_recipe_without_positions_there_has_its_own(home: Path) -> None:
    shared_state(home, "web-1")
    assert choose(Owner("api", "/a/api.py"), ["api-1"]).path == home / "api"


def test_positions_of_its_own_are_newer_than_those_that_were_shared(home: Path) -> None:
    used(Owner("web", "/a/web.py"), "web-1")
    shared_state(home, "web-1")
    assert choose(Owner("web", "/a/web.py"), ["web-1"]).path == home / "web"


# Recipes of one file name


def test_another_recipe_of_that_file_name_is_refused(tmp_path: Path) -> None:
    used(Owner("web", recipe(tmp_path / "a")), "web-1")
    other = choose(Owner("web", recipe(tmp_path / "b")), ["web-1"])
    with pytest.raises(StateError, match=r"holds the state of another recipe of that name, .*/a/web.py; give this one"):
        other.lock()
    again = choose(Owner("web", str(tmp_path / "a" / "web.py")), ["web-1"])
    again.lock()  # and nothing stays locked
    again.close()


def test_a_recipe_that_was_moved_keeps_its_state_and_that_is_told(
    tmp_path: Path, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = recipe(tmp_path / "a")
    used(Owner("web", before), "web-1")
    Path(before).unlink()
    after = recipe(tmp_path / "b")
    assert used(Owner("web", after), "web-1") == home / "web"
    assert [one.owner for one in kept()] == [Owner("web", after)]
    assert "goes on from the state of another recipe" in caplog.text


def test_a_name_that_was_given_is_the_same_agent_wherever_its_recipe_is(tmp_path: Path, home: Path) -> None:
    used(Owner("web", recipe(tmp_path / "a"), is_given=True), "x")
    assert used(Owner("web", recipe(tmp_path / "b"), is_given=True), "x") == home / "web"


def test_another_name_for_a_recipe_begins_anew_and_is_told_what_it_leaves(tmp_path: Path, home: Path) -> None:
    path = recipe(tmp_path / "a")
    used(Owner("web", path), "web-1")
    other = choose(Owner("other", path, is_given=True), ["web-1"])
    assert [one.path for one in left_behind(other, ["web-1"])] == [home / "web"]
    assert left_behind(other, ["api-1"]) == []
    used(Owner("other", path, is_given=True), "web-1")
    assert left_behind(other, ["web-1"]) == []


# Finding it again


def test_an_agent_is_found_by_name_and_by_recipe(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    used(Owner("web", recipe(tmp_path / "a"), is_given=True), "x")
    used(Owner("mine", recipe(tmp_path / "b", "api.py"), is_given=True), "x")
    monkeypatch.chdir(tmp_path)
    assert find("web").path == home / "web"
    assert find("b/api.py").path == home / "mine"
    assert find(None, recipe="b/api.py").path == home / "mine"


def test_the_only_one_needs_no_name(home: Path) -> None:
    used(Owner("web"), "x", keep=False)
    assert find(None).path == home / "web"


def test_of_several_one_has_to_be_named(home: Path) -> None:
    for name in ("web", "api"):
        used(Owner(name), "x")
    shared_state(home, "old")
    with pytest.raises(StateError, match=r"several agents have kept something in .*: shared, api, web; name one"):
        find(None)
    assert find("shared").path == home


def test_a_name_that_is_mistyped_gets_a_suggestion() -> None:
    used(Owner("web"), "x")
    with pytest.raises(StateError, match=r'no agent of the name or recipe "wbe" has kept.*did you mean "web"'):
        find("wbe")


def test_where_nothing_is_kept_it_is_the_directory_of_old(home: Path) -> None:
    assert find(None).path == home
    assert kept() == []


def test_what_is_no_state_is_no_agent(home: Path) -> None:
    (home / "notes").mkdir(parents=True)
    assert kept() == []
