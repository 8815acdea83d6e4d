"""`reconcile exec`: the runner, reached through the table of commands. Its options stand in runner/line.py."""

from __future__ import annotations

import click


@click.command(
    add_help_option=False, context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False}
)
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
def command(words: tuple[str, ...]) -> int:
    """Run an automation's command, as schedulers do: bounded and recorded."""
    from reconciler.cli.entry import execute

    return execute(["exec", *words])
