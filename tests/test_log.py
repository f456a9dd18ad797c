from __future__ import annotations

import io
import json
import logging
import pickle
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from swak import log
from swak.plugin import Output

if TYPE_CHECKING:
    from collections.abc import Iterator


class Flaky(Output):
    """An output of a test."""


@pytest.fixture(autouse=True)
def unconfigured() -> Iterator[None]:
    yield
    log.reset()


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_program_that_embeds_swak_sees_lines_by_logging(caplog: pytest.LogCaptureFixture) -> None:
    log.get("swak.spool").warning("segment is torn", path="a b", size=3)
    (record,) = caplog.records
    assert (record.name, record.levelno, record.getMessage()) == (
        "swak.spool",
        logging.WARNING,
        "segment is torn path=a b size=3",
    )


def test_a_line_names_the_code_that_wrote_it(caplog: pytest.LogCaptureFixture) -> None:
    log.get("x").warning("here")
    assert caplog.records[0].funcName == "test_a_line_names_the_code_that_wrote_it"


def test_lines_below_the_level_are_not_written() -> None:
    stream = io.StringIO()
    log.configure("warning", "json", stream)
    log.get("x").info("no")
    assert stream.getvalue() == ""


def test_the_most_talkative_level_shows_all() -> None:
    stream = io.StringIO()
    log.configure("debug", "json", stream)
    log.get("x").debug("yes")
    assert [line["event"] for line in lines(stream)] == ["yes"]


def test_every_line_of_a_stage_says_where_it_runs() -> None:
    stream = io.StringIO()
    log.configure("info", "json", stream)
    token = log.WHERE.set({"flow": "web", "stage": "Fluentd-2"})
    log.get("x").info("up")
    logging.getLogger("library").warning("down")
    log.WHERE.reset(token)
    assert [(line["flow"], line["stage"]) for line in lines(stream)] == [("web", "Fluentd-2")] * 2


def test_a_plugin_has_a_log_with_its_name(caplog: pytest.LogCaptureFixture) -> None:
    Flaky().log.warning("slow", seconds=3)
    assert caplog.records[0].getMessage() == "slow plugin=Flaky seconds=3"


def test_a_log_can_be_pickled(caplog: pytest.LogCaptureFixture) -> None:
    pickle.loads(pickle.dumps(log.get("x").bind(a=1))).warning("w")
    assert caplog.records[0].getMessage() == "w a=1"


def test_a_field_whose_repr_raises_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    class Rude:
        def __repr__(self) -> str:
            raise RuntimeError

    log.get("x").warning("odd", value=Rude())
    assert "value=<Rude whose repr raises RuntimeError>" in caplog.text


def test_configuring_twice_writes_a_line_once() -> None:
    streams = [io.StringIO(), io.StringIO()]
    for stream in streams:
        log.configure("info", "json", stream)
    log.get("x").info("once")
    assert [len(lines(stream)) for stream in streams] == [0, 1]


def test_reset_leaves_logging_as_it_was() -> None:
    before = list(logging.getLogger().handlers)
    log.configure("debug")
    log.reset()
    assert logging.getLogger().handlers == before
    assert logging.getLogger("swak").level == logging.NOTSET


def test_neither_logging_nor_structlog_is_imported_before_the_first_line() -> None:
    text = "import sys; from swak import log; log.get('x'); print('logging' in sys.modules, 'structlog' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", text], check=True, capture_output=True, text=True, timeout=30)
    assert ran.stdout == "False False\n"
