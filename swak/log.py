"""The agent's own log: one facade for the core and for plugins, one configuration for both.

Every line goes to the standard library's logger `swak` (or one below it), so a program that embeds swak controls it
as it controls any other library. The command line calls `configure`, which renders with structlog. Neither logging
nor structlog is imported before a line is written.
"""

from __future__ import annotations

import sys
from contextvars import ContextVar
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, TextIO

if TYPE_CHECKING:
    from collections.abc import Mapping

    from swak.logform import Handler

Level = Literal["debug", "info", "warning", "error"]
LEVELS: tuple[Level, ...] = ("error", "warning", "info", "debug")
"""From the quietest to the most talkative."""

_NUMBERS = {"debug": 10, "info": 20, "warning": 30, "error": 40}

WHERE: ContextVar[Mapping[str, str]] = ContextVar("swak_log_where", default=MappingProxyType({}))
"""Fields of every line that this thread writes, e.g. flow and stage. Set by whoever runs a stage."""


class Log:
    """Writes lines of an event (a constant text) and fields (what varies). Threads may share one."""

    __slots__ = ("_fields", "_name")

    def __init__(self, name: str, **fields: Any) -> None:
        self._name = name if name.partition(".")[0] == "swak" else f"swak.{name}"
        self._fields = fields

    def bind(self, **fields: Any) -> Log:
        """Return a log whose every line has these fields, too."""
        return Log(self._name, **{**self._fields, **fields})

    def debug(self, event: str, /, **fields: Any) -> None:
        """Tell what only a developer wants to know."""
        self._write("debug", event, fields)

    def info(self, event: str, /, **fields: Any) -> None:
        """Tell what goes as it should."""
        self._write("info", event, fields)

    def warning(self, event: str, /, **fields: Any) -> None:
        """Tell what went wrong and is dealt with."""
        self._write("warning", event, fields)

    def error(self, event: str, /, **fields: Any) -> None:
        """Tell what somebody must mend. `exc_info=error` (or True, where it is handled) adds the traceback.

        `always=True`: it is never held back, however often it is told. For what ends the run.
        """
        self._write("error", event, fields)

    def _write(self, level: Level, event: str, fields: dict[str, Any]) -> None:
        import logging  # noqa: PLC0415 - 16 ms that `swak --help` does not pay

        logger = logging.getLogger(self._name)
        number = _NUMBERS[level]
        if not logger.isEnabledFor(number):
            return
        exc_info, always = fields.pop("exc_info", None), fields.pop("always", False)
        fields = {**WHERE.get(), **self._fields, **fields}
        text = " ".join([event, *(f"{name}={plain(value)}" for name, value in fields.items())])
        own = {"swak_event": event, "swak_fields": fields, "swak_always": always}
        logger.log(number, "%s", text, exc_info=exc_info, extra=own, stacklevel=3)


def get(name: str) -> Log:
    """Return the log of a module or plugin. Costs nothing until a line is written."""
    return Log(name)


def configure(level: Level = "info", form: Literal["text", "json"] = "text", stream: TextIO | None = None) -> None:
    """Render every line of this process with structlog, to `stream` or else to what sys.stderr is by then.

    Lines of other libraries (through the standard library's logging) and Python's warnings come out the same way, from
    warnings up. What repeats is counted instead of told, so that our own log fills no disk.
    """
    reset()
    import logging  # noqa: PLC0415 - see Log

    from swak.logform import Handler  # noqa: PLC0415 - needs logging

    root = logging.getLogger()
    root.addHandler(Handler(form, stream))
    root.setLevel(max(_NUMBERS[level], logging.WARNING))
    logging.getLogger("swak").setLevel(_NUMBERS[level])
    logging.captureWarnings(True)


def flush() -> None:
    """Tell how many repeated lines were suppressed and never told. For the end of a run."""
    for handler in _handlers():
        handler.tell_held()


def reset() -> None:
    """Undo `configure`."""
    for handler in _handlers():
        import logging  # noqa: PLC0415 - see Log

        handler.close()
        logging.captureWarnings(False)
        logging.getLogger().removeHandler(handler)
        logging.getLogger().setLevel(logging.WARNING)
        logging.getLogger("swak").setLevel(logging.NOTSET)


def _handlers() -> list[Handler]:
    if "swak.logform" not in sys.modules:
        return []
    import logging  # noqa: PLC0415 - see Log

    from swak.logform import Handler  # noqa: PLC0415 - see configure

    return [one for one in logging.getLogger().handlers if isinstance(one, Handler)]


def plain(value: object) -> str:
    """Return `value` as text of one line that moves no terminal's cursor. Never raises."""
    if not isinstance(value, str):
        try:
            value = repr(value)
        except Exception as error:  # noqa: BLE001 - a log line must not end the stage that writes it
            value = f"<{type(value).__name__} whose repr raises {type(error).__name__}>"
    return value if value.isprintable() else ascii(value)
