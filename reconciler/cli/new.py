"""`reconcile new`: a first manifest of a kind to start from, checked before it is written."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli.session import DEFAULT_PATH, application
from reconciler.cli.templates import AUTOMATION, HEAD, IMAGE, PORT, PROGRAM, SERVICE, VERIFY
from reconciler.cli.validate import read_text

if TYPE_CHECKING:
    from reconciler.app import App
    from reconciler.model.address import ResourceId
    from reconciler.model.resource import Resource, Source


class _Kinds(click.Group):
    """The built-in kinds, and those of the plugins that the settings here list."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        from reconciler.model.errors import ReconcileError

        try:
            return [*super().list_commands(ctx), *_of_plugins()]
        except ReconcileError:  # told by every command that needs the plugins
            return super().list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        known = super().get_command(ctx, cmd_name)
        if known is not None or cmd_name.startswith("-"):
            return known
        kind = _of_plugins().get(cmd_name)
        return None if kind is None else _for_plugin(kind)


@click.group("new", cls=_Kinds)
def command() -> None:
    """Write a first manifest to start from: commented, and valid as it stands.

    \b
    Examples:
      reconcile new automation backup --schedule "30 2 * * *" --command tools/backup.sh
      reconcile new service crm --image localhost/crm:1.4 --port 3500
      reconcile new port crm-http --port 3500 --owner Service/crm
    """


_NAME = click.argument("name")
_DESCRIPTION = click.option("--description", default="Say here what it is for", help="What it is for.")
_PATH = click.option(
    "--path", default=DEFAULT_PATH, show_default=True, type=click.Path(path_type=Path), help="Folder to write it to."
)


@command.command
@_NAME
@click.option("--schedule", default="0 6 * * *", show_default=True, help="When to run.")
@click.option("--command", "line", help="A line for the shell; a greeting if not given.")
@_DESCRIPTION
@_PATH
def automation(name: str, schedule: str, line: str | None, description: str, path: Path) -> int:
    """Write a manifest for an automation called NAME. Never overwrites a file."""
    when = schedule if schedule.startswith("{") and "\n" not in schedule else quoted(schedule)
    what = quoted(line) if line is not None else f"[echo, {quoted(f'hello from {name}')}]"
    body = AUTOMATION.format(schedule=when, command=what) + VERIFY
    return _write(name, _head("Automation", "run", name, description) + body, path)


@command.command
@_NAME
@click.option("--image", help="The image of a container.")
@click.option("--command", "line", help="A line for the shell; one that only waits if not given.")
@click.option("--port", type=click.IntRange(1, 65535), help="The port that it listens on.")
@_DESCRIPTION
@_PATH
def service(name: str, image: str | None, line: str | None, port: int | None, description: str, path: Path) -> int:
    """Write a manifest for a service called NAME, with --image a container. Never overwrites a file."""
    runs = "" if image is None else IMAGE.format(image=quoted(image))
    if image is None or line is not None:
        runs += PROGRAM.format(command=quoted(line) if line is not None else "[tail, -f, /dev/null]")
    body = SERVICE.format(ports=f"ports: [{port}]" if port is not None else "# ports: [8080]")
    return _write(name, _head("Service", "keep running", name, description) + runs + body, path)


@command.command
@_NAME
@click.option("--port", type=click.IntRange(1, 65535), required=True, help="Its number.")
@click.option("--owner", required=True, metavar="KIND/NAME", help="The resource that listens there.")
@click.option("--protocol", type=click.Choice(["tcp", "udp"]), default="tcp", show_default=True, help="tcp or udp.")
@_DESCRIPTION
@_PATH
def port(name: str, port: int, owner: str, protocol: str, description: str, path: Path) -> int:
    """Write a claim called NAME: who may listen on a port. Never overwrites a file."""
    body = PORT.format(port=port, protocol=protocol, owner=quoted(owner))
    return _write(name, _head("Port", "listen on", name, description) + body, path)


def _of_plugins() -> dict[str, str]:
    """Kinds of plugins that say how they begin, by the word for them here."""
    from reconciler.kinds.catalogue import BUILT_IN

    kinds = application(Path(DEFAULT_PATH)).registry.kinds
    mine = [kind for kind in sorted(kinds.targets) if kind not in BUILT_IN]
    return {kind.lower(): kind for kind in mine if kinds.spec_model(kind).TEMPLATE}


def _for_plugin(kind: str) -> click.Command:
    """The command that writes a manifest of a plugin's kind."""

    def write(name: str, description: str, path: Path) -> int:
        template = application(path).registry.kinds.spec_model(kind).TEMPLATE.replace("{name}", name)
        body = "".join(f"  {line}" if line.strip() else line for line in template.splitlines(keepends=True))
        return _write(name, _head(kind, "have", name, description) + body, path)

    summary = f"Write a manifest of kind {kind} called NAME. Never overwrites a file."
    return click.command(kind.lower(), help=summary)(_NAME(_DESCRIPTION(_PATH(write))))


def _head(kind: str, verb: str, name: str, description: str) -> str:
    shown = name if _plain(name) else quoted(name)
    return HEAD.format(verb=verb, kind=kind, name=shown, description=quoted(description))


def _write(name: str, text: str, path: Path) -> int:
    """Check the manifest by itself and beside the others, save it, and say what comes next."""
    file = path / f"{name}.yaml"
    app = application(path)
    _check(app, str(file), text)
    write_new({file: text})
    sys.stdout.write(
        f"Wrote {file}. Edit it: its comments say what else it can hold. Then\n"
        f"  reconcile plan {path}    shows what would happen, and\n"
        f"  reconcile apply {path}   makes it happen.\n"
    )
    return 0


def _check(app: App, file: str, text: str) -> None:
    """Raises where the manifest would be refused, by itself or beside the others, before anything is written."""
    from reconciler.load.resolve import resolve
    from reconciler.model.errors import LoadError, ReconcileError

    content = text.encode("utf-8", "surrogateescape")
    found, problems = read_text(file, content, app.registry.kinds)
    if problems:
        raise LoadError(tuple(problems))
    app.check(found)
    others = _others(app)
    for trouble in resolve((*(others or ()), *found), None if others is None else ()):
        if trouble.resource in found:
            hint = trouble.hint or "write that manifest first"
            raise ReconcileError(f"cannot write {file}: {trouble.message}", hint=hint)


def present(app: App) -> dict[ResourceId, Source]:
    """What the tree holds already, and where. A tree with problems counts as empty."""
    return {resource.id: resource.source for resource in _others(app) or ()}


def _others(app: App) -> tuple[Resource, ...] | None:
    """The resources of the tree; None, with a warning, where it has problems."""
    from reconciler.model.errors import LoadError

    if not app.path.is_dir():
        return ()
    try:
        return app.load().resources
    except LoadError:
        sys.stderr.write(f"warning: other manifests in {app.path} have problems; see `reconcile validate`\n")
        return None


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
