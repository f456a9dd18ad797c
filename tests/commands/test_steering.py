from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from swak import in_, out, running, task
from swak.background.naming import claim
from swak.background.places import socket_path, usable
from swak.cli import swak
from swak.control.server import Server
from swak.control.verbs import Agent
from swak.testing import FlakyOutput

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def sink(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FlakyOutput]:
    """The output of an agent that runs."""
    monkeypatch.setenv("SWAK_HOME", str(tmp_path))
    source, output = in_.Memory(follow=True), FlakyOutput()
    with running(task(source, out.Drop("n == 0"), output, name="t")) as run:
        owned = claim(usable(), "web")
        path = socket_path(usable().run, "web")
        server = Server(path, Agent(run, "web", "web.py", {"log": ""}).verbs(), time.monotonic)
        server.start()
        owned.describe({"socket": str(path), "recipe": "web.py"})
        yield output
        server.close()
        owned.release()
        output.up()
        source.end()


def test_events_are_put_in_from_arguments_and_from_standard_input(sink: FlakyOutput) -> None:
    done = CliRunner().invoke(swak, ["inject", "Drop", '{"n": 0}', '{"n": 1}', "plain", "[1]"])
    assert (done.exit_code, done.stderr) == (0, "4 of 4 accepted, 4 settled\n")
    done = CliRunner().invoke(swak, ["inject", "Drop", "--tag", "own"], input="first\nsecond\n")
    assert done.exit_code == 0
    assert sink.records == [{"n": 1}, *({"message": text} for text in ("plain", "[1]", "first", "second"))]
    assert [event.tag for event in sink.events] == ["injected"] * 3 + ["own"] * 2


def test_what_is_not_settled_in_time_has_an_exit_code(sink: FlakyOutput) -> None:
    sink.down()
    done = CliRunner().invoke(swak, ["inject", "Drop", "x", "--wait", "0.05s"])
    assert (done.exit_code, done.stderr) == (1, "1 of 1 accepted, 0 settled\n")
    done = CliRunner().invoke(swak, ["flush", "--wait", "0.05s"])
    assert (done.exit_code, done.stderr) == (1, "not settled yet: t\n")


@pytest.mark.usefixtures("sink")
def test_a_paused_stage_is_seen_in_the_status() -> None:
    assert CliRunner().invoke(swak, ["pause", "Drop", "--name", "web"]).exit_code == 0
    assert "t/Drop         paused" in CliRunner().invoke(swak, ["status"]).stdout
    assert CliRunner().invoke(swak, ["resume", "Drop"]).stderr == "t/Drop: goes on\n"
