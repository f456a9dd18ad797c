"""`swak dlq`: look at dead letters, put them back into a recipe, take them out, throw them away."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from swak.cli import HELP_NAMES
from swak.commands.given import TEXT, duration, load, recipe_arguments

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from swak.datadir import DataDir
    from swak.deadletters import Kept, Shelf
    from swak.options import Duration
    from swak.recipe import Recipe

REASON_CHARS = 100


@click.group(context_settings=HELP_NAMES)
def dlq() -> None:
    """Look at the dead letters: events that no stage could take. `replay` puts them back, `drop` throws them away."""


class Choice(NamedTuple):
    """Which letters are meant: those that fit all of it."""

    ids: tuple[tuple[int, int], ...] = ()
    flow: str | None = None
    stage: str | None = None
    reason: str | None = None

    def fits(self, kept: Kept) -> bool:
        """Tell whether a letter is meant."""
        letter = kept.letter
        return (
            (not self.ids or any(first <= kept.number <= last for first, last in self.ids))
            and self.flow in (None, letter.flow)
            and self.stage in (None, letter.stage)
            and (self.reason is None or self.reason in letter.reason)
        )


class KeptIn(NamedTuple):
    """Whose dead letters are meant; without either, those of the only agent that has any."""

    agent: str | None
    data_dir: str | None


def _ids(_ctx: click.Context, _option: click.Parameter, given: tuple[str, ...]) -> tuple[tuple[int, int], ...]:
    """Read ids, `17`, and ranges of them, `17-42`."""
    found = []
    for text in given:
        first, dash, last = text.partition("-")
        if not (first.isdecimal() and (last.isdecimal() or not dash)):
            raise click.BadParameter(f'"{text}" is no id: `swak dlq show` names them; write 17, or 17-42 for several')
        found.append((int(first), int(last or first)))
    return tuple(found)


def _command(name: str, *, ids: bool = True) -> Callable[[Callable[..., Any]], click.Command]:
    """Add a command with `--data-dir` and the options that choose letters. What the disk refuses is told."""

    def decorate(asked: Callable[..., Any]) -> click.Command:
        @functools.wraps(asked)
        def function(**given: Any) -> Any:
            try:
                return asked(KeptIn(given.pop("agent"), given.pop("data_dir")), **given)
            except OSError as error:
                raise _refusal(error) from error

        options = [
            click.option("--name", "agent", metavar="NAME", help="The agent, by name or recipe, where several are."),
            click.option("--data-dir", metavar="DIR", help="Where the agent keeps its dead letters."),
            click.option("--flow", metavar="NAME", help="Only those of this flow."),
            click.option("--stage", metavar="NAME", help="Only those that this stage refused."),
            click.option("--reason", metavar="TEXT", help="Only those whose reason holds this text."),
        ]
        if ids:
            options.append(click.argument("ids", metavar="[ID]...", nargs=-1, callback=_ids))
        made = functools.reduce(lambda decorated, add: add(decorated), reversed(options), function)
        return dlq.command(name, context_settings=HELP_NAMES)(made)

    return decorate


def _refusal(error: OSError) -> Exception:
    from swak.errors import Problem, StateError  # noqa: PLC0415 - `--help` needs none of it

    if isinstance(error, BrokenPipeError):
        return error  # click ends quietly then
    what = f"{error.filename or 'the dead letters'}: {error.strerror or error}"
    return StateError(str(Problem(what, "run this as the user that runs swak, on a disk that has room")))


def _shelf(kept_in: KeptIn, recipe: str | None = None) -> tuple[DataDir, Shelf]:
    from swak.commands.keeping import data_dir_of  # noqa: PLC0415 - `--help` needs none of it
    from swak.deadletters import Shelf  # noqa: PLC0415 - as above
    from swak.errors import Problem, StateError  # noqa: PLC0415 - as above

    where = data_dir_of(kept_in.agent, kept_in.data_dir, recipe)
    if not where.path.is_dir():
        mend = "name the directory of an agent with --data-dir DIR"
        raise StateError(str(Problem(f"{where.path} (from {where.why}): there is no such directory", mend)))
    return where, Shelf(where.dead_letters_path)


@_command("ls", ids=False)
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def ls(kept_in: KeptIn, flow: str | None, stage: str | None, reason: str | None, *, as_json: bool) -> None:
    """List what was refused: how many events, when, by which stage, and why."""
    from swak.deadletters.letter import iso  # noqa: PLC0415 - `--help` needs none of it

    where, shelf = _shelf(kept_in)
    choice = Choice((), flow, stage, reason)
    groups: dict[tuple[str, str, str], list[int]] = {}
    for kept in filter(choice.fits, shelf.letters()):
        one = kept.letter
        figures = groups.setdefault((one.flow, one.stage, one.reason), [0, one.died_at_ns, one.died_at_ns])
        figures[:] = [figures[0] + 1, min(figures[1], one.died_at_ns), max(figures[2], one.died_at_ns)]
    total = {"letters": sum(figures[0] for figures in groups.values()), "bytes": shelf.size_bytes}
    total |= {"files": shelf.files, "damaged": shelf.damaged, "dropped": shelf.taken.dropped}
    rows = [
        {"flow": key[0], "stage": key[1], "reason": key[2], "letters": count, "first": iso(first), "last": iso(last)}
        for key, (count, first, last) in groups.items()
    ]
    if as_json:
        click.echo(json.dumps({"path": str(where.path), **total, "groups": rows}))
        return
    for line in _table(rows):
        click.echo(line)
    files = f"{shelf.files} file{'' if shelf.files == 1 else 's'} in {where.path}"
    told = f"{_letters(int(total['letters']))}, {shelf.size_bytes:,} bytes in {files}"
    told += f"; {shelf.damaged} damaged pieces are passed over" if shelf.damaged else ""
    click.echo(told + (f"; {shelf.taken.dropped} were dropped for room" if shelf.taken.dropped else ""))


def _table(rows: list[dict[str, Any]]) -> Iterator[str]:
    if not rows:
        return
    cells = [["letters", "first", "last", "stage", "reason"]]
    for row in rows:
        times = [(row[name] or "")[:19] + "Z" for name in ("first", "last")]
        reason = _visible(row["reason"]) or "(no reason)"
        short = reason if len(reason) <= REASON_CHARS else f"{reason[: REASON_CHARS - 1]}…"
        cells.append([str(row["letters"]), *times, _visible(f"{row['flow']}/{row['stage']}"), short])
    widths = [max(len(line[at]) for line in cells) for at in range(4)]
    for line in cells:
        rest = "  ".join(text.ljust(width) for text, width in zip(line[1:4], widths[1:], strict=True))
        yield f"{line[0].rjust(widths[0])}  {rest}  {line[4]}".rstrip()


@_command("show")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many, the oldest first.")
def show(kept_in: KeptIn, limit: int | None, **chosen: Any) -> None:
    """Show letters in full: those with these IDs (17, or 17-42 for several), or all that fit the options."""
    found = 0
    _, shelf = _shelf(kept_in)
    for kept in filter(Choice(**chosen).fits, shelf.letters()):
        if found == limit:
            break
        if found:
            click.echo()
        found += 1
        for line in _told(kept):
            click.echo(line)
    if not found:
        click.echo("there are no such dead letters", err=True)


def _told(kept: Kept) -> Iterator[str]:
    """Yield the lines that show one letter. Nothing in it can move the terminal's cursor."""
    told = json.loads(kept.line)
    letter = kept.letter
    yield _visible(f"{kept.number}  {told['died_at']}  {letter.flow}/{letter.stage}: {letter.reason or '(no reason)'}")
    yield _visible(f"  from   {told['source']!r}, at the end of its batch {json.dumps(told['position'])}")
    yield _visible(f"  event  tag {told['tag']!r}, time {told['time'] or told['time_ns']}")
    record = json.dumps(told["record"], ensure_ascii=False, indent=2).splitlines()
    yield from (_visible(f"  {line}") for line in record)
    yield from (_visible(f"  | {line}") for line in letter.trace.splitlines())


