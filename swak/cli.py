"""The command line: a table of commands, each imported when it is called."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import NoReturn

import click

HELP_NAMES = {"help_option_names": ["-h", "--help"]}
"""click's settings for every command. A command keeps the help option of its first use, so each has to name it."""

COMMANDS = {
    "up": ("swak.commands.up:up", "Run a recipe."),
    "ps": ("swak.commands.agents:ps", "List the agents that run."),
    "status": ("swak.commands.agents:status", "Tell how an agent goes."),
    "stop": ("swak.commands.agents:stop", "Drain an agent and wait for its end."),
    "restart": ("swak.commands.agents:restart", "Stop an agent and start it again, or renew one of its stages."),
    "reload": ("swak.commands.reloading:reload", "Have an agent load its recipe again."),
    "plan": ("swak.commands.reloading:plan", "Tell what another recipe would make different."),
    "logs": ("swak.commands.agents:logs", "Print the log of an agent in the background."),
    "top": ("swak.commands.looking:top", "Show the live view of an agent."),
    "tap": ("swak.commands.looking:tap", "Print the events that pass a stage of an agent."),
    "flush": ("swak.commands.steering:flush", "Let buffers go and outputs sync now."),
    "pause": ("swak.commands.steering:pause", "Have a stage take nothing more."),
    "resume": ("swak.commands.steering:resume", "Let a paused stage go on."),
    "inject": ("swak.commands.steering:inject", "Put events into a stage."),
    "stacks": ("swak.commands.steering:stacks", "Print where every thread of an agent is."),
    "attach": ("swak.commands.attach:attach", "Open a Python prompt inside an agent."),
    "control": ("swak.commands.control:control", "Say who may control agents over TCP."),
    "check": ("swak.commands.check:check", "Check a recipe without starting anything."),
    "graph": ("swak.commands.graph:graph", "Draw the flow of a recipe."),
    "list": ("swak.commands.list_:list_", "List the plugins that recipes can use."),
    "desc": ("swak.commands.desc:desc", "Describe a plugin and its options."),
    "audit": ("swak.commands.audit:audit", "Account for every event and byte of the last run."),
    "dlq": ("swak.commands.dlq:dlq", "Look at dead letters, replay, export or drop them."),
    "spool": ("swak.commands.spool:spool", "Look into the spool of an out.DiskBuffer."),
    "service": ("swak.commands.service:service", "Run a recipe as a service of the system."),
    "doctor": ("swak.commands.doctor:doctor", "Look whether everything is here that swak needs."),
    "bench": ("swak.commands.bench:bench", "Measure what swak costs, beside other agents."),
}
"""Command, where it lives, and its line in `swak --help`, which imports none of them."""


class LazyGroup(click.Group):
    """Commands by the table above."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            from swak.options import suggest  # noqa: PLC0415 - only a mistyped command needs it

            ctx.fail(f'there is no command "{args[0]}"; {suggest(args[0], COMMANDS)}')
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        """Run the command. What is wrong with a recipe is told problem by problem, with exit code 78."""
        from swak.commands.given import EXIT_CONFIG, EXIT_STATE  # noqa: PLC0415 - `swak --help` needs none of swak
        from swak.errors import ConfigError, StateError  # noqa: PLC0415 - as above

        try:
            return super().invoke(ctx)
        except StateError as error:
            click.echo(f"Error: {error}", err=True)
            ctx.exit(EXIT_STATE)
        except ConfigError as error:
            for problem in error.problems:
                click.echo(str(problem), err=True)
            ctx.exit(EXIT_CONFIG)


def _version(ctx: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if wanted:
        import platform  # noqa: PLC0415 - only --version needs it

        from swak import __version__  # noqa: PLC0415 - as above

        click.echo(f"swak {__version__} (Python {platform.python_version()}, {platform.platform()})")
        ctx.exit()


@click.group(cls=LazyGroup, context_settings=HELP_NAMES)
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show versions.")
def swak() -> None:
    """Swak: the log agent that you write in Python."""


def main() -> NoReturn:
    """Run the command line of this process. Where a standard stream is closed, what goes there is thrown away."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123 - as long as the process
    sys.exit(swak(prog_name="swak"))
