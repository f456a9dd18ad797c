"""The house rules: what this code base is meant to look like, as tests."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING

import swak
from tests import house
from tests.house import ROOT, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MODULE_LINES_MAX = 300
PLUGIN_LINES_MAX = 150
FUNCTION_LINES_MAX = 50
CORE_LINES_MAX = 3_988
"""Lines of code that have to be understood to change how events flow. docs/decisions/0011 says why it is not 2,500."""

CORE = ["ack", "event", "recipe", "plugin", "checkpoint", "stats", "errors"]
DRAWN = {"text.py"}
"""Of the topology, what draws pictures of it is no core."""

BANNED = {"manager", "handler", "util", "utils", "helper", "helpers", "common", "misc"}
"""Words that say nothing about what a thing does."""
NAMED_SO = {
    "swak/logform.py:Handler": "the standard library's word for what a logger writes to",
}

SLEEPERS: dict[str, str] = {}
"""Files that may call time.sleep, and why."""

POSIX_ONLY = {"crypt", "fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty"}
POSIX_ONLY |= {"select.epoll", "select.kqueue", "select.poll"}

POSIX_MODULES = {name for name in POSIX_ONLY if "." not in name}
NOT_ON_WINDOWS = {
    "os": ["fork", "geteuid", "getuid", "setsid", "getpgid", "killpg", "mkfifo", "O_NONBLOCK", "O_DIRECTORY", "uname"],
    "signal": ["SIGHUP", "SIGKILL", "SIGUSR1", "SIGPROF", "setitimer", "pthread_kill", "ITIMER_PROF"],
    "socket": ["AF_UNIX", "sendmsg"],
    "select": ["epoll", "poll"],
}
"""What Python has on POSIX only, by module; a part of it."""

WITHOUT_POSIX = """
import importlib, os, select, signal, socket, sys
import asyncio, ctypes.util, http.client, logging, multiprocessing.connection, plistlib, pty, selectors, shutil, ssl
import statistics, subprocess, tempfile, types, urllib.request, uuid, zoneinfo
import click, msgpack, msgspec, psutil, pykka, rich.console, rich.live, structlog, watchdog.observers
for name in {modules!r}:
    sys.modules[name] = None
for module, names in {attributes!r}.items():
    for name in names:
        vars(sys.modules[module]).pop(name, None)
sys.platform = "win32"
sys.modules["msvcrt"] = types.ModuleType("msvcrt")
for name in {names!r}:
    importlib.import_module(name.removesuffix(".__init__"))
"""
"""Imports every module as if on Windows, as far as other people's modules, which come first, allow that."""

UNTESTED: dict[str, str] = {}
"""Modules without a test file of their own, and where their tests are."""

LOADED_AT_RUN = {"swak", "msgspec", "__future__"}
"""What a plugin may import at its top besides the standard library: the rest waits until the plugin opens."""

NOT_FOR_HELP = {"pykka", "msgspec", "rich", "structlog", "psutil", "watchdog", "msgpack", "logging"}

SOURCES = house.modules("swak")
SHIPPED = house.modules("swak", "recipes", "benchmarks")
EVERYTHING = SHIPPED + house.modules("tests")
PLUGINS = house.modules("swak/plugins")


def test_the_core_stays_small() -> None:
    core = [path for path in SOURCES if is_core(path)]
    lines = {shown(path): house.code_lines(path) for path in core}
    assert sum(lines.values()) <= CORE_LINES_MAX, lines


def is_core(path: Path) -> bool:
    folder = path.relative_to(ROOT / "swak").parts[0]
    if folder in {"actors", "topology"}:
        return path.name not in DRAWN
    return path.parent.name == "swak" and path.stem in CORE


def test_every_module_is_short() -> None:
    long = {shown(path): house.code_lines(path) for path in SHIPPED if house.code_lines(path) > MODULE_LINES_MAX}
    assert not long


def test_every_plugin_is_short() -> None:
    long = {shown(path): house.code_lines(path) for path in PLUGINS if house.code_lines(path) > PLUGIN_LINES_MAX}
    assert not long


