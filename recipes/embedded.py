"""Swak inside a program: `python recipes/embedded.py` counts words per level and prints the result.

The same file is a recipe, too: a flow is a value, and nothing starts until somebody runs it.
"""

from collections import Counter

from swak import Event, in_, out, running, task

LINES = ["INFO started", "WARNING disk is nearly full", "INFO stopped"]

kept = out.Memory()
flow = task(
    in_.Memory(LINES),
    out.Regex(r"^(?P<level>\w+) (?P<message>.*)"),
    kept,
    name="embedded",
)


def words_by_level(events: list[Event]) -> Counter[str]:
    """Count the words of all messages of each level."""
    counts: Counter[str] = Counter()
    for event in events:
        counts[event.record["level"]] += len(event.record["message"].split())
    return counts


if __name__ == "__main__":
    with running(flow):
        pass  # leaving the block reads the input to its end, delivers everything, and raises where it cannot
    print(dict(words_by_level(kept.events)))  # noqa: T201 - a program that prints
