"""Options that are secret are in nothing that an agent prints, however much it is asked to tell."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING

import pytest

from tests.flows.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.flows.conftest import Start

SECRET = "hunter2hunter2"
RECIPE = f"""
task(
    in_.Counter(),
    [
        out.Http("http://127.0.0.1:1/x", user="u", password="{SECRET}", headers={{"X-Key": "{SECRET}"}}),
        out.Fluentd("127.0.0.1", 1, shared_key="{SECRET}", user="u", password="{SECRET}"),
    ],
)
task(in_.Http(0, user="u", password="{SECRET}"), out.Null())
task(in_.Forward("127.0.0.1", 0, shared_key="{SECRET}", users={{"u": "{SECRET}"}}), out.Null())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("form", ["text", "json"])
def test_no_secret_is_told_whatever_goes_wrong(tmp_path: Path, start: Start, form: str) -> None:
    (tmp_path / "recipe.py").write_text(RECIPE)
    agent = start("recipe.py", "-vv", "--log-format", form, "--grace", "0.1s")
    until(lambda: agent.log.count("output is down") >= 2, lambda: agent.log)
    for number, told in ((signal.SIGCONT, "state of a stage"), (signal.SIGQUIT, "thread")):
        agent.process.send_signal(number)
        until(lambda wanted=told: wanted in agent.log, lambda: agent.log)  # type: ignore[misc]
    assert agent.process.wait(20) == 128 + signal.SIGQUIT
    assert SECRET not in agent.log
