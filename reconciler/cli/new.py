"""`reconcile new`: a first manifest to start from, commented, valid as it stands."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli.session import DEFAULT_PATH, application
from reconciler.cli.validate import read_text

if TYPE_CHECKING:
    from reconciler.app import App
    from reconciler.model.address import ResourceId
    from reconciler.model.resource import Source

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
    text = _TEMPLATE.format(
        name=name if _plain(name) else quoted(name),
        description=quoted(description),
        schedule=schedule if schedule.startswith("{") and "\n" not in schedule else quoted(schedule),
        command=quoted(line) if line is not None else f"[echo, {quoted(f'hello from {name}')}]",
    )
    file = path / f"{name}.yaml"
    app = application(path)
    _check(app, str(file), text)
    _refuse_second(app, name)
    write_new({file: text})
    sys.stdout.write(
        f"Wrote {file}. Edit it: its comments say what else it can hold. Then\n"
        f"  reconcile plan {path}    shows what would happen, and\n"
        f"  reconcile apply {path}   makes it happen.\n"
    )
    return 0


def _check(app: App, file: str, text: str) -> None:
    """Raises LoadError where the manifest would be refused, before anything is written."""
    from reconciler.model.errors import LoadError

    content = text.encode("utf-8", "surrogateescape")
    resources, problems = read_text(file, content, app.registry.kinds)
    if problems:
        raise LoadError(tuple(problems))
    app.check(resources)


def _refuse_second(app: App, name: str) -> None:
    """Two manifests of one address would make the whole tree invalid."""
    from reconciler.model.address import ResourceId
    from reconciler.model.errors import ReconcileError

    source = present(app).get(ResourceId("Automation", name))
    if source is not None:
        raise ReconcileError(f"cannot write a manifest for {name}: there is one already", where=str(source))


def present(app: App) -> dict[ResourceId, Source]:
    """What the tree holds already, and where. A tree with problems gets a warning and counts as empty."""
    from reconciler.model.errors import LoadError

    if not app.path.is_dir():
        return {}
    try:
        return {resource.id: resource.source for resource in app.load().resources}
    except LoadError:
        sys.stderr.write(f"warning: other manifests in {app.path} have problems; see `reconcile validate`\n")
        return {}


def write_new(texts: Mapping[Path, str]) -> None:
    """Write files that must not exist yet. Raises ReconcileError with none of them left behind."""
    from reconciler.model.errors import ReconcileError

    written: list[Path] = []
    try:
        for file, text in texts.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("x", encoding="utf-8") as stream:
                written.append(file)
                stream.write(text)
    except OSError as error:
        for partial in written:
            partial.unlink(missing_ok=True)
        if isinstance(error, FileExistsError):
            hint = "choose another name, or edit the file that is there"
            raise ReconcileError(f"cannot write {error.filename}: there is such a file already", hint=hint) from error
        where = error.filename or next(iter(texts))
        raise ReconcileError(f"cannot write {where}: {(error.strerror or str(error)).lower()}") from error


def quoted(text: str) -> str:
    """A double-quoted YAML scalar: every JSON string is one, and escapes what could not be read back."""
    return json.dumps(text, ensure_ascii=not text.isprintable())


def _plain(name: str) -> bool:
    from reconciler.load.scalars import plain_scalar

    return name.isascii() and name.replace("-", "").isalnum() and name[:1].isalpha() and plain_scalar(name) == name
