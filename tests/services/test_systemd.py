from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from swak.services.systemd import unit, unit_path
from swak.services.wanted import Wanted

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="systemd is Linux's")

PROGRAM = (sys.executable, "-m", "swak")
ODD = "/srv/50%/a b/$HOME\\'\""


def wanted(**more: Any) -> Wanted:
    return Wanted("swak-web", Path("/etc/swak/web.py"), PROGRAM)._replace(**more)


def settings(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))


def test_the_unit_has_what_a_service_of_the_system_needs() -> None:
    found = settings(unit(wanted(folders=("/srv/out",))))
    assert found["Type"] == "notify"
    assert int(found["WatchdogSec"]) >= 10
    assert "78" in found["RestartPreventExitStatus"].split()
    assert found["StateDirectory"] == "swak/swak-web"
    assert (found["NoNewPrivileges"], found["ProtectSystem"], found["PrivateTmp"]) == ("yes", "strict", "yes")
    assert found["ReadWritePaths"] == "-/srv/out"
    assert found["CapabilityBoundingSet"] == "CAP_DAC_READ_SEARCH"
    assert found["DynamicUser"] == "yes"


def test_a_service_of_a_users_own_asks_for_nothing_that_needs_root() -> None:
    found = settings(unit(wanted(user=True, folders=("/srv/out",))))
    assert {"ProtectSystem", "CapabilityBoundingSet", "DynamicUser", "ReadWritePaths"} & set(found) == set()
    assert found["WantedBy"] == "default.target"


def test_a_port_of_the_systems_and_files_below_tmp_change_the_rights() -> None:
    found = settings(unit(wanted(low_ports=True, uses_tmp=True, run_as="syslog")))
    assert found["AmbientCapabilities"] == "CAP_DAC_READ_SEARCH CAP_NET_BIND_SERVICE"
    assert "PrivateTmp" not in found
    assert found["User"] == "syslog"
    assert "DynamicUser" not in found


def test_units_lie_where_systemd_looks() -> None:
    assert unit_path(wanted(), {}) == Path("/etc/systemd/system/swak-web.service")
    home = {"HOME": "/home/kim"}
    assert unit_path(wanted(user=True), home) == Path("/home/kim/.config/systemd/user/swak-web.service")
    assert unit_path(wanted(user=True), {"XDG_CONFIG_HOME": "/c"}) == Path("/c/systemd/user/swak-web.service")


@pytest.mark.parametrize(
    "one",
    [
        wanted(),
        wanted(user=True),
        wanted(folders=("/srv/out", ODD), low_ports=True),
        wanted(recipe=Path(ODD), folder=ODD, run_as="root", metrics="[::1]:9598"),
    ],
)
def test_systemd_finds_nothing_wrong_with_the_unit(one: Wanted, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze: apt-get install systemd")
    path = tmp_path / "swak-web.service"
    path.write_text(unit(one))
    command = ["systemd-analyze", *(["--user"] if one.user else []), "verify", str(path)]
    environ = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=50, env=environ)
    ours = [line for line in done.stderr.splitlines() if "swak-web" in line]  # it warns of other units, too
    assert ours == []
    assert done.returncode == 0, done.stderr


def test_an_unknown_setting_would_be_found(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze: apt-get install systemd")
    path = tmp_path / "swak-web.service"
    path.write_text(unit(wanted()).replace("WatchdogSec", "WatchdogSek"))
    command = ["systemd-analyze", "verify", str(path)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=50)
    assert any("swak-web" in line for line in done.stderr.splitlines())
