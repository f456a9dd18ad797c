"""The data directory: which one it is, that only one agent uses it, and what lies where in it."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import sys
import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from swak.checkpoint import Checkpoint
from swak.deadletters import DeadLetters
from swak.durable import lock_file, sync_directory, write_all
from swak.errors import Problem, StateError
from swak.ledger import Ledger
from swak.log import Log

if TYPE_CHECKING:
    from collections.abc import Mapping

    from swak.deadletters import Limit

_log = Log("swak.datadir")

OWNER, AGENT_ID = "agent.json", "agent-id"
"""Files that say whose directory it is, and what tells this agent from all others."""


class Owner(NamedTuple):
    """The agent whose directory it is."""

    name: str
    recipe: str = ""
    """The recipe's path; empty where it is no file."""
    is_given: bool = False
    """Whether its user gave the name: it then is the same agent, wherever its recipe is."""


def owner_of(path: Path) -> Owner | None:
    """Return whose directory it is; None where that was never written down, or cannot be read."""
    try:
        held = json.loads((path / OWNER).read_text(encoding="utf-8"))
        return Owner(str(held["name"]), str(held["recipe"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


class DataDir:
    """Where an agent keeps its checkpoints and dead letters.

    An ephemeral one is a temporary directory: made with the first dead letter, removed at the end unless it holds one.
    """

    def __init__(self, path: Path | None, why: str, limit: Limit | None = None, owner: Owner | None = None) -> None:
        self._path = path
        self.owner = owner
        """The agent that it is for; None: of whoever uses it."""
        self.why = why
        """What decided on this directory, for people who look for their files."""
        self.ephemeral = path is None
        self._lock: int | None = None
        self._agent_id = ""
        self._dead_letters = DeadLetters(lambda: self.dead_letters_path, limit=limit)

    @classmethod
    def resolve(cls, option: str | None = None, ephemeral: bool = False, dead_letters: Limit | None = None) -> DataDir:
        """Return the directory that option, environment or platform name. Touches nothing.

        `dead_letters`: how much room they may take; None: 1 GiB, and then the stage waits.
        """
        if ephemeral:
            return cls(None, "temporary", dead_letters)
        if option:
            return cls(_absolute(option), "--data-dir", dead_letters)
        return cls(*_resolved(os.environ), dead_letters)

    @property
    def path(self) -> Path:
        """The directory. Of an ephemeral one this makes it."""
        if self._path is None:
            self._path = Path(tempfile.mkdtemp(prefix="swak-"))
        return self._path

    def lock(self) -> None:
        """Make the directory and take it for this process. StateError when it is in use or not writable."""
        if self.ephemeral or self._lock is not None:
            return
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            (self.path / "checkpoints").mkdir(exist_ok=True, mode=0o700)
            sync_directory(self.path)
            descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise self._not_usable(error) from error
        try:
            self._take(descriptor)
            self._check_owner()
        except StateError:
            os.close(descriptor)
            raise
        self._lock = descriptor
        self._introduce()

    def conflict(self) -> str:
        """Say why this agent must not use the directory; empty when it may.

        Two recipes of one file name are two agents. A recipe that is not in its old place any more has been moved.
        """
        before, now = owner_of(self.path), self.owner
        if before is None or now is None or now.is_given or not (before.recipe and now.recipe):
            return ""
        if before.recipe == now.recipe or not os.path.exists(before.recipe):  # noqa: PTH110 - Path.exists raises where it may not look
            return ""
        what = f"{self.path} holds the state of another recipe of that name, {before.recipe}"
        mend = f"give this one a name of its own (--name NAME); if it is the same agent, say so: --name {now.name}"
        return str(Problem(what, mend))

    @property
    def agent_id(self) -> str:
        """What tells this agent from all others, restart after restart. Without a directory: for this run only."""
        if not self._agent_id:
            self._agent_id = ("" if self.ephemeral else read_id(self.path)) or uuid.uuid4().hex
        return self._agent_id

    def _check_owner(self) -> None:
        if conflict := self.conflict():
            raise StateError(conflict)

    def _introduce(self) -> None:
        """Write down who uses the directory, where that is not known yet. A full disk is no reason not to run."""
        agent_id, before, now = self.agent_id, owner_of(self.path), self.owner
        if before is not None and now is not None and before.recipe != now.recipe:
            tell = _log.info if now.is_given else _log.warning  # it was moved, or else it is another one of that name
            tell("goes on from the state of another recipe", now=now.recipe, before=before.recipe, path=str(self.path))
        try:
            if not (self.path / AGENT_ID).exists():
                _write(self.path / AGENT_ID, f"{agent_id}\n")
            if now is not None and before != now._replace(is_given=False):
                held = {"name": now.name, "recipe": now.recipe}
                _write(self.path / OWNER, json.dumps(held) + "\n")
        except OSError as error:
            _log.warning("it cannot be written down whose directory this is", path=str(self.path), error=error)

    def checkpoint(self, flow: str) -> Checkpoint | None:
        """Return the checkpoint of the flow of that name; None where nothing is kept."""
        return None if self.ephemeral else Checkpoint(self.checkpoint_path(flow))

    def checkpoint_path(self, flow: str) -> Path:
        """Return the file of a flow: readable, and another one for every other name on every file system."""
        readable = re.sub(r"[^a-z0-9]+", "-", flow.lower()).strip("-")[:40] or "flow"
        told_apart = hashlib.sha256(flow.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        return self.path / "checkpoints" / f"{readable}-{told_apart}.json"

    def ledger(self) -> Ledger | None:
        """Return the ledger of the runs in this directory; None where nothing is kept."""
        return None if self.ephemeral else Ledger(self.path / "ledger.json")

    @property
    def dead_letters_path(self) -> Path:
        """The file that dead letters are appended to."""
        return self.path / "dead-letters.jsonl"

    def dead_letters(self) -> DeadLetters:
        """Return the one store of dead letters, opened when the first is written."""
        return self._dead_letters

    def close(self) -> None:
        """Let others use the directory. A temporary one goes away unless it holds dead letters."""
        self._dead_letters.close()
        if self._lock is not None:
            descriptor, self._lock = self._lock, None
            os.close(descriptor)
        if self.ephemeral and self._path is not None and not self._dead_letters.path:
            shutil.rmtree(self._path)
            self._path = None

    def _take(self, descriptor: int) -> None:
        """Lock the file and write our process id into it, for the message that the next one gets."""
        try:
            lock_file(descriptor)
        except BlockingIOError as error:
            holder = os.read(descriptor, 32).decode("ascii", "replace").strip()
            who = f"process {holder}" if holder != str(os.getpid()) else "this process"
            mend = "stop that one, or give this one a directory of its own with --data-dir DIR"
            raise StateError(str(Problem(f"{self.path}: in use by another swak ({who})", mend))) from error
        except OSError as error:
            raise self._not_usable(error) from error
        for directory in (self.path, self.path / "checkpoints"):
            if not os.access(directory, os.R_OK | os.W_OK | os.X_OK):
                raise self._not_usable(PermissionError(errno.EACCES, os.strerror(errno.EACCES)))
        try:
            os.ftruncate(descriptor, 0)
            write_all(descriptor, f"{os.getpid()}\n".encode())
        except OSError as error:  # a full disk: the lock holds all the same, and the agent may be what empties it
            _log.warning("process id cannot be written into the lock", path=str(self.path / "lock"), error=error)

    def _not_usable(self, error: OSError) -> StateError:
        what = f"data directory {self.path} (from {self.why}) cannot be used: {error.strerror or error}"
        mend = "make it writable for the user that runs swak, or name another one with --data-dir DIR"
        return StateError(str(Problem(what, mend)))


def read_id(folder: Path) -> str:
    """Return the id in a data directory; empty where there is none. One that is damaged is told, and left as it is."""
    try:
        found = (folder / AGENT_ID).read_text(encoding="utf-8", errors="replace").strip()
    except FileNotFoundError:
        return ""
    except OSError as error:
        _log.warning("the agent's id cannot be read: this run has another one", path=str(folder), error=error)
        return ""
    if re.fullmatch(r"[0-9a-f]{32}", found):
        return found
    mend = "put the old one back, or remove the file: a new one is made then"
    _log.error("the agent's id is damaged: this run has another one", path=str(folder / AGENT_ID), mend=mend)
    return ""


def _write(path: Path, text: str) -> None:
    """Put a file in its place whole, or leave everything as it is."""
    temporary = path.with_name(f"{path.name}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        write_all(descriptor, text.encode("utf-8", "surrogateescape"))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    temporary.replace(path)
    sync_directory(path.parent)


def _resolved(environ: Mapping[str, str]) -> tuple[Path, str]:
    if named := environ.get("SWAK_DATA_DIR"):
        return _absolute(named), "$SWAK_DATA_DIR"
    if home := environ.get("SWAK_HOME"):
        return _absolute(home) / "data", "$SWAK_HOME"
    uid = os.geteuid() if hasattr(os, "geteuid") else None
    return state_home(sys.platform, environ, uid), "the platform's custom"


def state_home(platform: str, environ: Mapping[str, str], uid: int | None) -> Path:
    """Return where a program of this user keeps its state on this platform."""
    if platform == "win32":
        return Path(environ.get("PROGRAMDATA") or r"C:\ProgramData") / "swak" / "data"
    if platform == "darwin":
        return _home(environ) / "Library" / "Application Support" / "swak"
    if uid == 0:
        return Path("/var/lib/swak")
    named = environ.get("XDG_STATE_HOME", "")
    return (Path(named) if Path(named).is_absolute() else _home(environ) / ".local" / "state") / "swak"


def _home(environ: Mapping[str, str]) -> Path:
    home = environ.get("HOME") or os.path.expanduser("~")  # noqa: PTH111 - Path.home() raises where this says "~"
    if not Path(home).is_absolute():
        raise StateError(str(Problem("this user has no home directory", "name a data directory with --data-dir DIR")))
    return Path(home)


def _absolute(named: str) -> Path:
    return Path(os.path.abspath(os.path.expanduser(named)))  # noqa: PTH100, PTH111 - neither resolves links nor raises
