"""Print events."""

import os
import sys
from errno import EBADF
from typing import ClassVar

from swak.event import Batch
from swak.formats.registry import LineFormat, Shape
from swak.options import option
from swak.plugin import Output
from swak.sinks.guard import Guard, aborted_error
from swak.sinks.stream import Stream

STDOUT = 1
WAIT_S = 0.5
"""How long one write waits for a reader that is slow."""


class Stdout(Output):
    """Print each event to standard output, at once and as whole lines.

    `line` shows time, host and the field `message` (the whole record as JSON when there is none), or what `template`
    says. `json` (or `logstash`) shows one object a line with `@version`, `@timestamp` and `host` added, `rubydebug`
    the layout that Logstash uses for looking at events. These show the record's own `host` where it has one. `raw`,
    `csv`, `tsv`, `ltsv` and `msgpack` are as in `out.File`, without a header.

    A reader that is slow holds the events up and nothing is printed twice; when it goes away (`| head`), the run ends.
    To a pipe, no line of at most 4,096 bytes (PIPE_BUF) is mixed with what other processes write there. Text that is
    no valid Unicode is printed as the bytes it was made of, or as U+FFFD.

    Example:
        `task(in_.Stdin(), out.Stdout(format="rubydebug"))`
    """

    format: LineFormat = option("How an event looks.", default="line")
    host: str | None = option("Name to show for an event without the field `host`; else this machine's.", default=None)
    fields: list[str] | None = option("Columns of csv, tsv and ltsv.", default=None)
    template: str = option('What a line shows, e.g. "{time} {tag} {message}".', default="")
    zone: str = option('Time zone of {time}: "UTC", "local" or a name such as "Asia/Seoul".', default="UTC")

    uses_terminal: ClassVar[bool] = True

    _aborted = False
    _guard: Guard | None = None
    _stream: Stream | None = None

    def check(self) -> list[tuple[str, str]]:
        return self._shape(terminal=False).problems()

    def open(self) -> None:
        guard = self._guard = Guard()
        if self._aborted:
            raise aborted_error()
        if sys.__stdout__ is None:
            raise OSError(EBADF, "standard output is closed; start swak with one, e.g. >/dev/null")
        if self._stream is None:
            self._stream = Stream("standard output")
        self._stream.open_inherited(STDOUT, guard)
        self._format = self._shape(terminal=os.isatty(STDOUT)).made()

    def write(self, batch: Batch) -> None:
        if self._stream is not None:
            self._stream.write(self._format.encode(batch), WAIT_S)

    def probe(self) -> bool:
        return self._stream is not None and self._stream.ready()

    def close(self) -> None:
        if self._guard is not None:
            if self._stream is not None:
                self._stream.close(self._guard)
            self._guard.release()

    def abort(self) -> None:
        self._aborted = True
        if self._guard is not None:
            self._guard.abort()

    def _shape(self, *, terminal: bool) -> Shape:
        name = "logstash" if self.format == "json" else self.format
        return Shape(name, self.fields, self.template, self.host or "", self.zone, terminal)
