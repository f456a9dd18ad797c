"""File a log so that each of its events stands in the file once, in order, however often swak is killed.

Run `swak up --once --ephemeral recipes/exactly_once.py` a few times: each run reads the log from its start, as if all
positions were lost, and `swak-once/access.jsonl` keeps its 2,500 lines. With `--data-dir` instead of `--ephemeral`,
positions are kept, and only what a crash leaves open is read again.

`fields=["id"]` gives each event a text that is the same whenever it is read, `keep=True` leaves it in when the line is
parsed, and `dedupe="id"` does not write what has an id that the file holds already.
"""

from pathlib import Path

from swak import in_, out, task

task(
    in_.FileTailing(str(Path(__file__).parent / "data" / "access.log"), follow=False, fields=["id"]),
    out.Nginx(keep=True),
    out.File("swak-once/access.jsonl", dedupe="id"),
    name="exactly-once",
)
