"""Finished files, compressed in the background: the plain file goes only when the compressed one is safe."""

from __future__ import annotations

import importlib.util
import os
import sys
import threading
import time
import zlib
from contextlib import suppress
from errno import EAGAIN
from itertools import count
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from swak import log
from swak.sinks.append import lock, sync_folder
from swak.sinks.rotation import renamed

if TYPE_CHECKING:
    from collections.abc import Callable

LOG = log.get("sinks")

Kind = Literal["gzip", "zstd"]
ENDINGS: dict[Kind, str] = {"gzip": ".gz", "zstd": ".zst"}
RETRY_S = 1.0
"""How often a file is looked at again that somebody still writes."""
FAILED_RETRY_S = 30.0
"""How often one is tried again that could not be compressed, e.g. because the disk is full."""
_BLOCK_BYTES = 256 * 1024


class Stopped(Exception):  # noqa: N818 - a verdict, not an error
    """The work was given up: the plain file stays, and is compressed after the next start."""


def available(kind: Kind) -> bool:
    """Tell whether this Python can write that kind."""
    if kind == "gzip" or sys.version_info >= (3, 14):
        return True
    try:
        return importlib.util.find_spec("backports.zstd") is not None
    except ModuleNotFoundError:
        return False


class Packer:
    """A thread that compresses files one after the other. It is started with the first file, and stopped by its owner.

    A file that another writer still holds (flock) waits until that has closed it.
    """

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._jobs: SimpleQueue[tuple[str, str]] = SimpleQueue()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._failed: set[str] = set()

    def add(self, path: str, wanted: str) -> None:
        """Compress `path` into `wanted` and the kind's ending, or, where that exists, into a name with a number."""
        self._jobs.put((path, wanted))
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="swak:compress", daemon=True)
            self._thread.start()

    def stop(self, wait_s: float) -> None:
        """Wait for what was added, at most `wait_s`; then let the rest be."""
        if self._thread is None:
            return
        self._jobs.put(("", ""))
        self._thread.join(wait_s)
        self._stop.set()
        self._thread.join()
        self._thread = None

    def _run(self) -> None:
        waiting: dict[tuple[str, str], float] = {}
        ending = False
        while not self._stop.is_set() and not (ending and not waiting):
            with suppress(Empty):
                job = self._jobs.get(timeout=RETRY_S if waiting else None)
                ending = ending or not job[0]
                waiting |= {job: 0.0} if job[0] else {}
            tried = {job: self._again_s(*job, 0.0 if ending else due_s) for job, due_s in waiting.items()}
            waiting = {job: due_s for job, due_s in tried.items() if due_s is not None}
            if ending and waiting:
                path = next(iter(waiting))[0]
                LOG.warning("a file is still written or cannot be compressed; it stays as it is", path=path)
                break

    def _again_s(self, path: str, wanted: str, due_s: float) -> float | None:
        """Compress one file if its time has come. Returns when to try again, or None when nothing is left to do."""
        if time.monotonic() < due_s:
            return due_s
        try:
            compress(path, wanted, self._kind, self._stop.is_set)
        except BlockingIOError:
            return 0.0
        except (FileNotFoundError, Stopped):
            return None  # somebody moved it away: it is theirs now
        except OSError as error:
            if path not in self._failed:
                LOG.warning("a file cannot be compressed; it is tried again", path=path, error=str(error))
            self._failed.add(path)
            return time.monotonic() + FAILED_RETRY_S
        self._failed.discard(path)
        return None


def compress(path: str, wanted: str, kind: Kind, stopped: Callable[[], bool] = lambda: False) -> str:
    """Compress one file, sync it, and remove the plain one; return the new name.

    BlockingIOError while somebody has the file open for writing; Stopped when told so in between. Until the
    compressed file is whole and on disk under its name, the plain one stays. One whose twin is already there (a crash
    came between the two steps) is compared with it, and only removed. A twin was written at the same time: another
    file may well hold the same lines.
    """
    with Path(path).open("r+b") as source:
        if not lock(source.fileno(), exclusive=True):
            raise BlockingIOError(EAGAIN, "another writer has the file open", path)
        target = temporary = f"{path}{ENDINGS[kind]}.tmp"
        for number in count():
            target = f"{wanted}{f'.{number}' if number else ''}{ENDINGS[kind]}"
            if Path(target).exists():
                if not _holds(target, kind, source):
                    continue
                break
            _write(source, temporary, kind, stopped)
            if renamed(temporary, target):
                break
        sync_folder(Path(target).parent)
        Path(path).unlink()
    return target


def _write(source: BinaryIO, temporary: str, kind: Kind, stopped: Callable[[], bool]) -> None:
    """Write all of `source` compressed, with its owner, permissions and times, and sync it."""
    status = os.fstat(source.fileno())
    source.seek(0)
    Path(temporary).unlink(missing_ok=True)  # what a crash left: whoever holds the lock on the source is alone here
    try:
        with os.fdopen(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as made:
            if hasattr(os, "fchown"):
                with suppress(PermissionError):  # not root: it stays ours
                    os.fchown(made.fileno(), status.st_uid, status.st_gid)
            _pour(source, made, _packer(kind), stopped)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    Path(temporary).chmod(status.st_mode & 0o7777)
    os.utime(temporary, ns=(status.st_atime_ns, status.st_mtime_ns))


def _pour(source: BinaryIO, made: BinaryIO, packer: Any, stopped: Callable[[], bool]) -> None:
    while block := source.read(_BLOCK_BYTES):
        if stopped():
            raise Stopped
        made.write(packer.compress(block))
    made.write(packer.flush())
    made.flush()
    os.fsync(made.fileno())


def _packer(kind: Kind) -> Any:
    if kind == "gzip":
        return zlib.compressobj(6, zlib.DEFLATED, 31)
    return _zstd().ZstdCompressor()


def _zstd() -> Any:
    if sys.version_info >= (3, 14):
        return importlib.import_module("compression.zstd")
    return importlib.import_module("backports.zstd")


def _holds(target: str, kind: Kind, source: BinaryIO) -> bool:
    """Tell whether a compressed file holds exactly what `source` does."""
    import gzip  # noqa: PLC0415 - only after a crash

    source.seek(0)
    try:
        if Path(target).stat().st_mtime_ns != os.fstat(source.fileno()).st_mtime_ns:
            return False
        with gzip.open(target, "rb") if kind == "gzip" else _zstd().open(target, "rb") as packed:
            while True:
                block = packed.read(_BLOCK_BYTES)
                if block != source.read(len(block) or 1):
                    return False
                if not block:
                    return True
    except Exception as error:  # noqa: BLE001 - each library has its own errors; what cannot be read holds nothing
        LOG.debug("a compressed file cannot be read", path=target, error=str(error))
        return False
