"""Judging what a run wrote: `python -m benchmarks.checks LOG JSONL` compares record by record.

The pattern is written down here once more, on purpose: a mistake in swak's own must show.
"""

from __future__ import annotations

import itertools
import json
import re
import sys
from pathlib import Path

COMBINED = re.compile(
    r"(?P<remote_addr>\S+) - (?P<remote_user>\S+) \[(?P<time_local>[^\]]+)\] "
    r'"(?P<request>[^"]*)" (?P<status>\d+) (?P<body_bytes_sent>\d+) '
    r'"(?P<http_referer>[^"]*)" "(?P<http_user_agent>[^"]*)"'
)


def main(log: Path, written: Path) -> None:
    """Exit with code 1 at the first record that is not what its line says."""
    with log.open(encoding="utf-8", errors="replace", newline="\n") as lines, written.open("rb") as records:
        for number, (line, record) in enumerate(itertools.zip_longest(lines, records), 1):
            if line is None or record is None:
                sys.exit(f"line {number}: {'nothing was read' if line is None else 'nothing was written'} for it")
            match = COMBINED.fullmatch(line.rstrip("\n"))
            if match is None or match.groupdict() != json.loads(record):
                sys.exit(f"line {number}: {line!r} became {record!r}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
