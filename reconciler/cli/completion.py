"""`reconcile completion`: the script that makes a shell complete commands, options and files."""

from __future__ import annotations

import sys

import click

_INSTALL = {
    "bash": """\
# Install: add this line to ~/.bashrc (bash 4.4 or newer), and open a new shell:
#   source <(reconcile completion bash)""",
    "zsh": """\
# Install: add this line to ~/.zshrc, after `compinit`, and open a new shell:
#   source <(reconcile completion zsh)""",
    "fish": """\
# Install: run this once, and open a new shell:
#   reconcile completion fish > ~/.config/fish/completions/reconcile.fish""",
}


@click.command
@click.argument("shell", type=click.Choice(tuple(_INSTALL)))
def command(shell: str) -> int:
    """Print the completion script of a shell. Its first lines say how to install it."""
    from click.shell_completion import get_completion_class

    from reconciler.cli.main import cli

    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"there is no completion for {shell}")
    completer = found(cli, {}, "reconcile", "_RECONCILE_COMPLETE")
    # Not `completer.source()`: that starts a bash only to warn about its version.
    script = completer.source_template % completer.source_vars()
    sys.stdout.write(f"{_INSTALL[shell]}\n{script.strip()}\n")
    return 0
