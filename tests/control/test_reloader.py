from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from swak import running
from swak.control.client import ControlError
from swak.control.reloader import Reloader, running_topology
from swak.errors import ConfigError
from swak.topology.load import load_file, load_text
from tests.control.served import served
from tests.flows.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from swak.actors.running import Run
    from swak.reloading.outcome import Outcome

ONE = "task(in_.Memory(follow=True), out.Null(), name='t')\n"
TWO = "task(in_.Memory(follow=True), [out.Null(), out.Null(retry_for=1)], name='t')\n"


@contextmanager
def reloading(folder: Path, text: str = ONE) -> Iterator[tuple[Run, Reloader, Path]]:
    path = folder / "web.py"
    path.write_text(text)
    with running(load_file(path), grace_s=1) as run:
        reloader = Reloader(run, str(path))
        try:
            yield run, reloader, path
        finally:
            reloader.close()
        run.stop()
        run.wait(10)


def outcome(reloader: Reloader) -> Outcome:
    ticket = reloader.request()
    until(lambda: reloader.outcome_of(ticket) is not None, "the reload is over", 60)
    found = reloader.outcome_of(ticket)
    assert found is not None
    return found


def test_the_run_becomes_what_the_recipe_says(tmp_path: Path) -> None:
    with reloading(tmp_path) as (run, reloader, path):
        assert outcome(reloader).ending == "unchanged"
        path.write_text(TWO)
        assert outcome(reloader).added == ("t/Null-2",)
        assert [stage.name for stage in running_topology(run).flows[0].stages] == ["Memory", "Null", "Null-2"]
        path.write_text(ONE)
        assert outcome(reloader).removed == ("t/Null-2",)
        path.write_text("nonsense")
        assert outcome(reloader).ending == "refused"
        assert run.reloads is not None
        assert dict(run.reloads.counts) == {"unchanged": 1, "done": 2, "refused": 1}


def test_many_requests_become_one_more_with_the_last_recipe(tmp_path: Path) -> None:
    with reloading(tmp_path) as (run, reloader, path):
        tickets = [reloader.request() for _ in range(50)]
        path.write_text(TWO)
        tickets += [reloader.request() for _ in range(50)]
        until(lambda: reloader.outcome_of(tickets[-1]) is not None, "it is over", 60)
        assert [stage.name for stage in running_topology(run).flows[0].stages] == ["Memory", "Null", "Null-2"]
        assert run.reloads is not None
        assert run.reloads.counts.total() <= 2


def test_a_memory_limit_that_is_too_small_for_more_flows_refuses_them(tmp_path: Path) -> None:
    path = tmp_path / "web.py"
    path.write_text(ONE)
    with running(load_file(path), memory_limit=1_500_000) as run:
        reloader = Reloader(run, str(path))
        path.write_text(ONE + ONE.replace("'t'", "'u'"))
        found = outcome(reloader)
        assert found.ending == "rolled_back"
        assert "the memory limit" in found.problems[0]
        assert [flow.name for flow in running_topology(run).flows] == ["t"]
        reloader.close()
        run.stop()
        assert run.wait(10)


def test_a_plan_is_compared_and_nothing_is_done(tmp_path: Path) -> None:
    with reloading(tmp_path) as (run, reloader, _):
        (tmp_path / "new.py").write_text(TWO)
        assert reloader.plan(str(tmp_path / "new.py")).added == {("t", "Null-2")}
        assert [stage.name for stage in running_topology(run).flows[0].stages] == ["Memory", "Null"]
        assert "cannot read" in reloader.planned(str(tmp_path / "none.py"))["problems"][0]


def test_a_recipe_that_was_given_as_text_cannot_be_loaded_again() -> None:
    with running(load_text(ONE)) as run:
        reloader = Reloader(run, None)
        assert "given as text" in outcome(reloader).problems[0]
        reloader.close()
        run.stop()


def test_a_main_cannot_become_a_task(tmp_path: Path) -> None:
    with reloading(tmp_path) as (_, reloader, path):
        path.write_text(ONE.replace("task", "main"))
        with pytest.raises(ConfigError, match="t runs as a task"):
            reloader.plan(str(path))


def test_a_run_of_a_program_has_no_recipe_to_load_again(tmp_path: Path) -> None:
    with served(tmp_path, *load_text(ONE).flows) as one, one.connect() as connection:
        with pytest.raises(ControlError, match="started by a program"):
            connection.ask("reload")
        one.run.stop()