def test_every_function_fits_a_screen() -> None:
    assert not [
        f"{shown(path, node.lineno)} {node.name}: {house.lines_of(path, node)} lines"
        for path in EVERYTHING
        for node in house.functions(path)
        if house.lines_of(path, node) > FUNCTION_LINES_MAX
    ]


def test_names_say_what_a_thing_does() -> None:
    assert not [
        f"{shown(path)}:{name}"
        for path in EVERYTHING
        for name in [path.stem, *(node.name for node in house.definitions(path))]
        if not name.startswith("test_")  # a test's name is a sentence
        if BANNED & set(words(name)) and f"{shown(path)}:{name}" not in NAMED_SO
    ]


def words(name: str) -> list[str]:
    return [word.lower() for word in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", name)]


def test_every_module_says_what_it_is_in_one_line() -> None:
    assert not [shown(path) for path in SOURCES if not (ast.get_docstring(house.tree_of(path)) or "").strip()]


def test_everything_public_has_a_docstring_where_it_is_declared() -> None:
    named = [(path, node) for path in SOURCES for node in house.definitions(path)]
    documented = {node.name for _, node in named if ast.get_docstring(node)}
    classes = {node.name for _, node in named if isinstance(node, ast.ClassDef)} | {"NamedTuple", "Protocol", "Enum"}
    assert not [
        f"{shown(path, node.lineno)} {node.name}"
        for path in SOURCES
        for node in public(house.tree_of(path), classes)
        if not ast.get_docstring(node) and (isinstance(node, ast.ClassDef) or node.name not in documented)
    ]


def public(scope: ast.Module | ast.ClassDef, classes: set[str]) -> Iterator[ast.ClassDef | house.Function]:
    """Yield what can be reached from outside; of a class with a foreign base, its methods are documented elsewhere."""
    if isinstance(scope, ast.ClassDef) and not {house.last_name(base) for base in scope.bases} <= classes:
        return
    for node in scope.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from public(node, classes)


def test_no_error_is_swallowed() -> None:
    assert not [
        shown(path, node.lineno)
        for path in EVERYTHING
        for node in ast.walk(house.tree_of(path))
        if isinstance(node, ast.ExceptHandler) and swallows(path, node)
    ]


def swallows(path: Path, node: ast.ExceptHandler) -> bool:
    """Tell whether a clause catches everything, or does nothing without saying why."""
    if node.type is None:
        return True
    if not all(isinstance(one, ast.Pass) for one in node.body):
        return False
    text = path.read_text(encoding="utf-8").splitlines()
    explained = any("#" in line for line in text[node.lineno - 1 : node.body[-1].lineno])
    return not explained or ast.unparse(node.type) in {"Exception", "BaseException"}


def test_nobody_sleeps() -> None:
    found = {shown(path): line for path in EVERYTHING for line in sleeps(path)}
    assert not [f"{name}:{line}" for name, line in found.items() if name not in SLEEPERS]
    assert not [name for name in SLEEPERS if name not in found], "these do not sleep any more"


def sleeps(path: Path) -> Iterator[int]:
    for node in ast.walk(house.tree_of(path)):
        if isinstance(node, ast.Attribute) and ast.unparse(node) == "time.sleep":
            yield node.lineno
        elif "time.sleep" in house.imported(node):
            yield node.lineno  # type: ignore[attr-defined]  # only import statements have names


def test_every_exception_from_a_rule_names_the_rule_and_the_reason() -> None:
    assert not [
        f"{shown(path, line)} {comment}"
        for path in EVERYTHING
        for line, comment in house.comments(path)
        if not is_explained(comment, wants_reason=path.is_relative_to(ROOT / "swak"))
    ]


def is_explained(comment: str, *, wants_reason: bool) -> bool:
    for word, coded in (("type: ignore", r"type: ignore\[[a-z, -]+\]"), ("noqa", r"noqa: [A-Z]+\d+(, [A-Z]+\d+)*")):
        if word in comment and not re.search(coded, comment):
            return False
    return not (wants_reason and "noqa" in comment) or bool(re.search(r"noqa: [A-Z0-9, ]+ - \S", comment))


def test_plugins_never_import_each_other() -> None:
    assert imports_where(PLUGINS, lambda name: name.startswith("swak.plugins")) == []


def test_only_the_actors_know_pykka() -> None:
    others = [path for path in SOURCES if not path.is_relative_to(ROOT / "swak" / "actors")]
    assert imports_where(others, lambda name: name.partition(".")[0] == "pykka") == []


def imports_where(paths: list[Path], matches: Callable[[str], bool]) -> list[str]:
    return [f"{shown(path, line)} {name}" for path in paths for line, name in house.imports(path) if matches(name)]


def test_a_plugin_imports_other_peoples_code_only_when_it_opens() -> None:
    assert not [
        f"{shown(path, line)} {name}"
        for path in PLUGINS
        for line, name in house.imports_on_import(path)
        if name.partition(".")[0] not in LOADED_AT_RUN | sys.stdlib_module_names
    ]


def test_every_module_can_be_imported_where_there_is_no_posix() -> None:
    assert not [
        f"{shown(path, line)} {name}"
        for path in SOURCES
        for line, name in house.imports_on_import(path)
        if name in POSIX_ONLY or name.partition(".")[0] in POSIX_ONLY
    ]


def test_every_module_is_imported_without_what_windows_lacks() -> None:
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in SOURCES if path.stem != "__main__"]
    program = WITHOUT_POSIX.format(modules=sorted(POSIX_MODULES), attributes=NOT_ON_WINDOWS, names=sorted(names))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stderr


