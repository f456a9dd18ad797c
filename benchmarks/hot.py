"""Where the time of a workload goes: `python -m benchmarks.hot [WORKLOAD] [--events N] [--input LOG]`.

The flow runs as `main(...)`, all stages on this thread, under cProfile. Shown are the twenty functions with the most
time of their own: a call into C counts as one function, which is where the time is to be. The profiler adds to every
call, so shares are what to look at; CPU is measured by `swak bench`.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import tempfile
from pathlib import Path
from string import Template

from swak.actors.running import Run, Settings
from swak.bench.corpus import Corpus
from swak.bench.workloads import ALL, MOBILE
from swak.datadir import DataDir
from swak.memory import tune
from swak.topology.compile import compile_recipe
from swak.topology.load import load_text

SHOWN = 20
EVENTS = 300_000
CHOSEN = {one.name: one for one in ALL if not one.listens and one.to == "file" and one.source == "log"}


def profiled(recipe: str) -> pstats.Stats:
    """Run a recipe that ends by itself, and return what its stages took. SystemExit when it is not delivered whole."""
    profiler = cProfile.Profile()
    run = Run(compile_recipe(load_text(recipe)), Settings(DataDir.resolve(None, ephemeral=True), once=True))
    try:
        run.start()
        profiler.runcall(run.run_main)
        left = [one for one in run.receipt().inputs if one.lost or one.will_replay]
        if not run.wait(60) or left:
            raise SystemExit(f"not all was delivered: {left}")
    finally:
        run.close()
    return pstats.Stats(profiler)


def named(place: tuple[str, int, str]) -> str:
    """Return a short name of a function: module and name, or that of a call into C."""
    file, _, function = place
    if file == "~":
        return function
    path = Path(file).with_suffix("")
    parts = path.parts[path.parts.index("swak") :] if "swak" in path.parts else path.parts[-1:]
    return f"{'.'.join(parts)}.{function}"


def table(stats: pstats.Stats, events: int) -> str:
    """Return the functions with the most time of their own as a table."""
    rows = sorted(((own_s, calls, place) for place, (_, calls, own_s, _, _) in stats.stats.items()), reverse=True)  # type: ignore[attr-defined]  # typeshed does not know it
    whole_s = sum(own_s for own_s, _, _ in rows)
    lines = ["| function | own s/M | share | calls per 1,000 events |", "|---|---|---|---|"]
    lines += [
        f"| `{named(place)}` | {own_s * 1e6 / events:.3f} | {own_s / whole_s:.1%} | {calls * 1_000 / events:.1f} |"
        for own_s, calls, place in rows[:SHOWN]
    ]
    return "\n".join([*lines, f"| all | {whole_s * 1e6 / events:.3f} | | |"])


def main() -> None:
    """Run the workload and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workload", nargs="?", default="W2", choices=sorted(CHOSEN))
    parser.add_argument("--events", type=int, default=EVENTS)
    parser.add_argument("--input", type=Path, help="a log of your own, in nginx's combined format")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="swak-hot-") as name:
        folder = Path(name)
        log = Corpus(folder, given.events, given.input).log
        places = {one: repr(str(folder / one)) for one in ("out", "out2", "out3", "state")}
        text = Template(CHOSEN[given.workload].recipe).safe_substitute(log=repr(str(log)), **places)
        tune()
        own = MOBILE if "Mobile" in text else ""
        print(table(profiled(f"{own}main({text})\n"), given.events))


if __name__ == "__main__":
    main()
