"""How plugins are made again in another process."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from swak import Event, Filter, option, out
from swak.topology.load import load_text, run_again
from swak.workers.orders import CannotTravelError, Orders, made, written
from tests.workers.filters import Deadly

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from swak.recipe import Recipe

RECIPE = """
from swak import Filter
class Level:
    def __init__(self, name): self.name = name
class Marks(Filter):
    '''Marks.'''
    level: object = option("Any.")
    def process(self, event): return event
task(in_.Counter(1), out.Marks(Level("high")), out.Null(), workers=1)
"""


def unused(*_: str) -> ModuleType:
    raise AssertionError("no recipe is needed")


@pytest.fixture
def forgetful() -> Iterator[None]:
    """Forget the modules that a test loads."""
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith("swak_recipe") or name == "elsewhere":
            del sys.modules[name]


def plugin_of(recipe: Recipe) -> Any:
    return recipe.flows[0].parts[1]


def test_a_plugin_is_made_again_with_its_options_and_its_place() -> None:
    given = Deadly(at=5, how="hang")
    orders = written([("Deadly-2", given)])
    assert orders.sources == ()
    ((stage, found),) = made(orders, unused)
    assert stage == "Deadly-2"
    assert isinstance(found, Deadly)
    assert (found.at, found.how, found.place) == (5, "hang", given.place)


def test_a_built_in_plugin_needs_no_text() -> None:
    orders = written([("Regex", out.Regex("(?P<a>.)"))])
    assert orders.sources == ()
    assert made(orders, unused)[0][1].options_given == {"pattern": "(?P<a>.)"}


@pytest.mark.usefixtures("forgetful")
def test_the_text_of_a_recipe_travels_with_its_classes() -> None:
    orders = written([("Marks", plugin_of(load_text(RECIPE, "<-e>")))])
    (source,) = orders.sources
    assert (source.text, source.file, source.is_recipe) == (RECIPE, "<-e>", True)
    del sys.modules[source.name]
    found = made(orders, run_again)[0][1]
    assert type(found).__module__ == source.name
    assert found.options_given["level"].name == "high"


@pytest.mark.usefixtures("forgetful")
def test_a_recipe_that_is_run_again_starts_nothing_and_declares_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    module = run_again(RECIPE, "<-e>", "swak_recipe_again")
    assert module.__name__ == "swak_recipe_again"
    assert capsys.readouterr().out == ""


@pytest.mark.usefixtures("forgetful")
def test_a_module_that_cannot_be_imported_by_its_name_travels_as_text(tmp_path: Path) -> None:
    path = tmp_path / "elsewhere.py"
    path.write_text("from swak import Filter\nclass Far(Filter):\n    pass\n")
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location("elsewhere", path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["elsewhere"] = module_from_spec(spec)
    spec.loader.exec_module(module)
    orders = written([("Far", module.Far())])
    assert [(one.name, one.is_recipe) for one in orders.sources] == [("elsewhere", False)]
    path.unlink()
    del sys.modules["elsewhere"]
    assert type(made(orders, unused)[0][1]).__name__ == "Far"
    gone = module_from_spec(spec)
    sys.modules["elsewhere"] = gone
    vars(gone)["Far"] = module.Far
    with pytest.raises(CannotTravelError, match="has no file that can be read"):
        written([("Far", module.Far())])


def test_what_a_program_itself_defines_cannot_travel(tmp_path: Path) -> None:
    program = """
import swak
class Own(swak.Filter):
    def process(self, event): return event
try:
    with swak.running(swak.task(swak.in_.Counter(1), Own(), swak.out.Null(), workers=1)):
        print("runs")
except swak.ConfigError as error:
    print(error)
"""
    path = tmp_path / "program.py"
    path.write_text(program)
    env = {"PYTHONPATH": str(Path(__file__).parent.parent.parent)}
    done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, timeout=30, check=False, env=env)
    assert "it is of the program itself" in done.stdout, done.stderr
    assert "put it into a file of its own and import it from there" in done.stdout
    assert "runs" not in done.stdout


def test_a_module_that_starts_a_flow_when_it_is_imported_starts_no_workers_of_workers(tmp_path: Path) -> None:
    (tmp_path / "reckless.py").write_text(
        """
import swak
class Own(swak.Filter):
    def process(self, event): return event
flow = swak.task(swak.in_.Counter(1), Own(), swak.out.Null(), workers=1)
with swak.running(flow, deaths_max=0, fail_fast=True) as run:
    run.stopped = True
    run.wait(10)
    print(run.snapshot()[1].last_error)
"""
    )
    env = {"PYTHONPATH": str(Path(__file__).parent.parent.parent)}
    done = subprocess.run(
        [sys.executable, "-c", "import reckless"],
        cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False, env=env,
    )  # fmt: skip
    assert "a worker process runs this module again" in done.stdout, done.stderr
    assert "reckless.py:5" in done.stdout


class Takes(Filter):
    """Takes anything."""

    value: object = option("Any.")

    def process(self, event: Event) -> Event:
        return event


def test_what_python_finds_by_its_name_can_travel() -> None:
    assert made(written([("Takes", Takes(sorted))]), unused)[0][1].options_given == {"value": sorted}


@pytest.mark.parametrize("value", [lambda: 1, {"deep": [threading.Lock()]}, (one for one in "x")])
def test_values_that_cannot_travel_name_their_option(value: object) -> None:
    with pytest.raises(CannotTravelError, match="the option value cannot be taken to another process"):
        written([("Takes", Takes(value))])


def test_orders_can_be_sent() -> None:
    import pickle

    orders = written([("Deadly", Deadly())])
    assert pickle.loads(pickle.dumps(orders)) == orders
    assert isinstance(orders, Orders)
