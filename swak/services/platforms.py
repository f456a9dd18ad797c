"""Installing, removing, starting and stopping a service, on each system in its own way."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from swak.errors import ConfigError, Problem
from swak.services import launchd, systemd, windows

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from swak.services.wanted import Wanted


class ServiceError(Exception):
    """The system did not do what was asked for: what, and how to mend it."""


class Platform(Protocol):
    """What a system does with services."""

    def text(self, wanted: Wanted) -> str:
        """Return the description that `install` would write."""

    def install(self, wanted: Wanted) -> str:
        """Install the service, so that it starts with the system. Return what was done."""

    def uninstall(self, wanted: Wanted) -> str:
        """Stop and remove it. Its state stays."""

    def start(self, wanted: Wanted) -> str:
        """Start it."""

    def stop(self, wanted: Wanted) -> str:
        """Have it drained."""

    def status(self, wanted: Wanted) -> int:
        """Tell how it goes; 0: it runs."""


def run(command: Sequence[str]) -> int:
    """Run a program of the system; its output is ours. ServiceError: there is none."""
    try:
        return subprocess.run(command, check=False).returncode  # noqa: S603 - a program of the system
    except FileNotFoundError as error:
        mend = "`swak service install --print` shows the description, to be installed by hand"
        raise ServiceError(f"there is no {command[0]} here; {mend}") from error


class Systemd:
    """Linux."""

    def __init__(self, runs: Callable[[Sequence[str]], int] = run, environ: Mapping[str, str] = os.environ) -> None:
        self._runs = runs
        self._environ = environ

    def text(self, wanted: Wanted) -> str:
        return systemd.unit(wanted)

    def install(self, wanted: Wanted) -> str:
        path = systemd.unit_path(wanted, self._environ)
        _write(path, self.text(wanted), systemd.MARK)
        self._systemctl(wanted, "daemon-reload")
        self._systemctl(wanted, "enable", f"{wanted.name}.service")
        return f"installed {path}; start it with `swak service start`"

    def uninstall(self, wanted: Wanted) -> str:
        path = systemd.unit_path(wanted, self._environ)
        self._systemctl(wanted, "disable", "--now", f"{wanted.name}.service")
        _remove(path)
        self._systemctl(wanted, "daemon-reload")
        return f"removed {path}; its state stays"

    def start(self, wanted: Wanted) -> str:
        self._systemctl(wanted, "start", f"{wanted.name}.service")
        return f"started {wanted.name}"

    def stop(self, wanted: Wanted) -> str:
        self._systemctl(wanted, "stop", f"{wanted.name}.service")
        return f"stopped {wanted.name}"

    def status(self, wanted: Wanted) -> int:
        return self._runs([*self._command(wanted), "status", "--no-pager", f"{wanted.name}.service"])

    def _command(self, wanted: Wanted) -> list[str]:
        return ["systemctl", *(["--user"] if wanted.user else [])]

    def _systemctl(self, wanted: Wanted, *arguments: str) -> None:
        _done(self._runs, [*self._command(wanted), *arguments])


class Launchd:
    """macOS."""

    def __init__(self, runs: Callable[[Sequence[str]], int] = run, environ: Mapping[str, str] = os.environ) -> None:
        self._runs = runs
        self._environ = environ

    def text(self, wanted: Wanted) -> str:
        return launchd.plist(wanted, self._environ)

    def install(self, wanted: Wanted) -> str:
        path = launchd.plist_path(wanted, self._environ)
        _write(path, self.text(wanted), f"<string>{wanted.name}</string>")
        return f"installed {path}; start it with `swak service start`"

    def uninstall(self, wanted: Wanted) -> str:
        path = launchd.plist_path(wanted, self._environ)
        self._runs(["launchctl", "bootout", self._target(wanted)])  # fails where it does not run
        _remove(path)
        return f"removed {path}; its state stays"

    def start(self, wanted: Wanted) -> str:
        path = launchd.plist_path(wanted, self._environ)
        _done(self._runs, ["launchctl", "bootstrap", self._domain(wanted), str(path)])
        return f"started {wanted.name}"

    def stop(self, wanted: Wanted) -> str:
        _done(self._runs, ["launchctl", "bootout", self._target(wanted)])
        return f"stopped {wanted.name}"

    def status(self, wanted: Wanted) -> int:
        return self._runs(["launchctl", "print", self._target(wanted)])

    def _domain(self, wanted: Wanted) -> str:
        return f"gui/{os.getuid() if hasattr(os, 'getuid') else 0}" if wanted.user else "system"

    def _target(self, wanted: Wanted) -> str:
        return f"{self._domain(wanted)}/{wanted.name}"


class Windows:
    """Windows. Services are the system's: there is none of a user's own."""

    def __init__(self, services: Callable[[], windows.Services] = windows.Win32, state: str = "") -> None:
        self._services = services
        self._state = state or os.environ.get("PROGRAMDATA") or r"C:\ProgramData"

    def text(self, wanted: Wanted) -> str:
        if wanted.user:
            raise ConfigError([Problem("Windows has no services of a user's own", "leave out --user")])
        return windows.command_line(wanted, Path(self._state) / "swak" / wanted.name) + "\n"

    def install(self, wanted: Wanted) -> str:
        self._services().create(wanted.name, f"swak: {wanted.recipe.name}", self.text(wanted).rstrip("\n"))
        return f"installed the service {wanted.name}"

    def uninstall(self, wanted: Wanted) -> str:
        self._services().delete(wanted.name)
        return f"removed the service {wanted.name}; its state stays"

    def start(self, wanted: Wanted) -> str:
        self._services().start(wanted.name)
        return f"started {wanted.name}"

    def stop(self, wanted: Wanted) -> str:
        self._services().stop(wanted.name)
        return f"stopped {wanted.name}"

    def status(self, wanted: Wanted) -> int:
        number = self._services().state(wanted.name)
        print(f"{wanted.name}: {windows.STATES.get(number, number)}")  # noqa: T201 - what systemctl does elsewhere
        return 0 if windows.STATES.get(number) == "running" else 3


def platform_for(name: str) -> Platform:
    """Return what `sys.platform` names. ConfigError: there are no services that we know of."""
    if name.startswith("linux"):
        return Systemd()
    if name == "darwin":
        return Launchd()
    if name == "win32":
        return Windows()
    mend = "run `swak up` from what starts services there"
    raise ConfigError([Problem(f"there are no services that swak knows on {name}", mend)])


def _write(path: Path, text: str, mark: str) -> None:
    """Write a description. One that somebody else wrote stays: ServiceError."""
    try:
        if path.exists() and mark not in path.read_text(encoding="utf-8"):
            raise ServiceError(f"{path} is there and swak has not written it; move it away")
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(path.name + ".new")
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(path)
    except OSError as error:
        raise ServiceError(f"{path}: {error.strerror}; {_mend(path)}") from error


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise ServiceError(f"{path}: {error.strerror}; {_mend(path)}") from error


def _mend(path: Path) -> str:
    return (
        "run it as root, or install a service of your own with --user" if path.is_relative_to("/etc") else "look there"
    )


def _done(runs: Callable[[Sequence[str]], int], command: list[str]) -> None:
    code = runs(command)
    if code:
        raise ServiceError(f"`{' '.join(command)}` ended with exit code {code}")
