"""What every test run shares: where no server may be missing, a skipped test fails the run."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.servers.certificates import certificates
from tests.servers.receivers import fluent_logger_server, forward_receiver

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["certificates", "fluent_logger_server", "forward_receiver"]

NO_SKIP = "SWAK_NO_SKIP"
"""Set to 1 by `.ci/run`: tests that skip because something they need is missing ("needs ...") fail the run."""


def missing(reports: Iterable[pytest.TestReport | pytest.CollectReport]) -> list[str]:
    """Return what skipped for want of something, with the reason."""
    reasons = [
        (report.nodeid, report.longrepr[2].removeprefix("Skipped: "))
        for report in reports
        if isinstance(report.longrepr, tuple)
    ]
    return [f"{nodeid}: {reason}" for nodeid, reason in reasons if reason.startswith("needs ")]


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the run when something that it needs is missing."""
    reporter = session.config.pluginmanager.getplugin("terminalreporter")
    if os.environ.get(NO_SKIP) != "1" or reporter is None:
        return
    found = missing(reporter.stats.get("skipped", []))
    if found:
        reporter.section("skipped, and must not be here", red=True)
        for line in found:
            reporter.write_line(line)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
