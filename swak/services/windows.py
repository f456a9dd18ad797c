"""A Windows service, by pywin32 (`swak[windows]`): a thin adapter, and the process that the service is."""

from __future__ import annotations

import subprocess
import sys
import threading
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from swak.errors import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from swak.services.wanted import Wanted

STATES = {1: "stopped", 2: "starting", 3: "stopping", 4: "running"}
"""Windows' own numbers (winsvc.h)."""


class Services(Protocol):
    """What this needs of Windows."""

    def create(self, name: str, display: str, command: str) -> None:
        """Make a service that starts with the system, and after a failure again."""

    def delete(self, name: str) -> None:
        """Remove it."""

    def start(self, name: str) -> None:
        """Start it."""

    def stop(self, name: str) -> None:
        """Ask it to stop."""

    def state(self, name: str) -> int:
        """Return its state's number."""


def command_line(wanted: Wanted, data_dir: Path) -> str:
    """Return the command line of the service's process."""
    program = [wanted.program[0], "-m", "swak.services.windows"]
    return subprocess.list2cmdline([*program, wanted.name, *wanted.command(str(data_dir))[len(wanted.program) :]])


class Win32:
    """Windows' service manager. Every call may raise `pywintypes.error`."""

    def __init__(self) -> None:
        try:
            self._api: Any = import_module("win32service")
            self._util: Any = import_module("win32serviceutil")
        except ImportError as error:
            raise ConfigError([Problem("Windows services need pywin32", "pip install 'swak[windows]'")]) from error

    def create(self, name: str, display: str, command: str) -> None:
        api = self._api
        manager = api.OpenSCManager(None, None, api.SC_MANAGER_ALL_ACCESS)
        try:
            kind, when, errors = api.SERVICE_WIN32_OWN_PROCESS, api.SERVICE_AUTO_START, api.SERVICE_ERROR_NORMAL
            access = api.SERVICE_ALL_ACCESS
            service = api.CreateService(
                manager, name, display, access, kind, when, errors, command, None, 0, None, None, None
            )
            again = {
                "ResetPeriod": 86_400,
                "RebootMsg": "",
                "Command": "",
                "Actions": [(api.SC_ACTION_RESTART, 2_000)] * 3,
            }
            api.ChangeServiceConfig2(service, api.SERVICE_CONFIG_FAILURE_ACTIONS, again)
            api.CloseServiceHandle(service)
        finally:
            api.CloseServiceHandle(manager)

    def delete(self, name: str) -> None:
        self._util.RemoveService(name)

    def start(self, name: str) -> None:
        self._util.StartService(name)

    def stop(self, name: str) -> None:
        self._util.StopService(name)

    def state(self, name: str) -> int:
        return int(self._util.QueryServiceStatus(name)[1])


class Hosted(Protocol):
    """What the service's process needs of swak."""

    def main(self) -> int:
        """Run until the end; return the exit code."""

    def stop(self) -> None:
        """Have it drained. From another thread."""


class Agent:
    """`swak up` as a child: in its own process signals and standard streams are what it expects."""

    def __init__(self, arguments: Sequence[str]) -> None:
        self._command = [sys.executable, "-m", "swak.services.windows", "--child", *arguments]
        self._over = threading.Event()
        self._child: subprocess.Popen[bytes] | None = None

    def main(self) -> int:
        log = Path(self._command[self._command.index("--data-dir") + 1])
        log.mkdir(parents=True, exist_ok=True)
        with (log / "swak.log").open("ab") as stream:
            self._child = subprocess.Popen(  # noqa: S603 - our own command line
                self._command, stdin=subprocess.PIPE, stdout=stream, stderr=stream
            )
        code = self._child.wait()
        self._over.set()
        return code

    def stop(self) -> None:
        child = self._child
        if child is not None and child.stdin is not None and not self._over.is_set():
            child.stdin.close()  # the end of its standard input is its sign: a service has no console for Ctrl-Break


def run_child(arguments: Sequence[str]) -> None:
    """Be the child: `swak` with these arguments, drained when standard input ends."""
    import runpy  # noqa: PLC0415 - only the child
    import signal  # noqa: PLC0415 - only the child

    def watch() -> None:
        while sys.stdin.buffer.read(1):
            pass  # nobody writes: only the end counts
        if hasattr(signal, "pthread_kill"):  # where this is tried without Windows: the main thread sleeps for long
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
        else:
            signal.raise_signal(signal.SIGTERM)

    threading.Thread(target=watch, name="swak-service", daemon=True).start()
    sys.argv = ["swak", *arguments]
    runpy.run_module("swak", run_name="__main__")


def serve(name: str, hosted: Hosted) -> None:
    """Be the service of that name until it ends. Called by Windows' service manager only."""
    manager = import_module("servicemanager")
    base: Any = import_module("win32serviceutil").ServiceFramework

    class Framework(base):  # type: ignore[misc]  # pywin32 has no types, and is not here elsewhere
        _svc_name_ = name
        _svc_display_name_ = name

        def SvcStop(self) -> None:  # noqa: N802 - pywin32's name
            self.ReportServiceStatus(3, waitHint=30_000)
            hosted.stop()

        def SvcDoRun(self) -> None:  # noqa: N802 - pywin32's name
            code = hosted.main()
            if code:
                sys.exit(code)  # the service manager takes that for a failure, and starts it again

    manager.Initialize()
    manager.PrepareToHostSingle(Framework)
    manager.StartServiceCtrlDispatcher()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        run_child(sys.argv[2:])
    else:
        serve(sys.argv[1], Agent(sys.argv[2:]))
