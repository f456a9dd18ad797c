"""From text to typed events: `swak up --once --ephemeral recipes/parsing.py`.

The parser gives text, `Time` takes the event's time from it, `Convert` makes numbers, `Drop` throws away what nobody
reads, and `Reform` shapes what is left. The last line is no logfmt: it is among the dead letters, which the receipt
names, with the reason.
"""

from swak import in_, out, task

LINES = [
    'ts=2026-11-21T09:00:00Z level=info msg="started in 41 ms" took=41 path=/',
    'ts=2026-11-21T09:00:01Z level=info msg="health checked" took=1 path=/health',
    'ts=2026-11-21T09:00:02Z level=error msg="no such \\"page\\"" took=7 path=/missing',
    "Segmentation fault (core dumped)",
]

task(
    in_.Memory(LINES),
    out.Logfmt(),
    out.Time("ts", keep=False),
    out.Convert({"took": "int"}),
    out.Drop('path == "/health"'),
    out.Reform(rename={"msg": "text"}, set={"where": "${tag}${path}"}, delete=["path"], tag="app.${level}"),
    out.Stdout(format="line", template="{time} {tag} {text} took={took} where={where}", zone="Asia/Seoul"),
    name="parsing",
)
