"""The adapter for Windows against a stand-in for pywin32: this has not run on Windows."""

from __future__ import annotations

import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from swak.errors import ConfigError
from swak.services import windows
from swak.services.wanted import Wanted

WEB = Wanted("swak-web", Path("my recipe.py"), ("python.exe", "-m", "swak"))


class StandIn(types.ModuleType):
    """Stands in for modules of pywin32: it takes down every call."""

    def __init__(self, name: str, calls: list[tuple[str, tuple[Any, ...]]]) -> None:
        super().__init__(name)
        self.calls = calls

    def __getattr__(self, name: str) -> Any:
        if name.isupper():
            return name
        if name.startswith("__"):
            raise AttributeError(name)

        def call(*arguments: Any) -> Any:
            self.calls.append((name, arguments))
            return (16, 4) if name == "QueryServiceStatus" else name

        return call


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[Any, ...]]]:
    taken: list[tuple[str, tuple[Any, ...]]] = []
    for name in ("win32service", "win32serviceutil"):
        monkeypatch.setitem(sys.modules, name, StandIn(name, taken))
    return taken


def test_a_service_is_made_that_starts_again_after_a_failure(calls: list[tuple[str, tuple[Any, ...]]]) -> None:
    windows.Win32().create("swak-web", "swak: web", "python.exe ...")
    names = [name for name, _ in calls]
    assert names == [
        "OpenSCManager",
        "CreateService",
        "ChangeServiceConfig2",
        "CloseServiceHandle",
        "CloseServiceHandle",
    ]
    assert calls[1][1][:3] == ("OpenSCManager", "swak-web", "swak: web")
    assert calls[2][1][2]["Actions"] == [("SC_ACTION_RESTART", 2_000)] * 3


def test_the_other_calls_go_where_they_belong(calls: list[tuple[str, tuple[Any, ...]]]) -> None:
    services = windows.Win32()
    services.start("a")
    services.stop("b")
    services.delete("c")
    assert services.state("d") == 4
    assert calls == [
        ("StartService", ("a",)),
        ("StopService", ("b",)),
        ("RemoveService", ("c",)),
        ("QueryServiceStatus", ("d",)),
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="pywin32 may be there")
def test_without_pywin32_it_is_said_what_to_install() -> None:
    with pytest.raises(ConfigError, match=r"swak\[windows\]"):
        windows.Win32()


def test_the_command_line_keeps_words_together() -> None:
    line = windows.command_line(WEB, Path("state dir"))
    assert line.startswith("python.exe -m swak.services.windows swak-web up ")
    assert line.endswith('"my recipe.py"')
    assert '"state dir"' in line


def test_the_child_is_drained_when_its_standard_input_ends(tmp_path: Path) -> None:
    recipe = tmp_path / "web.py"
    recipe.write_text("from swak import in_, out, task\ntask(in_.Memory([], follow=True), out.Null())\n")
    agent = windows.Agent(["up", "--no-view", "--data-dir", str(tmp_path / "data"), str(recipe)])
    import threading

    from tests.flows.waiting import until

    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(agent.main()))
    thread.start()
    log = tmp_path / "data" / "swak.log"
    until(lambda: log.exists() and "running" in log.read_text(), "it runs")
    agent.stop()
    thread.join(30)
    assert codes == [0]
    assert "clean" in log.read_text()


def test_the_service_reports_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[tuple[str, tuple[Any, ...]]] = []
    manager, util = StandIn("servicemanager", taken), StandIn("win32serviceutil", taken)
    reported: list[int] = []

    class Framework:
        """Stands in for pywin32's base class."""

        def ReportServiceStatus(self, state: int, waitHint: int = 0) -> None:  # noqa: N802, N803 - pywin32's names
            reported.extend((state, waitHint))

    util.ServiceFramework = Framework  # type: ignore[attr-defined]  # a module of ours
    monkeypatch.setitem(sys.modules, "servicemanager", manager)
    monkeypatch.setitem(sys.modules, "win32serviceutil", util)
    steps: list[str] = []

    class Hosted:
        """Runs nothing."""

        def main(self) -> int:
            steps.append("main")
            return 1

        def stop(self) -> None:
            steps.append("stop")

    windows.serve("swak-web", Hosted())
    made = dict(taken)["PrepareToHostSingle"][0]()
    made.SvcStop()
    with pytest.raises(SystemExit):
        made.SvcDoRun()
    assert steps == ["stop", "main"]
    assert reported[0] == 3


def test_nothing_of_pywin32_is_imported_before_it_is_needed() -> None:
    program = (
        "import sys, swak.services.windows, swak.services.platforms; print([n for n in sys.modules if 'win32' in n])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.strip() in {"[]", "['_win32']"}
