"""The least that parsing costs in Python: `python -m benchmarks.bare_re FILE` reads blocks and matches every line.

It uses the very pattern that `out.Nginx()` uses for these lines, takes the groups, and does nothing with them.
"""

from __future__ import annotations

import sys
from pathlib import Path

from swak.plugins.filters.nginx import Nginx

BLOCK_BYTES = 256 * 1024


def main(path: Path) -> None:
    """Match every line of the file; exit code 1 when one does not match."""
    plugin = Nginx()
    plugin.open()
    rest, find, groups = b"", None, None
    with path.open("rb", buffering=0) as file:
        while block := file.read(BLOCK_BYTES):
            whole, _, rest = (rest + block).rpartition(b"\n")
            lines = whole.decode("utf-8", "replace").split("\n")
            if find is None or groups is None:
                first = plugin.choose(lines, escaped=False)[0]
                find, groups = first.find, first.groups
            for line in lines:
                match = find(line)
                if match is None:
                    sys.exit(f"no match: {line}")
                groups(match)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
