from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from swak.errors import ConfigError
from swak.services.platforms import Launchd, ServiceError, Systemd, Windows, platform_for, run
from swak.services.wanted import Wanted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from swak.services import windows

posix = pytest.mark.skipif(sys.platform == "win32", reason="paths of POSIX")
WEB = Wanted("swak-web", Path("/etc/swak/web.py"), ("swak",), user=True)


class Ran:
    """Takes down commands, and ends each with the same exit code."""

    def __init__(self, code: int = 0) -> None:
        self.code = code
        self.commands: list[str] = []

    def __call__(self, command: Sequence[str]) -> int:
        self.commands.append(" ".join(command))
        return self.code


@posix
def test_a_unit_is_installed_and_removed_again(tmp_path: Path) -> None:
    ran = Ran()
    systemd = Systemd(ran, {"XDG_CONFIG_HOME": str(tmp_path)})
    path = tmp_path / "systemd" / "user" / "swak-web.service"
    assert str(path) in systemd.install(WEB)
    assert path.read_text() == systemd.text(WEB)
    systemd.install(WEB)  # again: that is how it is brought up to date
    systemd.uninstall(WEB)
    assert not path.exists()
    assert ran.commands[:2] == ["systemctl --user daemon-reload", "systemctl --user enable swak-web.service"]
    assert "systemctl --user disable --now swak-web.service" in ran.commands


@posix
def test_a_unit_that_somebody_else_wrote_stays(tmp_path: Path) -> None:
    path = tmp_path / "systemd" / "user" / "swak-web.service"
    path.parent.mkdir(parents=True)
    path.write_text("[Service]\nExecStart=/bin/true\n")
    with pytest.raises(ServiceError, match="move it away"):
        Systemd(Ran(), {"XDG_CONFIG_HOME": str(tmp_path)}).install(WEB)
    assert "/bin/true" in path.read_text()


def test_a_service_is_started_stopped_and_asked() -> None:
    ran = Ran()
    systemd = Systemd(ran, {})
    systemd.start(WEB._replace(user=False))
    systemd.stop(WEB)
    assert systemd.status(WEB) == 0
    assert ran.commands == [
        "systemctl start swak-web.service",
        "systemctl --user stop swak-web.service",
        "systemctl --user status --no-pager swak-web.service",
    ]


def test_what_the_system_refuses_is_told() -> None:
    with pytest.raises(ServiceError, match="exit code 5"):
        Systemd(Ran(5), {}).start(WEB)


def test_a_program_that_is_not_there_is_named() -> None:
    with pytest.raises(ServiceError, match="no-such-systemctl"):
        run(["no-such-systemctl"])


@posix
def test_a_property_list_is_installed_and_removed_again(tmp_path: Path) -> None:
    ran = Ran()
    mac = Launchd(ran, {"HOME": str(tmp_path)})
    path = tmp_path / "Library" / "LaunchAgents" / "swak-web.plist"
    mac.install(WEB)
    assert path.read_text() == mac.text(WEB)
    mac.start(WEB)
    mac.stop(WEB)
    assert mac.status(WEB) == 0
    mac.uninstall(WEB)
    assert not path.exists()
    assert [command.split()[1] for command in ran.commands] == ["bootstrap", "bootout", "print", "bootout"]


class StandInServices:
    """Stands in for Windows' service manager."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, ...]] = []

    def create(self, name: str, display: str, command: str) -> None:
        self.calls.append(("create", name, display, command))

    def delete(self, name: str) -> None:
        self.calls.append(("delete", name))

    def start(self, name: str) -> None:
        self.calls.append(("start", name))

    def stop(self, name: str) -> None:
        self.calls.append(("stop", name))

    def state(self, name: str) -> int:
        self.calls.append(("state", name))
        return 1


def test_on_windows_the_service_manager_is_asked(capsys: pytest.CaptureFixture[str]) -> None:
    services = StandInServices()
    system = WEB._replace(user=False)

    def made() -> windows.Services:
        return services

    own = Windows(made, "state")
    own.install(system)
    own.start(system)
    own.stop(system)
    assert own.status(system) == 3
    own.uninstall(system)
    assert [call[0] for call in services.calls] == ["create", "start", "stop", "state", "delete"]
    assert "swak-web: stopped" in capsys.readouterr().out


def test_windows_has_no_services_of_a_users_own() -> None:
    with pytest.raises(ConfigError, match="--user"):
        Windows(StandInServices, "state").text(WEB)


@pytest.mark.parametrize(("name", "kind"), [("linux", Systemd), ("darwin", Launchd), ("win32", Windows)])
def test_every_system_has_its_own(name: str, kind: type) -> None:
    assert isinstance(platform_for(name), kind)


def test_a_system_that_is_not_known_is_told() -> None:
    with pytest.raises(ConfigError, match="aix"):
        platform_for("aix")
