"""`swak desc`: a plugin's page and its options."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING

import click

from swak.cli import HELP_NAMES
from swak.commands.given import columns

if TYPE_CHECKING:
    from swak.options import Option
    from swak.plugin import Plugin

MASK = "********"


@click.command(context_settings=HELP_NAMES)
@click.argument("plugin")
def desc(plugin: str) -> None:
    """Describe PLUGIN, e.g. out.Fluentd, in_.FileTailing or just Fluentd."""
    side, _, name = plugin.rpartition(".")
    sides = {"": ("in_", "out"), "in": ("in_",), "in_": ("in_",), "out": ("out",)}.get(side, ())
    found = [page for one in sides if (page := _look_up(one, name))]
    if not found:
        from swak.discovery import names  # noqa: PLC0415 - `--help` needs none of it
        from swak.options import suggest  # noqa: PLC0415 - as above

        known = [known for one in sides or ("in_", "out") for known in names(one)]
        click.echo(f"Can not find plugin '{plugin}'; {suggest(name, known)}", err=True)
        raise click.exceptions.Exit(2)
    click.echo("\n\n".join(describe(*one) for one in found))


def _look_up(side: str, name: str) -> tuple[str, type[Plugin]] | None:
    from swak.beside import Beside  # noqa: PLC0415 - `--help` needs none of it
    from swak.discovery import UnknownPluginError, lookup  # noqa: PLC0415 - as above

    try:
        return f"{side}.{name}", lookup(side, name, Beside(Path.cwd()))
    except UnknownPluginError:
        return None


def describe(spelled: str, cls: type[Plugin]) -> str:
    """Return the page of a plugin: its docstring and a table of its options."""
    parts = [f"{spelled} ({cls.kind})", inspect.cleandoc(cls.__doc__ or "It has no description.")]
    if cls.options:
        rows = [(one.name, one.type_text(), default_text(one), one.doc) for one in cls.options.values()]
        parts.append("Options:\n" + columns([("Option", "Type", "Default", "Description"), *rows]))
    else:
        parts.append("It has no options.")
    return "\n\n".join(parts)


def default_text(option: Option) -> str:
    """Return an option's default as recipes write it; secrets are masked."""
    if option.required:
        return "(required)"
    return MASK if option.secret and option.default is not None else repr(option.default)
