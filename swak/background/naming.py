"""Names of agents that run: one lock each, beside it what others have to know to find the agent."""

from __future__ import annotations

import json
import os
import re
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from swak.durable import is_locked, lock_file, write_all
from swak.errors import Problem, StateError
from swak.options import suggest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from swak.background.places import Places

NAME_CHARS = 64
TRIES, PAUSE_S = 20, 0.05
"""Who only looks holds a shared lock for microseconds: a lock that is not to be had for a second is an agent's."""

_NOT_IN_NAMES = re.compile(r"[^\w.-]+")


class Claim:
    """The right to a name, for as long as the process lives. A process id in a file proves nothing; a lock does."""

    def __init__(self, name: str, pid_path: Path, descriptor: int) -> None:
        self.name = name
        self.pid_path = pid_path
        self._descriptor = descriptor

    def describe(self, details: dict[str, Any]) -> None:
        """Write down what others have to know of this agent, whole or not at all."""
        told = {"name": self.name, "pid": os.getpid(), **details}
        temporary = self.pid_path.with_suffix(".json.tmp")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            write_all(descriptor, json.dumps(told).encode())
        finally:
            os.close(descriptor)
        temporary.replace(details_path(self.pid_path))

    def release(self) -> None:
        """Let others have the name."""
        if self._descriptor < 0:
            return
        descriptor, self._descriptor = self._descriptor, -1
        details_path(self.pid_path).unlink(missing_ok=True)
        self.pid_path.unlink(missing_ok=True)  # before the lock ends: whoever waits for it looks at the name again
        os.close(descriptor)


class Found(NamedTuple):
    """An agent that runs."""

    name: str
    pid: int
    pid_path: Path
    details: dict[str, Any]

    def runs(self) -> bool:
        """Tell whether it still does: its process, and no other one with its number or its name."""
        found = _found(self.pid_path)
        return found is not None and found.pid == self.pid


def details_path(pid_path: Path) -> Path:
    """Return the file beside a process id that tells more."""
    return pid_path.with_suffix(".json")


def name_of(recipe: str) -> str:
    """Return the name of an agent that was given none: its recipe's stem, of what names may hold."""
    plain = _NOT_IN_NAMES.sub("-", Path(recipe).stem).strip(".-")
    return plain[:NAME_CHARS] or "agent"


def check_name(name: str) -> str:
    """Return a name that was given. ValueError says what is wrong with it."""
    if not name or _NOT_IN_NAMES.search(name) or name[0] in ".-" or len(name) > NAME_CHARS:
        raise ValueError(f"{name!r} is no name: letters, digits, . _ and -, {NAME_CHARS} at most, not . or - first")
    return name


def claim(places: Places, name: str) -> Claim:
    """Take a name for this process. StateError when an agent of that name runs, or the folder cannot be written."""
    path = places.run / f"{name}.pid"
    pause = threading.Event()
    for _ in range(TRIES):
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
        except OSError as error:
            raise StateError(str(Problem(f"{path}: {error.strerror or error}", "make the folder writable"))) from error
        try:
            lock_file(descriptor)
        except BlockingIOError:
            os.close(descriptor)
            pause.wait(PAUSE_S)
            continue
        if _is_at(descriptor, path):
            os.ftruncate(descriptor, 0)
            write_all(descriptor, f"{os.getpid()}\n".encode())
            return Claim(name, path, descriptor)
        os.close(descriptor)  # its last holder has removed it meanwhile
    mend = f"stop it (swak stop {name}), or give this one another name with --name"
    raise StateError(str(Problem(f'"{name}" runs already (process {_pid(path) or "unknown"})', mend)))


def claim_free(places: Places, name: str) -> Claim:
    """Take a name, or the first free one of NAME-2, NAME-3 and so on."""
    taken = {one.name for one in running([places])}
    number = 1
    while True:
        tried = name if number == 1 else f"{name[: NAME_CHARS - 6]}-{number}"
        number += 1
        if tried in taken:
            continue
        try:
            return claim(places, tried)
        except StateError:
            if number > 1000:
                raise


def running(among: Sequence[Places]) -> list[Found]:
    """Return every agent that runs and has its name in one of these places. Changes nothing."""
    return [found for places in among for path in _pid_files(places.run) if (found := _found(path)) is not None]


def called(agents: Sequence[Found], named: str) -> list[Found]:
    """Return those of that name, or else those that run the recipe at that path."""
    recipe = os.path.abspath(named)  # noqa: PTH100 - no link is resolved, as it was not when it was started
    by_name = [one for one in agents if one.name == named]
    return by_name or [one for one in agents if one.details.get("recipe") == recipe]


def find(among: Sequence[Places], name: str | None) -> Found:
    """Return the agent of that name or recipe, or the only one. StateError tells which ones there are."""
    found = running(among)
    if name is None and len(found) == 1:
        return found[0]
    names = [one.name for one in found]
    listed = ", ".join(sorted(names))
    if name is None:
        what = f"several agents run: {listed}" if found else "no agent runs"
        raise StateError(str(Problem(what, "name one of them" if found else "start one with: swak up -d RECIPE")))
    meant = called(found, name)
    if len(meant) == 1:
        return meant[0]
    if meant:
        several = ", ".join(sorted(one.name for one in meant))
        raise StateError(str(Problem(f"several agents run {name}: {several}", "name one of them")))
    if not found:
        raise StateError(
            str(Problem(f'"{name}" does not run, and no other agent does', "swak up -d RECIPE starts one"))
        )
    raise StateError(str(Problem(f'"{name}" does not run', f"{suggest(name, names)}; swak ps lists those that run")))


def _pid_files(folder: Path) -> Iterator[Path]:
    try:
        yield from sorted(folder.glob("*.pid"))
    except OSError:
        return  # no folder, or not ours: nobody of ours is in it


def _found(path: Path) -> Found | None:
    try:
        descriptor = os.open(path, os.O_RDWR | getattr(os, "O_CLOEXEC", 0))
    except OSError:
        return None  # gone meanwhile, or another user's
    try:
        if not is_locked(descriptor):
            return None  # whoever wrote it is dead, whatever process has that number now
    finally:
        os.close(descriptor)
    pid = _pid(path)
    if pid is None:
        return None  # it is just beginning
    try:
        details = json.loads(details_path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        details = {}
    if not isinstance(details, dict) or details.get("pid") != pid:
        details = {}  # of an earlier process of that name
    return Found(path.stem, pid, path, details)


def _pid(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
