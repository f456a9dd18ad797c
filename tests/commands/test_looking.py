from __future__ import annotations

from typing import TYPE_CHECKING, Any

from swak import in_, out, task
from swak.commands.looking import Remote
from tests.control.served import served

if TYPE_CHECKING:
    from pathlib import Path


def test_the_view_of_another_process_keeps_its_last_figures_when_that_has_ended(tmp_path: Path) -> None:
    source = in_.Memory(["a"], follow=True)
    with served(tmp_path, task(source, out.Null(), name="t")) as one, one.connect() as connection:
        remote = Remote(connection)
        assert [view.stage for view in remote.snapshot()] == ["Memory", "Null"]
        assert remote.read().rss_bytes > 0
        assert not remote.ended.is_set()
        source.end()
        one.run.wait(20)
        one.server.close()
        shown: Any = remote.snapshot()
        assert [view.stage for view in shown] == ["Memory", "Null"]
        assert remote.ended.is_set()
        assert "has closed the connection" in remote.why
