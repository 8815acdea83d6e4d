"""`reconcile new`: a first manifest to start from, commented, valid as it stands."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli.session import DEFAULT_PATH, application

if TYPE_CHECKING:
    from reconciler.app import App

_TEMPLATE = """\
# What this machine should run. `reconcile explain Automation` documents every field.
apiVersion: reconciler/v1
kind: Automation
metadata:
  name: {name}
  description: {description}
spec:
  # Five cron fields (minute hour day month weekday), @daily and its like, {{every: 5m}} or {{at: boot}}.
  schedule: {schedule}
  # A list is a program with its arguments; text is a line for the shell.
  command: {command}
  # The folder to run in; the home folder if not given.
  # workingDirectory: ~/somewhere
  # Variables for the command. No secrets: they stand readable in the crontab.
  # environment: {{LOG_LEVEL: info}}
  # What must hold after a change; when it does not, the last stable state comes back.
  # verify:
  #   within: 20s
  #   probes:
  #     - exec: [test, -x, /path/to/the/program]
"""


@click.group("new")
def command() -> None:
    """Write a first manifest to start from."""


@command.command
@click.argument("name")
@click.option("--schedule", default="0 6 * * *", show_default=True, help="When to run.")
@click.option("--command", "line", help="A line for the shell; a greeting if not given.")
@click.option("--description", default="Say here what it is for", help="What it is for.")
@click.option(
    "--path", default=DEFAULT_PATH, show_default=True, type=click.Path(path_type=Path), help="Folder to write it to."
)
def automation(name: str, schedule: str, line: str | None, description: str, path: Path) -> int:
    """Write a manifest for an automation called NAME. Never overwrites a file."""
    from reconciler.model.errors import LoadError

    text = _TEMPLATE.format(
        name=quoted(name) if not _plain(name) else name,
        description=quoted(description),
        schedule=schedule if schedule.startswith("{") and "\n" not in schedule else quoted(schedule),
        command=quoted(line) if line is not None else f"[echo, {quoted(f'hello from {name}')}]",
    )
    file = path / f"{name}.yaml"
    app = application(path)
    problems = _problems(app, str(file), text.encode("utf-8", "surrogateescape"))
    if problems:
        raise LoadError(tuple(problems))
    _refuse_second(app, name, path)
    write_new(file, text)
    sys.stdout.write(
        f"Wrote {file}. Edit it; its comments say what else it can hold. Then:\n"
        f"  reconcile plan {path}     shows what would happen\n"
        f"  reconcile apply {path}    makes it happen\n"
    )
    return 0


def quoted(text: str) -> str:
    """A double-quoted YAML scalar: every JSON string is one."""
    return json.dumps(text, ensure_ascii=False)


def _plain(name: str) -> bool:
    from reconciler.load.scalars import plain_scalar

    return name.isascii() and name.replace("-", "").isalnum() and name[:1].isalpha() and plain_scalar(name) == name


def _problems(app: App, file: str, content: bytes) -> list[object]:
    raise NotImplementedError


def _refuse_second(app: App, name: str, path: Path) -> None:
    raise NotImplementedError


def write_new(file: Path, text: str) -> None:
    raise NotImplementedError
