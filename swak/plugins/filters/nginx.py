"""Parse access logs of nginx."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from swak.formats.patterns import PatternFilter, Schema, schema
from swak.formats.times import TimeCache, clf_ns
from swak.options import option

if TYPE_CHECKING:
    from collections.abc import Sequence

# A class of one excluded character is a single-literal skip in `re`: half the time of `[^"\\]*`. It is wrong only
# where a quote is escaped, which nginx never does (it writes \x22) and Apache does: those lines take the second way.
_PLAIN = '[^"]*'
_ESCAPED = r'[^"\\]*+(?:\\.[^"\\]*+)*+'
_PLAIN_HEAD = r"(?P<remote_addr>[^ ]*) - (?P<remote_user>[^ ]*) \[(?P<time_local>[^\]]*)\] "
_SPACED_HEAD = r'(?P<remote_addr>[^ ]*) - (?P<remote_user>[^"]*?) \[(?P<time_local>[^\]"]*)\] '
_FIELDS = {
    "common": '"(?P<request>TEXT)" (?P<status>[0-9]+) (?P<body_bytes_sent>[0-9]+|-)',
    "combined": ' "(?P<http_referer>TEXT)" "(?P<http_user_agent>TEXT)"',
    "forwarded": ' "(?P<http_x_forwarded_for>TEXT)"',
}


def _schemas(ends: Sequence[str], head: str, text: str) -> tuple[Schema, ...]:
    patterns = [re.compile(head + end.replace("TEXT", text), re.DOTALL) for end in ends]
    return tuple(schema("Access", pattern, whole=True, time_field="time_local") for pattern in patterns)


class Nginx(PatternFilter):
    r"""Parse lines of nginx's access log, in the formats `combined` (nginx's own default) or `common`.

    The fields have the names of nginx's variables: remote_addr, remote_user, time_local, request, status,
    body_bytes_sent, and for `combined` http_referer and http_user_agent. A `combined` line that ends in one more
    quoted value, as in the packaged `main` format, also has http_x_forwarded_for; other lines have no such field.
    All values are text, as they stand in the line: "-" stays "-", and `\x22` stays escaped. `request` is the whole
    request line, since what clients send is not always HTTP. The event gets the time of time_local.

    A line of another shape goes to the dead letters with the reason "no match", and one with an impossible time with
    a reason that shows it. Logs of Apache fit as well, with `\"` inside quotes, as long as the second column is "-".

    Example:
        `task(in_.FileTailing("/var/log/nginx/access.log"), out.Nginx(), out.Stdout())`
    """

    format: Literal["combined", "common"] = option("Which log_format nginx writes.", default="combined")
    field: str = option("Record field that holds the line.", default="message")
    keep: bool = option("Whether the event's other fields stay, too.", default=False)

    def open(self) -> None:
        common = _FIELDS["common"]
        combined = common + _FIELDS["combined"]
        ends = (common,) if self.format == "common" else (combined, combined + _FIELDS["forwarded"])
        careful = _schemas(ends, _SPACED_HEAD, _ESCAPED)
        self._plain = _schemas(ends, _PLAIN_HEAD, _PLAIN) + careful
        self._careful = careful
        self.times = TimeCache(clf_ns)

    def choose(self, lines: Sequence[str], *, escaped: bool) -> tuple[Schema, ...]:
        schemas = self._careful if escaped else self._plain
        likely = next((one for one in schemas if one.find(lines[0]) is not None), schemas[0])
        return (likely, *(one for one in schemas if one is not likely))
