"""Parse access logs of nginx."""

from __future__ import annotations

from typing import Literal

from swak.formats.access import AGENT, COMMON, SPACED_TIME, TIME, AccessLog
from swak.options import option

_FORWARDED = ' "(?P<http_x_forwarded_for>TEXT)"'
_PLAIN_HEAD = rf"(?P<remote_addr>[^ ]*) - (?P<remote_user>[^ ]*) {TIME}"
_SPACED_HEAD = rf'(?P<remote_addr>[^ ]*) - (?P<remote_user>[^"]*?) {SPACED_TIME}'


class Nginx(AccessLog):
    r"""Parse lines of nginx's access log, in the formats `combined` (nginx's own default) or `common`.

    The fields have the names of nginx's variables: remote_addr, remote_user, time_local, request, status,
    body_bytes_sent, and for `combined` http_referer and http_user_agent. A `combined` line that ends in one more
    quoted value, as in the packaged `main` format, also has http_x_forwarded_for; other lines have no such field.
    All values are text, as they stand in the line: "-" stays "-", and `\x22` stays escaped. `request` is the whole
    request line, since what clients send is not always HTTP. The event gets the time of time_local.

    A line of another shape does not fit ("no match"), nor does one with an impossible time: such lines go to the dead
    letters, unless `on_error` says otherwise.

    Example:
        `task(in_.FileTailing("/var/log/nginx/access.log"), out.Nginx(), out.Stdout())`
    """

    spreads = True

    format: Literal["combined", "common"] = option("Which log_format nginx writes.", default="combined")

    def open(self) -> None:
        combined = COMMON + AGENT
        ends = (COMMON,) if self.format == "common" else (combined, combined + _FORWARDED)
        self.formed((_PLAIN_HEAD,), (_SPACED_HEAD,), ends)
