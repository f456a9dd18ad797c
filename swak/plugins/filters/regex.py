"""Parse text by a regular expression."""

from __future__ import annotations

import re

from swak.formats.patterns import PatternFilter, Schema, schema
from swak.formats.times import TimeCache, iso_ns, strptime_ns
from swak.options import option


class Regex(PatternFilter):
    r"""Parse the text of a field by a regular expression: its named groups become the record.

    The pattern is one of Python's `re`, and may match anywhere in the text, as in Fluentd and in grok; bind it with
    `^` and `$`. A pattern that begins with `^` also turns other lines away much faster. All values are text; a group
    that took no part in the match is None. Groups without a name are left out.

    The event keeps its time, unless `time_field` names a group that holds a better one: ISO 8601, seconds since 1970,
    or whatever `time_format` describes; without a zone it counts as UTC. The group stays in the record, too.

    Text that does not match does not fit ("no match"), nor does an impossible time, nor a field that is missing or is
    no text: such events go to the dead letters, unless `on_error` says otherwise. A pattern with nested repetition,
    such as `(a+)+`, can take for ever on a line that nearly matches.

    Example:
        `task(in_.FileTailing("app.log"), out.Regex(r"^(?P<level>\w+) (?P<message>.*)"), out.Stdout())`
    """

    spreads = True

    pattern: str = option("Regular expression with a named group, `(?P<name>...)`, for each field.")
    time_field: str | None = option("Group that holds the event's time.", default=None)
    time_format: str | None = option('How that time is written, such as "%d.%m.%Y %H:%M:%S".', default=None)

    def check(self) -> list[tuple[str, str]]:
        try:
            names = re.compile(self.pattern).groupindex
        except (re.error, OverflowError, RecursionError) as error:
            return [(f"pattern {self.pattern!r} is not a regular expression: {error}", "see Python's `re`")]
        if not names:
            return [(f"pattern {self.pattern!r} has no named group", "write (?P<name>...) around what to keep")]
        problems = super().check()
        if self.time_field is not None and self.time_field not in names:
            problems.append((f'time_field "{self.time_field}" is no group', f"there is {', '.join(names)}"))
        if self.time_format is not None and self.time_field is None:
            problems.append(("time_format without time_field", "name the group that holds the time"))
        return problems

    def open(self) -> None:
        made = schema("Row", re.compile(self.pattern), whole=False, time_field=self.time_field)
        self._schemas = (made,)
        self.times = TimeCache(iso_ns if self.time_format is None else strptime_ns(self.time_format))

    def choose(self, first: str, *, alone: bool, escaped: bool) -> tuple[Schema, ...]:
        del first, alone, escaped
        return self._schemas