def _visible(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)


@_command("export", ids=False)
@click.option("--id", "ids", metavar="ID", multiple=True, callback=_ids, help="Only these: 17, or 17-42 for several.")
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
def export(kept_in: KeptIn, file: Path | None, **chosen: Any) -> None:
    """Write letters to FILE, which must be new, or to standard output: one JSON object a line. They also stay here."""
    _, shelf = _shelf(kept_in)
    lines = (kept.line + b"\n" for kept in filter(Choice(**chosen).fits, shelf.letters()))
    if file is None:
        for line in lines:
            click.echo(line, nl=False)
        return
    try:
        with file.open("xb") as target:
            count = sum(1 for line in lines if target.write(line))
            target.flush()
            os.fsync(target.fileno())
    except FileExistsError as error:
        raise click.ClickException(f"{file} is there already: name another file") from error
    except OSError as error:
        raise click.ClickException(f"{file} cannot be written ({error.strerror or error})") from error
    click.echo(f"{_letters(count)} written to {file}", err=True)


@_command("drop")
@click.option("--all", "everything", is_flag=True, help="Every letter that there is.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def drop(kept_in: KeptIn, *, everything: bool, yes: bool, **chosen: Any) -> None:
    """Throw letters away for good: those with these IDs (17, or 17-42 for several), that fit the options, or --all."""
    choice = Choice(**chosen)
    if (choice == Choice()) != everything:
        raise click.UsageError("say which: IDs, --flow, --stage, --reason; or --all alone")
    where, shelf = _shelf(kept_in)
    numbers = [kept.number for kept in filter(choice.fits, shelf.letters())]
    if not numbers:
        click.echo("there are no such dead letters", err=True)
        return
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError(f"this would drop {_letters(len(numbers))} for good: say so with --yes")
        click.confirm(f"Drop {_letters(len(numbers))} of {where.path} for good?", abort=True)
    shelf.take((number, number) for number in numbers)
    click.echo(f"{_letters(len(numbers))} dropped")
    _free(where, shelf)


def _free(where: DataDir, shelf: Shelf) -> None:
    """Give the room back. A swak that runs owns the files; it frees what is left when it needs the room."""
    from swak.errors import StateError  # noqa: PLC0415 - `--help` needs none of it

    try:
        where.lock()
    except StateError:
        shelf.clear()
        return
    try:
        where.dead_letters().reclaim()
    finally:
        where.close()


@_command("replay", ids=False)
@click.option("--id", "ids", metavar="ID", multiple=True, callback=_ids, help="Only these: 17, or 17-42 for several.")
@click.option("--into", metavar="RECIPE[:FLOW]", help="Put them into the first stage of this recipe instead.")
@click.option("--grace", callback=duration, default="10s", show_default=True, help="How long draining may take.")
@recipe_arguments
def replay(
    kept_in: KeptIn,
    *,
    path: str | None,
    text: str | None,
    timeout_s: float,
    into: str | None,
    grace: Duration,
    **chosen: Any,
) -> None:
    """Put letters back before the stage of RECIPE that refused them, as a run of its own that ends by itself.

    A letter is taken off when what became of it was delivered, was filtered on purpose, or is a new dead letter. With
    --into all of them go to the first stage behind the input of that recipe's flow; RECIPE is not needed then, and
    where it is given, only letters of its flows go. No other swak may be using the data directory.

    Exit codes: as `swak up`.
    """
    from swak.commands.replaying import Replay, flows_of, way_into, ways_back  # noqa: PLC0415 - `--help` needs none

    recipe = None if into is not None and (path, text) == (None, None) else load(path, text, timeout_s)
    where, shelf = _shelf(kept_in, path)
    other = None if into is None else _other(into, timeout_s)
    _lock(where)
    with contextlib.closing(where):
        letters = Replay(where, shelf, Choice(**chosen).fits, float(grace))
        if not letters.counts:
            click.echo("there are no such dead letters", err=True)
            return
        if other is not None:
            ways = [way_into(*other, None if recipe is None else flows_of(recipe))]
        else:
            assert recipe is not None, "without --into there is one"
            ways = ways_back(recipe, letters.counts, path or TEXT)
        code = letters.run(ways)
    sys.exit(code)


def _lock(where: DataDir) -> None:
    from swak.errors import StateError  # noqa: PLC0415 - `--help` needs none of it

    try:
        where.lock()
    except StateError as error:
        text = "replay writes there itself; ls, show, export and drop also work while a swak uses the directory"
        raise StateError(f"{error}\n{text}") from error


def _other(into: str, timeout_s: float) -> tuple[Recipe, str, str | None]:
    """Return recipe, file and flow of `RECIPE[:FLOW]`; a colon may also stand in the file's name."""
    file, _, flow = (into, "", "") if Path(into).is_file() or ":" not in into else into.rpartition(":")
    return load(file, None, timeout_s), file, flow or None


def _letters(count: int) -> str:
    return f"{count} dead letter{'' if count == 1 else 's'}"
