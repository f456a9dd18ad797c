"""Parse an access log of nginx and file its requests by how they ended.

Run `swak up --once --ephemeral recipes/nginx_demo.py`, then look into the folder `swak-demo`. The log is real: 2,500
lines that nginx wrote under load, beside this file.
"""

from pathlib import Path

from swak import Event, Filter, in_, out, task


class ByStatus(Filter):
    """Tag each request by its status: web.error, web.missing or web.ok."""

    def process(self, event: Event) -> Event:
        status = int(event.record["status"])
        if status == 404:
            return event.replace(tag="web.missing")
        return event.replace(tag="web.error" if status >= 500 else "web.ok")


task(
    in_.FileTailing(str(Path(__file__).parent / "data" / "access.log"), follow=False),
    out.Nginx(),
    ByStatus(),
    {
        "web.error": out.File("swak-demo/error.jsonl"),
        "web.missing": out.File("swak-demo/missing.jsonl"),
        "**": out.File("swak-demo/ok.jsonl"),
    },
    name="nginx-demo",
)
