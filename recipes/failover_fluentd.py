"""Ship an application's log to one of two Fluentd servers, and keep what neither of them takes.

Put your own path and addresses in, then `swak check` it and `swak up` it. This recipe spells its input `in.`, as it
reads best; programs other than swak want `in_.`, since `in` is a keyword of Python.
"""

from swak import Event, Filter, failover, out, task


class MyLogParser(Filter):
    """Cut a line such as "ERROR disk is full" into level and message."""

    def process(self, event: Event) -> Event:
        level, _, message = event.record["message"].partition(" ")
        return event.replace(record={"level": level, "message": message})


task(
    in.FileTailing("/var/log/mylog.txt"),
    out.MyLogParser(),
    out.TimedBuffer("5M"),
    failover(
        out.Fluentd("192.168.0.1"),
        out.Fluentd("192.168.0.2"),
        last=out.File("/tmp/failed.txt"),
        start="ip",
    ),
)
