"""Take events from whoever sends them, and file them by source and hour: `swak up recipes/gateway.py`.

Reading HTTP needs `pip install h11`. There are five doors, each with its own task, so that a slow sender at
one holds up no other. Try them from another terminal:

    curl -d '{"level": "info", "text": "hello"}' http://127.0.0.1:8080/
    logger --server 127.0.0.1 --port 5140 --udp "hello"
    python -c 'from fluent import sender; sender.FluentSender("app").emit("test", {"text": "hello"})'

`in_.Forward` and `in_.Http` answer when the events are on disk; UDP and TCP cannot tell the sender anything. They
listen on this machine only, until `host="0.0.0.0"` says otherwise.
"""

from swak import in_, out, task


def hourly(source: str) -> object:
    """A file an hour and tag, under its last name only when it is whole."""
    return out.File(f"swak-gateway/{source}/{{tag}}-%Y%m%d-%H.jsonl", suffix=".part", compress="gzip")


task(in_.Forward(port=24224), hourly("forward"), name="forward")
task(in_.Http(8080), hourly("http"), name="http")
task(in_.Tcp(5000, codec="json"), hourly("tcp"), name="tcp")
task(in_.Udp(5959, codec="json"), hourly("udp"), name="udp")
task(
    in_.Udp(5140, codec="line", tag="syslog"),
    out.Syslog(on_error="pass"),
    out.Reform(set={"time": "${time}"}),
    hourly("syslog"),
    name="syslog",
)