def test_every_module_has_a_test_file_of_its_name() -> None:
    tested = {path.stem.removeprefix("test_") for path in house.modules("tests") if path.stem.startswith("test_")}
    named = {shown(path): path.stem.strip("_") for path in SOURCES if path.stem != "__init__"}
    assert [name for name, stem in named.items() if stem not in tested and name not in UNTESTED] == []
    assert [name for name in UNTESTED if named.get(name) in tested | {None}] == []


def test_every_public_name_of_swak_can_be_imported() -> None:
    assert [name for name in swak.__all__ if getattr(swak, name, None) is None] == []
    assert swak.__all__ == sorted(swak.__all__)


def test_help_costs_no_heavy_import() -> None:
    program = (
        "import sys; sys.argv = ['swak', '--help']\n"
        "from swak.cli import main\n"
        "try: main()\n"
        "except SystemExit as left: assert not left.code\n"
        "print('modules:', *sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True)
    loaded = set(done.stdout.rpartition("modules:")[2].split())
    assert "Usage" in done.stdout
    assert NOT_FOR_HELP & loaded == set()


def test_a_decision_note_says_what_was_weighed() -> None:
    notes = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
    wanted = ["## Context", "## Decision", "## What we gave up", "## Evidence"]
    assert [int(path.name[:4]) for path in notes] == list(range(1, len(notes) + 1))
    assert not [
        shown(path)
        for path in notes
        if [line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("## ")] != wanted
    ]


def test_the_changelog_names_the_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## [{swak.__version__}]" in changelog


def test_ci_runs_the_readmes_own_test_command() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    commands = [line.strip().removeprefix("$ ") for line in readme if "python -m pytest" in line]
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert [command for command in commands if command not in ci] == []


def test_pykka_is_pinned_to_one_minor_version() -> None:
    with (ROOT / "pyproject.toml").open("rb") as project:
        needs = tomllib.load(project)["project"]["dependencies"]
    assert [need for need in needs if need.startswith("pykka")] == ["pykka>=4.5,<4.6"]


def test_every_link_in_the_documents_leads_somewhere() -> None:
    documents = [path for path in house.text_files() if path.suffix == ".md"]
    assert not [
        f"{shown(path)} {target}"
        for path in documents
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text(encoding="utf-8"))
        if "://" not in target and not (path.parent / target).exists()
    ]


def test_the_project_speaks_of_itself_only() -> None:
    outside = r"\.\./shar[e]d|/wor[k]/|\bhouse\.m[d]|\b(?:SWAK|REAL|OMPH|AWS|LS|EZ)-\d\d|\b(?i:issue) #?\d"
    assert not [
        f"{shown(path, number)} {line.strip()}"
        for path in house.text_files()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if re.search(outside, line)
    ]
