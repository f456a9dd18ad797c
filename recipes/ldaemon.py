"""A small log daemon: `python recipes/ldaemon.py /path/to/access.log` follows a log and prints each request.

It runs until Ctrl-C or SIGTERM, delivers what it has read, and keeps nothing. As a service, which goes on after a
restart where it stopped, run this file by `swak up` instead: it then follows the log that its last line names.
"""

import signal
import sys
import threading

from swak import in_, out, running, task
from swak.recipe import Flow


def daemon(path: str) -> Flow:
    """Return the flow that follows the access log at `path`."""
    return task(in_.FileTailing(path), out.Nginx(), out.Stdout(), name="ldaemon")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python ldaemon.py /path/to/access.log")
    told = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: told.set())
    with running(daemon(sys.argv[1])) as run:
        while not told.is_set() and not run.wait(0.2):
            pass
else:
    daemon("/var/log/nginx/access.log")
