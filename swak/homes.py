"""Which data directory an agent has when nobody names one: one for each name, and how it is found again."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from swak.datadir import DataDir, Owner, owner_of, state_home
from swak.errors import Problem, StateError
from swak.log import Log
from swak.options import suggest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from swak.deadletters import Limit

_log = Log("swak.datadir")

RESERVED = ("checkpoints", "lock", "ledger.json", "dead-letters", "agent.json", "agent-id")
"""How the names begin of what lies in a data directory: an agent of such a name has another folder."""


class Roots(NamedTuple):
    """Where data directories are."""

    shared: Path
    """The one directory that all agents had before each had its own."""
    own: Path
    """The folder of the directories of each."""
    why: str


def roots(platform: str, environ: Mapping[str, str], uid: int | None) -> Roots:
    """Return where data directories are on this platform. Touches nothing."""
    if home := environ.get("SWAK_HOME"):
        shared = Path(os.path.abspath(os.path.expanduser(home))) / "data"  # noqa: PTH100, PTH111 - no link is resolved
        return Roots(shared, shared, "$SWAK_HOME")
    shared = state_home(platform, environ, uid)
    own = shared if shared.name == "data" else shared / "data"
    return Roots(shared, own, "the platform's custom")


def roots_here() -> Roots:
    """Return where data directories are for this process."""
    return roots(sys.platform, os.environ, os.geteuid() if hasattr(os, "geteuid") else None)


def folder_of(name: str) -> str:
    """Return the name of an agent's folder."""
    return f"agent-{name}" if name.lower().startswith(RESERVED) else name


def choose(
    owner: Owner,
    flows: Sequence[str],
    option: str | None = None,
    *,
    ephemeral: bool = False,
    limit: Limit | None = None,
) -> DataDir:
    """Return the directory of an agent that is about to start. Touches nothing.

    The first of: what is named by option or environment; the directory of its name, when it has kept positions there;
    the one that all shared, when one of these flows has; the directory of its name.
    """
    if ephemeral or option or os.environ.get("SWAK_DATA_DIR"):
        return DataDir.resolve(option, ephemeral, limit)
    at = roots_here()
    own = DataDir(at.own / folder_of(owner.name), f"{at.why}, and the name {owner.name}", limit, owner)
    shared = DataDir(at.shared, f"{at.why}; it is from before each agent had its own", limit)
    return shared if _keeps(shared, flows) and not _keeps(own, flows) else own


def _keeps(where: DataDir, flows: Sequence[str]) -> bool:
    return any(os.path.exists(where.checkpoint_path(flow)) for flow in flows)  # noqa: PTH110 - Path.exists raises where it may not look


def left_behind(where: DataDir, flows: Sequence[str]) -> list[DataDir]:
    """Return other directories with positions of a recipe that is about to begin anew in this one."""
    if where.ephemeral or where.owner is None or _keeps(where, flows):
        return []
    return [
        one
        for one in kept()
        if one.owner is not None and one.path != where.path and one.owner.recipe == where.owner.recipe
        if one.owner.recipe and _keeps(one, flows)
    ]


def tell_left_behind(where: DataDir, flows: Sequence[str]) -> None:
    """Say in the log that a recipe begins anew, where it has positions elsewhere: under another name, perhaps."""
    for one in left_behind(where, flows):
        _log.warning("this recipe begins anew; it has positions elsewhere", here=str(where.path), there=str(one.path))


def kept(at: Roots | None = None) -> list[DataDir]:
    """Return the directories that hold an agent's state, by name; the shared one comes first."""
    at = at or roots_here()
    found = [DataDir(at.shared, at.why)] if _is_used(at.shared) else []
    try:
        folders = sorted(one for one in at.own.iterdir() if one.is_dir())
    except OSError:
        folders = []  # nothing there, or nothing that this user may see
    return found + [
        DataDir(one, at.why, owner=owner_of(one)) for one in folders if one.name not in RESERVED and _is_used(one)
    ]


def _is_used(folder: Path) -> bool:
    try:
        return any((folder / name).exists() for name in ("ledger.json", "checkpoints", "dead-letters.jsonl"))
    except OSError:
        return False


def find(named: str | None, option: str | None = None, recipe: str | None = None) -> DataDir:
    """Return the directory that an agent has used: by NAME or RECIPE, or the only one, or of several that of `recipe`.

    StateError tells which there are. Where there is none at all, it is the one that all shared, so that whoever looks
    for something in it can say what it is that is missing.
    """
    if option or (named is None and os.environ.get("SWAK_DATA_DIR")):
        return DataDir.resolve(option)
    at = roots_here()
    found = kept(at)
    if named is not None:
        return _of(named, found, at)
    if len(found) > 1 and recipe is not None:
        return _of(recipe, found, at)
    if len(found) > 1:
        names = ", ".join(_name(one, at) for one in found)
        mend = "name one of them, or a directory with --data-dir DIR"
        raise StateError(str(Problem(f"several agents have kept something in {at.own}: {names}", mend)))
    return found[0] if found else DataDir.resolve()


def _of(named: str, found: Sequence[DataDir], at: Roots) -> DataDir:
    recipe = os.path.abspath(named)  # noqa: PTH100 - no link is resolved
    for one in found:
        if one.owner is not None and named == one.owner.name:
            return one
    for one in found:
        if one.owner is not None and recipe == one.owner.recipe:
            return one
    if found and found[0].owner is None and (named == "shared" or Path(recipe).is_file()):
        return found[0]
    names = [_name(one, at) for one in found]
    what = f'no agent of the name or recipe "{named}" has kept anything in {at.own}'
    raise StateError(str(Problem(what, suggest(named, names) if names else "name a directory with --data-dir DIR")))


def _name(one: DataDir, at: Roots) -> str:
    return one.owner.name if one.owner is not None else "shared" if one.path == at.shared else one.path.name
