"""A small log daemon: `python recipes/ldaemon.py /path/to/access.log` follows a log and prints each request.

It runs until Ctrl-C or SIGTERM, delivers what it has read, and keeps nothing. As a service, which goes on after a
restart where it stopped, run this file by `swak up` instead: it then follows the log that its last line names.
"""

import contextlib
import signal
import sys

from swak import in_, out, running, task
from swak.recipe import Flow


def daemon(path: str) -> Flow:
    """Return the flow that follows the access log at `path`."""
    return task(in_.FileTailing(path), out.Nginx(), out.Stdout(), name="ldaemon")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python ldaemon.py /path/to/access.log")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C
    with running(daemon(sys.argv[1])) as run, contextlib.suppress(KeyboardInterrupt):
        run.wait()
else:
    daemon("/var/log/nginx/access.log")
