"""Loading recipes from files, text and standard input."""

from __future__ import annotations

import io
import pickle
import subprocess
import sys
import threading
import traceback
from typing import TYPE_CHECKING

import pytest

from swak import errors
from swak import recipe as recipes
from swak.errors import ConfigError, Problem
from swak.topology.compile import compile_recipe
from swak.topology.load import RECIPE_BYTES_MAX, load_file, load_text

if TYPE_CHECKING:
    from pathlib import Path

PLUGINS = '''
class Numbers(Input):
    """Numbers."""
    limit: int = option("How many.", default=5, above=0)

class Upper(Filter):
    """Upper case."""

class Keep(Output):
    """Keeps."""
    path: str = option("Where.", default="here")
'''


def problems_of(text: str, file: str = "<text>") -> tuple[Problem, ...]:
    with pytest.raises(ConfigError) as caught:
        load_text(text, file)
    return caught.value.problems


def test_a_recipe_needs_no_imports() -> None:
    loaded = load_text(PLUGINS + "task(in_.Numbers(3), out.Upper(), failover(out.Keep(), last=out.Keep()))")
    assert [type(part).__name__ for part in loaded.flows[0].parts] == ["Numbers", "Upper", "Failover"]


def test_imports_work_as_well() -> None:
    loaded = load_text("from swak import Input, in_, main\nclass Own(Input): ...\nmain(in_.Own())")
    assert loaded.flows[0].kind == "main"


def test_the_keyword_in_is_understood() -> None:
    loaded = load_text(PLUGINS + "task(in.Numbers(), out.Keep('in.X'))  # in.Y")
    assert loaded.flows[0].parts[1].path == "in.X"


def test_a_bare_chain_is_a_task() -> None:
    loaded = load_text(PLUGINS + "in.Numbers() | out.Upper() | out.Keep()")
    assert [(flow.kind, len(flow.parts)) for flow in loaded.flows] == [("task", 3)]


def test_every_bare_chain_is_a_task() -> None:
    loaded = load_text(PLUGINS + "in.Numbers() | out.Keep()\nin.Numbers() | out.Keep()\nx = 5\nx")
    assert [flow.place.line for flow in loaded.flows] == [12, 13]


def test_places_are_the_recipes_own_lines(tmp_path: Path) -> None:
    file = tmp_path / "web.py"
    file.write_text(PLUGINS + "task(\n  in_.Numbers(),\n  out.Keep(),\n)\n")
    flow = load_file(file).flows[0]
    assert (flow.place, flow.parts[1].place) == ((str(file), 12), (str(file), 14))


def test_a_recipe_may_stand_in_a_folder_whose_name_begins_like_the_package() -> None:
    package = recipes._PACKAGE.rstrip("/\\")
    place = recipes.Place(f"{package}-demo/web.py", 2)
    with pytest.raises(ConfigError) as caught:
        load_text("\nout.Nothing()", place.file)
    assert caught.value.problems[0].line == 2


def test_standard_input_is_read_for_a_dash(monkeypatch: pytest.MonkeyPatch) -> None:
    text = PLUGINS + "in_.Numbers() | out.Keep()"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert load_file("-").file == "<stdin>"


def test_the_file_knows_its_path_and_may_import_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "neighbour_of_recipe.py").write_text("LIMIT = 7\n")
    file = tmp_path / "web.py"
    file.write_text(
        PLUGINS + "import neighbour_of_recipe as n\nassert __file__\ntask(in_.Numbers(n.LIMIT), out.Keep())"
    )
    assert load_file(file).flows[0].parts[0].limit == 7


def test_plugins_of_a_recipe_can_be_pickled() -> None:
    plugin = load_text(PLUGINS + "in_.Numbers(9) | out.Keep()").flows[0].parts[0]
    assert pickle.loads(pickle.dumps(plugin)).limit == 9


def test_string_annotations_of_a_recipes_options_are_understood() -> None:
    text = "from __future__ import annotations\n" + PLUGINS + "in_.Numbers(9) | out.Keep()"
    assert load_text(text).flows[0].parts[0].limit == 9


def test_two_recipes_of_one_name_do_not_mix(tmp_path: Path) -> None:
    for name, limit in (("a", 1), ("b", 2)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "parts.py").write_text(f"from swak import Input\nclass Part(Input):\n    limit = {limit}")
        (folder / "web.py").write_text(PLUGINS + "task(in_.Part(), out.Keep())")
    limits = [load_file(tmp_path / name / "web.py").flows[0].parts[0].limit for name in ("a", "b")]
    assert limits == [1, 2]


def test_all_problems_come_together_in_the_order_of_lines() -> None:
    text = (
        PLUGINS + "task(\n in_.Numbrs(),\n out.Keep(pth='x'),\n)\ntask(\n in_.Numbers(limit=0),\n out.Upper,\n)\n1/0\n"
    )
    found = [(problem.line, problem.what) for problem in problems_of(text)]
    assert found == [
        (13, "in_.Numbrs: there is no such plugin"),
        (14, 'Keep: unknown option "pth"'),
        (16, "task: Upper is a class, not a plugin"),
        (17, 'Numbers: option "limit" wants a number above 0, not 0'),
        (20, "ZeroDivisionError: division by zero"),
    ]


