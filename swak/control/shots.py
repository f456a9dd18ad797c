"""Snapshots for those who only look: what an agent is like at one moment, and nothing that could be changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from swak.control.figures import told_view
from swak.log import plain
from swak.options import suggest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from swak.actors.post import Post
    from swak.actors.running import Run
    from swak.plugin import Plugin

MASK = "***"
"""Stands for an option that is a secret."""


class Shot(Mapping[str, Any]):
    """What something was like: `shot.state` and `shot["state"]` are the same."""

    __slots__ = ("_told",)

    def __init__(self, told: Mapping[str, Any]) -> None:
        object.__setattr__(self, "_told", {str(name): frozen(value) for name, value in told.items()})

    def __getitem__(self, name: str) -> Any:
        return self._told[name]

    def __getattr__(self, name: str) -> Any:
        try:
            return self._told[name]
        except KeyError:
            raise AttributeError(f'there is no "{name}" here; {suggest(name, self._told)}') from None

    def __setattr__(self, name: str, _value: object) -> None:
        raise AttributeError(f"{name} cannot be set: this is a snapshot")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{name} cannot be deleted: this is a snapshot")

    def __iter__(self) -> Iterator[str]:
        return iter(self._told)

    def __len__(self) -> int:
        return len(self._told)

    def __repr__(self) -> str:
        return repr(self._told)

    def __dir__(self) -> Iterable[str]:
        return list(self._told)


def frozen(value: Any) -> Any:
    """Return a value that nobody can change: what is no plain one becomes its text."""
    if isinstance(value, Mapping):
        return Shot(value)
    if isinstance(value, list | tuple | set | frozenset):
        return tuple(frozen(one) for one in value)
    if type(value) in {bool, int, float, str, bytes, type(None)}:
        return value
    if isinstance(value, int | float):  # a duration, a size: as the number that it is
        return int(value) if isinstance(value, int) else float(value)
    return plain(value)


def thawed(value: Any) -> Any:
    """Return the same in dicts and tuples, as it is printed."""
    if isinstance(value, Shot):
        return {name: thawed(one) for name, one in value.items()}
    return tuple(thawed(one) for one in value) if type(value) is tuple else value


def named(posts: Iterable[Post]) -> dict[str, Post]:
    """Return the stages by name: as the view shows them and, where only one has it, by the name alone."""
    known = list(posts)
    alone = [post.stage.name for post in known]
    found = {post.stage.name: post for post in known if alone.count(post.stage.name) == 1}
    return found | {post.name: post for post in known if post.stage.name not in found}


def stages_of(run: Run) -> Shot:
    """Return what every stage is like now, with the options that it was given."""
    views = {f"{view.flow}/{view.stage}": told_view(view) for view in run.snapshot()}
    posts = named(run.crew.posts)
    return Shot({name: {**views.get(post.name, {}), **_made_as(post)} for name, post in posts.items()})


def _made_as(post: Post) -> dict[str, Any]:
    stage = post.stage
    plugin = stage.spool or stage.plugin
    return {
        "name": post.name,
        "plugin": "" if plugin is None else plugin.name,
        "options": {} if plugin is None else options_of(plugin),
        "downstream": stage.downstream(),
        "down": sorted(post.down),
        "draining": post.draining,
    }


def options_of(plugin: Plugin) -> dict[str, Any]:
    """Return a plugin's options as they are in force; secrets are masked."""
    values = {name: getattr(plugin, name, None) for name in plugin.options}
    return {name: MASK if plugin.options[name].secret and value else value for name, value in values.items()}
