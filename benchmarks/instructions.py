"""How many instructions W1 and W2 take, against a baseline: `python -m benchmarks.instructions [--record]`.

Beside them `re` alone, which matches each line and takes the groups: for W2 it is told how many times that is.

CPU time on a shared machine swings by a tenth and more; the instructions that callgrind counts hardly do. The flow is
`main(...)`, which runs on one thread, with PYTHONHASHSEED=0; the count is net of the same recipe on an empty file. It
depends on the Python, the C library and the processor's kind, so there is a baseline for each. Exit code 1 when a count
is more than a tenth above its baseline, 2 when there is no baseline or no valgrind.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from string import Template

from swak.bench.corpus import Corpus
from swak.bench.measure import environment, python
from swak.bench.workloads import ALL

BASELINE = Path(__file__).parent / "results" / "instructions.json"
EVENTS = 20_000
ABOVE_MAX = 0.10
LIMIT_S = 300.0
COUNTED = re.compile(r"Collected : (\d+)")
CHOSEN = [one for one in ALL if one.name in {"W1", "W2"}]
EXIT_MISSED, EXIT_UNKNOWN = 1, 2


def this_kind() -> str:
    """Return what a count depends on, besides swak."""
    library = " ".join(platform.libc_ver())
    return f"{platform.python_implementation()} {platform.python_version()}, {library}, {platform.machine()}"


def counted(folder: Path, command: list[str]) -> int:
    """Return the instructions of one run in the folder. SystemExit when it fails."""
    command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder / 'callgrind'}", *command]
    settings = {**environment(), "PYTHONHASHSEED": "0"}
    done = subprocess.run(
        command, cwd=folder, env=settings, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    found = COUNTED.search(done.stderr)
    if done.returncode or found is None:
        sys.exit(f"exit code {done.returncode}: {' '.join(command)}\n{done.stderr}")
    return int(found[1])


def per_event(folder: Path, recipe: str, corpora: tuple[Corpus, Corpus]) -> float:
    """Return the instructions an event, less those of an empty input."""
    counts = []
    for corpus in corpora:
        out = folder / "out"
        out.unlink(missing_ok=True)
        text = Template(recipe).safe_substitute(log=repr(str(corpus.log)), out=repr(str(out)))
        (folder / "recipe.py").write_text(f"main({text})\n", encoding="utf-8")
        counts.append(counted(folder, python("swak", "up", "--once", "--ephemeral", "-q", str(folder / "recipe.py"))))
        if (lines := out.read_bytes().count(b"\n") if out.exists() else 0) != corpus.events:
            sys.exit(f"{lines} of {corpus.events} lines were written")
    return (counts[0] - counts[1]) / EVENTS


def matching(folder: Path, corpora: tuple[Corpus, Corpus]) -> float:
    """Return the instructions an event of `re` alone, less those of an empty input."""
    full, none = (counted(folder, python("swak.bench.roles", "match", str(corpus.log))) for corpus in corpora)
    return (full - none) / EVENTS


def main() -> None:
    """Count, compare, and say what is more than it was."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--record", action="store_true", help="keep the counts as the baseline for this kind of machine"
    )
    parser.add_argument("--baseline", type=Path, default=BASELINE, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if shutil.which("valgrind") is None:
        sys.stderr.write("valgrind is not here: apt-get install valgrind\n")
        sys.exit(EXIT_UNKNOWN)
    known: dict[str, dict[str, int]] = json.loads(given.baseline.read_text("utf-8")) if given.baseline.exists() else {}
    kind = this_kind()
    if kind not in known and not given.record:
        sys.stderr.write(f"no baseline for {kind}, only for {sorted(known)}: record one with --record\n")
        sys.exit(EXIT_UNKNOWN)
    with tempfile.TemporaryDirectory(prefix="swak-bench-") as name:
        folder = Path(name)
        corpora = Corpus(folder / "full", EVENTS), Corpus(folder / "none", 0)
        counts = {one.name: round(per_event(folder, one.recipe, corpora)) for one in CHOSEN}
        alone = matching(folder, corpora)
    print(f"re alone: {alone:,.0f} instructions an event; W2 takes {counts['W2'] / alone:.2f} times that")
    if given.record:
        text = json.dumps({**known, kind: counts}, indent=2, sort_keys=True)
        given.baseline.write_text(f"{text}{os.linesep}", encoding="utf-8")
    sys.exit(judged(counts, counts if given.record else known[kind]))


def judged(counts: dict[str, int], before: dict[str, int]) -> int:
    """Print the counts beside the baseline; return the exit code."""
    missed = False
    for name, count in counts.items():
        change = count / before[name] - 1
        missed |= change > ABOVE_MAX
        verdict = "**more than a tenth above**" if change > ABOVE_MAX else "kept"
        print(f"{name}: {count:,} instructions an event, {change:+.1%} of {before[name]:,}: {verdict}")
        if change < -ABOVE_MAX:
            print("much less than the baseline: record a new one with --record")
    return EXIT_MISSED if missed else 0


if __name__ == "__main__":
    main()