def test_a_problem_says_what_was_meant() -> None:
    (problem,) = problems_of(PLUGINS + "task(in_.Numbrs(), out.Keep())")
    assert problem.mend == 'did you mean "Numbers"?'


def test_an_exception_is_told_by_the_recipes_line(tmp_path: Path) -> None:
    file = tmp_path / "web.py"
    file.write_text("import json\n\ndef read():\n    return json.loads('{')\n\nread()\n")
    with pytest.raises(ConfigError) as caught:
        load_file(file)
    problem = caught.value.problems[0]
    assert (problem.file, problem.line) == (str(file), 4)
    assert problem.what.startswith("JSONDecodeError: ")
    assert isinstance(caught.value.__cause__, ValueError)


@pytest.mark.parametrize(
    ("text", "line", "what", "mend"),
    [
        ("\nimport sys\nsys.exit(0)", 3, "it ends the process", "leave sys.exit() out"),
        ("\nraise OSError('no')", 2, "OSError: no", ""),
        ("\ntsk()", 2, "NameError: name 'tsk' is not defined", 'did you mean "task"?'),
        ("\nout.Keep\n\nreturn 5", 4, "SyntaxError: 'return' outside function", ""),
        ("\nx = 5\nx[1]", 3, "TypeError: 'int' object is not subscriptable", "comma"),
    ],
)
def test_what_a_recipe_raises_is_a_problem(text: str, line: int, what: str, mend: str) -> None:
    problem = problems_of(text)[-1]
    assert (problem.line, problem.what) == (line, what)
    assert mend in problem.mend


def test_ctrl_c_is_no_problem_of_the_recipe() -> None:
    with pytest.raises(KeyboardInterrupt):
        load_text("raise KeyboardInterrupt")


def test_a_recipe_without_a_flow_is_a_problem() -> None:
    (problem,) = problems_of("x = 5")
    assert problem.what == "the recipe declares no flow"


def test_nothing_stays_behind_after_a_failure() -> None:
    before = set(sys.modules)
    problems_of("1/0")
    assert not [name for name in set(sys.modules) - before if name.startswith("swak_recipe")]
    assert errors.COLLECTED.get() is None
    assert recipes.COLLECTED.get() is None


def test_nothing_starts_on_loading() -> None:
    before = threading.active_count()
    load_text(PLUGINS + "in_.Numbers() | out.Keep()")
    assert threading.active_count() == before


def test_loading_prints_nothing_of_its_own(capfd: pytest.CaptureFixture[str]) -> None:
    load_text(PLUGINS + "print('mine')\nin_.Numbers() | out.Keep()")
    assert capfd.readouterr() == ("mine\n", "")


def test_a_traceback_shows_the_original_text() -> None:
    with pytest.raises(ConfigError) as caught:
        load_text("x = 5; in.Nowhere(1 / 0)")
    cause = caught.value.__cause__
    assert cause is not None
    source, carets = "".join(traceback.format_exception(cause)).split('"<text>", line 1')[1].splitlines()[1:3]
    assert source.strip() == "x = 5; in.Nowhere(1 / 0)"
    assert source[carets.index("~") : carets.rindex("~") + 1] == "1 / 0"


@pytest.mark.parametrize(
    "text", [b"\xef\xbb\xbfx = 5\r\nout.Nothing()\r\n", b"# coding: latin-1\nout.Nothing('\xe9')\n"]
)
def test_encodings_are_those_of_python(tmp_path: Path, text: bytes) -> None:
    file = tmp_path / "r.py"
    file.write_bytes(text)
    with pytest.raises(ConfigError) as caught:
        load_file(file)
    problem = caught.value.problems[0]
    assert (problem.line, problem.what) == (2, "out.Nothing: there is no such plugin")


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [(b"x = 1\ny = '\xff'\n", 2, r"no utf-8 text: b'\xff'"), (b"# coding: no-such\n", 1, "unknown encoding")],
)
def test_bytes_that_are_no_text_are_told_with_their_line(tmp_path: Path, text: bytes, line: int, what: str) -> None:
    file = tmp_path / "r.py"
    file.write_bytes(text)
    with pytest.raises(ConfigError) as caught:
        load_file(file)
    assert caught.value.problems[0].line == line
    assert what in caught.value.problems[0].what


def test_a_file_that_cannot_be_read_is_a_problem(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.py", "a\0b"):
        with pytest.raises(ConfigError, match="cannot read the recipe"):
            load_file(path)


def test_a_file_that_is_too_large_for_a_recipe_is_not_read_whole(tmp_path: Path) -> None:
    file = tmp_path / "big.py"
    with file.open("wb") as big:
        big.truncate(RECIPE_BYTES_MAX * 100)
    with pytest.raises(ConfigError, match="larger than"):
        load_file(file)


def test_loading_imports_no_actors() -> None:
    code = "import sys, swak.topology.load as load; sys.exit('pykka' in sys.modules or 'swak.actors' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_text_and_a_file_compile_to_the_same(tmp_path: Path) -> None:
    text = PLUGINS + "in.Numbers() | out.Upper() | out.Keep()"
    file = tmp_path / "task.py"
    file.write_text(text)
    from_text, from_file = (compile_recipe(one).flows[0] for one in (load_text(text), load_file(file)))
    assert from_text.name == from_file.name == "task-1"
    assert [stage.name for stage in from_text.stages] == [stage.name for stage in from_file.stages]
