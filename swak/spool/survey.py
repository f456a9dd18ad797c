"""Looking at a spool from outside, also while it is used; and taking out of it what is damaged."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from swak.errors import Problem, StateError
from swak.files import Files
from swak.spool.bodies import BodyError, from_bytes
from swak.spool.frames import Bad, Frame
from swak.spool.segments import BAD_ENDING, Segment, find_segments
from swak.spool.spool import LOCK
from swak.spool.state import NAME, State, load

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from swak.event import Body


class SegmentSurvey(NamedTuple):
    """What is in one segment."""

    path: Path
    size_bytes: int
    frames: int
    events: int
    waiting: int
    """Events that are not settled yet."""
    oldest_ns: int | None
    """When the first frame that is not settled was appended."""
    bad: list[Bad]


class Survey(NamedTuple):
    """What is in a spool."""

    state: State
    segments: list[SegmentSurvey]
    set_aside: list[Path]
    """Pieces that were damaged and kept."""

    @property
    def bad(self) -> int:
        """How many pieces are damaged."""
        return sum(len(segment.bad) for segment in self.segments)


def survey(folder: Path) -> Survey:
    """Read all of a spool and change nothing. StateError when there is none."""
    files = Files("spool")
    state = _state_of(folder)
    segments = [_look_at(segment, state) for segment in find_segments(folder, files)]
    return Survey(state, segments, sorted(folder.glob(f"*{BAD_ENDING}")))


def contents(folder: Path, *, settled: bool = False) -> Iterator[tuple[Body, str | list[str]]]:
    """Return body and tags of each frame that is not settled, or of all; what is damaged is passed over."""
    state = _state_of(folder)
    for segment in find_segments(folder, Files("spool")):
        try:
            for frame in segment.frames():
                if isinstance(frame, Bad) or (frame.number <= state.settled and not settled):
                    continue
                body = segment.body(frame)
                if body:
                    try:
                        yield from_bytes(body)
                    except BodyError:
                        continue  # `survey` counts it
        finally:
            segment.close()


def repair(folder: Path) -> int:
    """Keep damaged pieces beside their segments, and write those anew without them. Return how many there were.

    StateError while a swak uses the spool: it does the same by itself when it comes to such a piece.
    """
    _state_of(folder)
    files = Files("spool")
    try:
        lock = files.lock(folder / LOCK)
    except BlockingIOError as error:
        raise StateError(str(Problem(f"{folder}: a swak uses this spool", "stop that one first"))) from error
    try:
        return sum(_repaired(segment, files) for segment in find_segments(folder, files))
    finally:
        files.close(lock)


def _repaired(segment: Segment, files: Files) -> int:
    try:
        whole, bad = [], []
        for piece in _pieces(segment):
            if isinstance(piece, Bad):
                bad.append(piece)
                segment.set_aside(piece)
            else:
                whole.append(segment.read(piece.end - piece.start, piece.start))
        if bad:
            files.write_whole(segment.path, b"".join(whole))
            files.sync_folder(segment.path.parent)
        return len(bad)
    finally:
        segment.close()


def _pieces(segment: Segment) -> Iterator[Frame | Bad]:
    """Return the frames that are whole in every byte, and everything else."""
    for piece in segment.frames():
        if isinstance(piece, Frame):
            body = segment.body(piece)
            if body is None or not _readable(body):
                yield Bad(
                    piece.start, piece.end, piece.events, "its checksum does not fit" if body is None else "unknown"
                )
                continue
        yield piece


def _readable(body: bytes) -> bool:
    try:
        return not body or bool(from_bytes(body))
    except BodyError:
        return False


def _look_at(segment: Segment, state: State) -> SegmentSurvey:
    frames: list[Frame] = []
    bad: list[Bad] = []
    try:
        for piece in _pieces(segment):
            (frames if isinstance(piece, Frame) else bad).append(piece)  # type: ignore[arg-type]  # each to its own kind
        waiting = [frame for frame in frames if frame.number > state.settled]
        return SegmentSurvey(
            segment.path,
            segment.size_bytes,
            len(frames),
            sum(frame.events for frame in frames),
            sum(frame.events for frame in waiting),
            waiting[0].time_ns if waiting else None,
            bad,
        )
    finally:
        segment.close()


def _state_of(folder: Path) -> State:
    if not folder.is_dir() or not ((folder / NAME).exists() or any(folder.glob("*.spool"))):
        raise StateError(str(Problem(f"{folder}: there is no spool here", "name the folder of an out.DiskBuffer")))
    return load(folder, Files("spool")) or State()
