"""What the commands share: their common options, the wired application, and signals."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from inspect import cleandoc
from pathlib import Path
from threading import Event as Flag
from types import FrameType
from typing import TYPE_CHECKING, Any, Self, TextIO, TypeVar, cast

import click

from reconciler.model.data import Json
from reconciler.model.event import Event, EventType, Listener

if TYPE_CHECKING:
    from datetime import datetime

    from reconciler.app import App
    from reconciler.model.address import ResourceId
    from reconciler.model.mask import Mask
    from reconciler.records import Records

F = TypeVar("F", bound=Callable[..., Any])
DEFAULT_PATH = "desired"
GUARDS = ("prune", "double-run", "missed-run", "downtime", "data-loss")


def wants_colour(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Colour only at a terminal that can show it, or with FORCE_COLOR; never with NO_COLOR (https://no-color.org)."""
    if environ.get("NO_COLOR"):
        return False
    return bool(environ.get("FORCE_COLOR")) or (stream.isatty() and environ.get("TERM") != "dumb")


def path_argument(function: F) -> F:
    """PATH: the desired tree, a folder or a single file. The help of the command says so in the end."""
    what = f"PATH is a folder of manifests or one file; {DEFAULT_PATH} if not given."
    function.__doc__ = f"{cleandoc(function.__doc__ or '')}\n\n{what}"
    return click.argument("path", default=DEFAULT_PATH, type=click.Path(path_type=Path))(function)


def output_option(*formats: str) -> Callable[[F], F]:
    """`-o`: the first format is the default. Problems of the manifests are printed in it too."""
    option = click.option(
        "-o", "--output", type=click.Choice(formats), default=formats[0], show_default=True, help="Output format."
    )
    return lambda function: option(_telling_problems(function))


def _telling_problems(function: F) -> F:
    """The command, with a document of the problems on standard output before it fails for them."""

    @wraps(function)
    def command(*arguments: Any, output: str, **options: Any) -> Any:
        from reconciler.model.errors import LoadError

        try:
            return function(*arguments, output=output, **options)
        except LoadError as error:
            from reconciler.cli.failure import document

            sys.stdout.write(document(error, output))
            raise

    return cast("F", command)


def accept_option(function: F) -> F:
    return click.option(
        "--accept",
        multiple=True,
        type=click.Choice(GUARDS),
        help="Overrule a guard by name. Repeatable.",
    )(function)


def target_option(function: F) -> F:
    return click.option(
        "--target", "targets", multiple=True, metavar="KIND/NAME", help="Only this resource. Repeatable."
    )(function)


def yes_option(function: F) -> F:
    return click.option("-y", "--yes", is_flag=True, help="Do not ask.")(function)


def addresses(texts: Iterable[str]) -> frozenset[ResourceId]:
    """Addresses from the command line; a usage error names what is wrong."""
    from reconciler.model.address import parse_address

    try:
        return frozenset(parse_address(text) for text in texts)
    except ValueError as error:
        raise click.UsageError(str(error)) from error


def noted(event: Event) -> None:
    """What a command says that shows no other events."""
    if event.type is EventType.NOTED:
        sys.stderr.write(f"{event.message}\n")


def application(path: Path, *, listener: Listener = noted, signals: Signals | None = None) -> App:
    """The wired application for PATH on this machine."""
    from reconciler.app import wire

    stopping = signals.stopping if signals else (lambda _count: None)
    return wire(path, os.environ, root=os.geteuid() == 0, listener=listener, stopping=stopping)


class Signals:
    """Counts SIGINT and SIGTERM while in use: the first asks to stop and undo, the second to stop at once."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._before: dict[int, Any] = {}
        self.event = Flag()  # set by the first signal

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._caught)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _caught(self, number: int, _frame: FrameType | None) -> None:
        self._names.append(signal.Signals(number).name)
        self.event.set()

    def stopping(self, count: int) -> str | None:
        """The signal to stop for, once `count` of them have come."""
        return self._names[count - 1] if len(self._names) >= count else None


@contextmanager
def open_records(app: App) -> Iterator[tuple[Records, Mask]]:
    """What is known of the runs on this host, and what hides secrets in it. Says on stderr what is in the way."""
    from reconciler.model.mask import Mask
    from reconciler.records import records

    with app.journal() as journal:
        inventory, mask = journal.inventory(), Mask(journal.mask_key())
    with records(app.folders.state, app.host, inventory) as found:
        for notice in found.notices:
            sys.stderr.write(f"warning: {notice}\n")
        yield found, mask


def since_option(default: str | None = None) -> Callable[[F], F]:
    return click.option(
        "--since",
        "since_",
        metavar="TIME",
        default=default,
        show_default=bool(default),
        help="A duration (7d) or a date.",
    )


def since(text: str, now: datetime, timezone: str) -> datetime:
    """The instant that `--since` names: so long ago, or a date (with a time) on the host's clock."""
    from datetime import UTC, datetime, timedelta

    from reconciler.cli.render.runs import zone_of
    from reconciler.model.duration import parse_duration

    try:
        if text[:4].isdigit() and "-" in text:
            found = datetime.fromisoformat(text)
            return found if found.tzinfo else found.replace(tzinfo=zone_of(timezone) or UTC)
        return now - timedelta(seconds=parse_duration(text))
    except (ValueError, OverflowError) as error:
        raise click.UsageError(f"--since: {error}") from error


def print_json(value: Json) -> None:
    from reconciler.cli.render.json import json_text

    sys.stdout.write(json_text(value))


def write_output(path: Path, text: str, *, mode: int = 0o644) -> None:
    """Write a file that the user asked for, whole or not at all; a symlink stays one."""
    from reconciler.host.local import LocalHost

    target = path.resolve() if path.is_symlink() else path
    LocalHost().write(target, text.encode("utf-8", "backslashreplace"), mode=mode)
