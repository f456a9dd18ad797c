"""Parse access logs of Apache's web server."""

from __future__ import annotations

from typing import Literal

from swak.formats.access import AGENT, COMMON, SPACED_TIME, TIME, AccessLog
from swak.options import option

# A remote_addr is never "-", and a remote_logname nearly always: that tells lines with a vhost from those of users with
# spaces in their names.
_VHOST = r"(?P<vhost>[^ ]+?)(?::(?P<port>[0-9]+))? "
_HOST = "(?P<remote_addr>(?!- )[^ ]+) "
_USER = rf"(?P<remote_logname>[^ ]+) (?P<remote_user>[^ ]+) {TIME}"
_SPACED_USER = rf'(?P<remote_logname>-) (?P<remote_user>(?:[^"\\]|\\.)*?) {SPACED_TIME}'


class Apache(AccessLog):
    r"""Parse lines of Apache's access log (httpd), in the formats `combined`, `common` or `vhost`.

    The fields have the names that `out.Nginx` gives, so that what is behind does not depend on the server:
    remote_addr (%h), remote_logname (%l), remote_user (%u), time_local (%t), request (%r), status (%>s),
    body_bytes_sent (%b or %O), and for `combined` http_referer and http_user_agent. `vhost` lines begin with vhost
    (%v) and perhaps its port (%p, else None), as in Debian's `vhost_combined`, and may end after body_bytes_sent.
    All values are text, as they stand in the line: "-" stays "-", and `\"` stays escaped. `request` is the whole
    request line, since what clients send is not always HTTP. The event gets the time of time_local.

    A line of another shape does not fit ("no match"), nor does one with an impossible time: such lines go to the dead
    letters, unless `on_error` says otherwise. That is also where `vhost` lines go in the other formats, and theirs in
    `vhost`, and users with spaces in their names beside a remote_logname that is not "-".

    Example:
        `task(in_.FileTailing("/var/log/apache2/access.log"), out.Apache(), out.Stdout())`
    """

    spreads = True

    format: Literal["combined", "common", "vhost"] = option("Which LogFormat Apache writes.", default="combined")

    def open(self) -> None:
        ends = {"common": (COMMON,), "combined": (COMMON + AGENT,), "vhost": (COMMON + AGENT, COMMON)}[self.format]
        head = _VHOST + _HOST if self.format == "vhost" else _HOST
        self.formed((head + _USER,), (head + _SPACED_USER,), ends)
