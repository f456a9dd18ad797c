from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from swak.background.naming import claim
from swak.background.places import usable
from swak.commands.keeping import data_dir_of
from swak.datadir import Owner
from swak.errors import StateError
from swak.homes import choose

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SWAK_HOME", str(tmp_path))
    monkeypatch.delenv("SWAK_DATA_DIR", raising=False)
    return tmp_path


def test_an_agent_that_runs_says_where_it_keeps_its_state(home: Path) -> None:
    owned = claim(usable(), "web")
    try:
        owned.describe({"recipe": "/etc/web.py", "data_dir": str(home / "elsewhere")})
        for named in ("web", "/etc/web.py"):
            assert data_dir_of(named, None).path == home / "elsewhere"
        assert data_dir_of("web", str(home / "here")).path == home / "here"
    finally:
        owned.release()


def test_an_agent_that_has_ended_is_found_by_what_it_left(home: Path) -> None:
    where = choose(Owner("web", "/etc/web.py"), [])
    where.lock()
    where.close()
    for named in ("web", "/etc/web.py", None):
        assert data_dir_of(named, None).path == home / "data" / "web"
    with pytest.raises(StateError, match='no agent of the name or recipe "api"'):
        data_dir_of("api", None)
