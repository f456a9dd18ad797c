"""What every test run shares: no skipped test where no server may be missing, and the same walks for everybody."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest

from tests.servers.certificates import certificates
from tests.servers.receivers import fluent_logger_server, forward_receiver

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["certificates", "fluent_logger_server", "forward_receiver"]

NO_SKIP = "SWAK_NO_SKIP"
"""Set to 1 by `.ci/run`: tests that skip because something they need is missing ("needs ...") fail the run."""

LONG = "SWAK_LONG"
"""Set to 1 to look for what nobody has found yet: many more walks, and new ones each time."""
CONSTANTS_HOOK = "_get_local_constants"
"""How Hypothesis asks for the numbers and texts in the program's source. There is no setting for it."""


def leave_constants_out() -> None:
    """Keep the program's own constants out of what Hypothesis draws.

    It mixes them into its draws, derandomized or not: any change of any module would lead to other walks, and a walk
    that fails could not be had again.
    """
    import hypothesis

    try:
        from hypothesis.internal.conjecture import providers
        from hypothesis.internal.constants_ast import Constants

        none = Constants()
        patch.object(providers, CONSTANTS_HOOK, lambda: none).start()
    except (ImportError, AttributeError) as error:
        raise pytest.UsageError(
            f"Hypothesis {hypothesis.__version__} collects the program's constants in another way than 6.170 does: its "
            f"draws would change with them; mend leave_constants_out in tests/conftest.py ({error})"
        ) from error


def pytest_configure() -> None:
    """Heed the signals that whoever started the tests ignores, as nohup does: programs that tests start inherit it."""
    for name in ("SIGHUP", "SIGINT", "SIGQUIT"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if name == "SIGINT" else signal.SIG_DFL)


def pytest_collection_finish() -> None:
    """Have derandomized tests draw the same whatever the program's source is; not when new walks are wanted."""
    if "hypothesis" in sys.modules and os.environ.get(LONG) != "1":
        leave_constants_out()


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
