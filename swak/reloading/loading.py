"""Loading a recipe for a run that goes on: in a process of its own first, which it may hang or end as it likes."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from importlib.util import cache_from_source
from pathlib import Path
from typing import TYPE_CHECKING

from swak.errors import ConfigError, Problem, SwakError
from swak.topology.compile import compile_recipe
from swak.topology.load import content_of, decoded, load_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    from swak.recipe import Recipe
    from swak.topology.graph import Topology

END_S = 5.0
"""How long a child that was killed may take to be gone."""
SHOWN_CHARS = 4_000
CHECKED = "Configuration OK"
"""What `swak check` says of a recipe that is right."""
_SWAK = str(Path(__file__).resolve().parents[1])


def load_checked(path: str, timeout_s: float, instead_of: str | None = None) -> Topology:
    """Return the compiled recipe. ConfigError says what is wrong with it; this process is no different then.

    It is run by a child first, with our environment, folder and user, and only then here. `instead_of`: the recipe that
    it would replace, which flows without a name have theirs from.
    """
    text = content_of(path)  # once: what is checked is what is loaded
    forget_compiled(path)
    check_apart(path, text, timeout_s)
    with renewed(path):
        return _within(timeout_s, path, lambda: compiled(load_text(decoded(text, path), path), instead_of or path))


def compiled(recipe: Recipe, file: str) -> Topology:
    """Return the compiled recipe, with the names that its flows would have in that file."""
    return compile_recipe(recipe._replace(file=file))


def check_apart(path: str, content: bytes, timeout_s: float) -> None:
    """Have a child check the recipe. ConfigError: it is wrong, or takes too long, or ends the process it is in."""
    limit = ["--timeout", f"{timeout_s:g}s"]
    with subprocess.Popen(  # noqa: S603 - ourselves
        [sys.executable, "-m", "swak", "check", *limit, "--as", path, "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=_environ(),
    ) as child:
        try:
            said, _ = child.communicate(content, timeout=timeout_s + END_S)
        except subprocess.TimeoutExpired as error:
            child.kill()
            with suppress(subprocess.TimeoutExpired):  # a grandchild of its own holds the pipe: nobody waits for that
                child.communicate(timeout=END_S)
            what = f"the recipe has not been loaded after {timeout_s:g} s"
            mend = "a recipe only declares flows: nothing in it may wait or loop for ever"
            raise ConfigError([Problem(what, mend, path)]) from error
    text = said.decode(errors="replace").strip()[-SHOWN_CHARS:]
    if child.returncode == 0 and CHECKED in text:
        return
    if child.returncode not in (0, 1) and text:
        raise ConfigError([Problem(text)])  # it names file and line itself
    mend = "a recipe only declares flows: leave out what ends the process"
    what = f"loading it ends the process with exit code {child.returncode}"
    raise ConfigError([Problem(f"{what}: {text}" if text else what, mend, path)])


def _environ() -> dict[str, str]:
    """Our own environment, but for what says who this process is to its service manager."""
    own = {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "SWAK_FAULT"}
    kept = {name: value for name, value in os.environ.items() if name not in own}
    paths = [os.path.dirname(_SWAK), kept.get("PYTHONPATH", "")]  # noqa: PTH120 - as text
    return kept | {"PYTHONPATH": os.pathsep.join(one for one in paths if one)}


def _within(timeout_s: float, path: str, load: Callable[[], Topology]) -> Topology:
    """Run `load` on a thread of its own for so long at most. What was fine in a child should be fine here."""
    found: list[Topology] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            found.append(load())
        except BaseException as error:  # noqa: BLE001 - of whatever kind, our caller is told
            errors.append(error)

    thread = threading.Thread(target=run, name="swak-loading", daemon=True)
    thread.start()
    thread.join(timeout_s)
    if found:
        return found[0]
    error = errors[0] if errors else None
    if isinstance(error, SwakError):
        raise error
    what = f"the recipe has not been loaded after {timeout_s:g} s" if error is None else f"loading it fails: {error!r}"
    raise ConfigError([Problem(what, "nothing in a recipe may wait, loop or end the process", path)]) from error


def local_modules(path: str) -> dict[str, ModuleType]:
    """Return the modules that were loaded from the recipe's folder: those that a reload loads anew."""
    folder = os.path.dirname(os.path.abspath(path)) + os.sep  # noqa: PTH100, PTH120 - no link is resolved
    found = {}
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if not isinstance(file, str) or not file.startswith(folder) or name == "__main__":
            continue
        if os.path.realpath(file).startswith((_SWAK + os.sep, os.path.realpath(sys.prefix) + os.sep)):
            continue
        if "site-packages" not in file and not name.startswith("swak."):
            found[name] = module
    return found


def local_files(path: str) -> frozenset[str]:
    """Return the recipe's file, and those of the modules beside it that it has loaded."""
    files = {str(module.__file__) for module in local_modules(path).values()}
    return frozenset(files | {os.path.abspath(path)})  # noqa: PTH100 - as above


def forget_compiled(path: str) -> None:
    """Remove what Python has compiled of local modules: it tells sources apart by whole seconds."""
    for file in local_files(path):
        with suppress(OSError, ValueError, NotImplementedError):
            os.unlink(cache_from_source(file))  # noqa: PTH108 - as text


@contextmanager
def renewed(path: str) -> Iterator[None]:
    """Have the modules beside the recipe run anew inside; when that fails, those of before are there again."""
    before = {name: one for name, one in local_modules(path).items() if not name.startswith("swak_recipe_")}
    for name in before:
        sys.modules.pop(name, None)
    importlib.invalidate_caches()
    try:
        yield
    except BaseException:
        sys.modules.update(before)
        raise
