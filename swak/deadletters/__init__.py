"""Dead letters: events that no stage could take, kept with the reason and the way back to their source.

The store is a file that is appended to (`dead-letters.jsonl`), finished segments of it (`dead-letters.0001.jsonl`) and
notes (`dead-letters.taken`). Who holds the lock of the data directory appends, finishes, rewrites and removes; anybody
else only reads, adds a note of what he took off, and removes segments of which nothing is left. So an agent and
`swak dlq ls`, `show`, `export` and `drop` work on the same directory at the same time; `swak dlq replay` writes letters
itself, and takes the lock.
"""

from swak.deadletters.letter import DeadLetter
from swak.deadletters.reading import Kept, Shelf
from swak.deadletters.store import DeadLetters, FullError, Limit

__all__ = ["DeadLetter", "DeadLetters", "FullError", "Kept", "Limit", "Shelf"]
