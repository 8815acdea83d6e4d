"""The console script: `exec` goes straight to the runner, everything else to the table of commands.

Imports nothing by itself, because schedulers wait for `exec` on every run.
"""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line and exit with its code."""
    if sys.argv[1:2] == ["exec"]:
        sys.exit(execute(sys.argv[1:]))
    from reconciler.cli.main import main as commands

    commands()


def execute(words: list[str]) -> int:
    """The runner's exit code. It is told which program collects the records: this one."""
    from reconciler.runner.main import main as run

    return run([words[0], "--cli", os.path.abspath(sys.argv[0]), *words[1:]])  # noqa: PTH100 - pathlib costs a start
