"""`reconcile run`: an automation now, by the very command that its scheduler calls."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from reconciler.cli.session import DEFAULT_PATH, application, open_records
from reconciler.model.data import Json
from reconciler.model.errors import ReconcileError

if TYPE_CHECKING:
    from reconciler.app import App
    from reconciler.model.state import State

KIND = "Automation"


@click.command
@click.argument("name")
@click.option(
    "--param", "params", multiple=True, metavar="K=V", help="Give `--K V` to the command as well. Repeatable."
)
@click.option("-q", "--quiet", is_flag=True, help="Print none of its output; logs and the record have it.")
def command(name: str, params: tuple[str, ...], quiet: bool) -> int:
    """Run the automation NAME now, as it is applied on this host: same command, limits, lock and record.

    Ctrl-C asks it to stop. Its output comes to the terminal.

    Parameters go to the command as further arguments: `--param task=build` adds `--task build`. A command that
    is a line of text must say where they belong, with "$@"; else they are refused rather than lost.

    \b
    Examples:
      reconcile run backup
      reconcile run backup --param task=build

    \b
    Exit code: 0 where the verdict is succeeded or skipped, and only there. Else that of the command;
    124 after a timeout, 128+n after signal n, 125 where it was not run, 126 or 127 where it could not
    be started, and 1 where the command ended with 0 and broke a rule of `success` or `runtime`, or
    where there is no such automation.
    """
    from reconciler.host.process import in_foreground
    from reconciler.model.job import called

    app = application(Path(DEFAULT_PATH))
    state = _applied(app, name)
    words = [str(word) for word in cast("Sequence[Json]", state.attributes["command"])]
    if called(words) is None:
        raise ReconcileError(
            f"cannot run {name}: it does not go through the runner", hint="remove `runner: off` and apply"
        )
    cut = words.index("--")
    told, telling = os.pipe()
    os.set_blocking(
        told, False
    )  # where the command ran without the runner, what it left behind may hold the other end
    options = ["--trigger", "manual", "--tell", str(telling)]
    argv = [*words[:cut], *options, "--", *_with(name, words[cut + 1 :], _parsed(params))]
    user = str(state.attributes.get("user") or "")
    theirs = user if user and user != app.host.facts().user else ""
    environment = _environment(state, theirs)
    code = in_foreground(argv, environment=environment, user=theirs, quiet=quiet, descriptors=[telling])
    os.close(telling)
    if not theirs:
        _tell(app, name, _read(told))
    return code


def _read(told: int) -> str:
    """The id of the run; empty where there is no record of it."""
    try:
        return os.read(told, 100).decode("ascii", "replace")
    except BlockingIOError:
        return ""
    finally:
        os.close(told)


def _applied(app: App, name: str) -> State:
    """The state of the automation as it was last applied. Raises where there is none, with what would help."""
    from reconciler.records import unknown

    with app.journal() as journal:
        states = {entry.id.name: entry.state for entry in journal.inventory() if entry.id.kind == KIND}
    state = states.get(name)
    if state is None:
        if _is_wanted(app, name):
            raise ReconcileError(
                f"cannot run {name}: its manifest is not applied yet", hint=f"`reconcile apply {app.path}` does that"
            )
        raise unknown(name, set(states))
    if not isinstance(state.attributes.get("command"), list | tuple):
        raise ReconcileError(
            f"cannot run {name}: it does not go through the runner", hint="remove `runner: off` and apply"
        )
    return state


def _is_wanted(app: App, name: str) -> bool:
    from reconciler.model.errors import LoadError

    try:
        return app.path.exists() and any((r.id.kind, r.id.name) == (KIND, name) for r in app.load().resources)
    except LoadError:  # what is wrong there is the business of `validate`
        return False


def _parsed(params: Sequence[str]) -> list[str]:
    """`--K V` for each K=V."""
    found: list[str] = []
    for param in params:
        key, equals, value = param.partition("=")
        plain = key.replace("-", "").replace("_", "").replace(".", "")
        if not equals or not plain.isalnum() or key.startswith("-"):
            raise click.UsageError(f"--param: {param!r} is not K=V")
        found += [f"--{key}", value]
    return found


def _with(name: str, words: Sequence[str], more: Sequence[str]) -> list[str]:
    """The command with further arguments, in the place where it takes them."""
    from reconciler.model.job import SHELL

    if not more or tuple(words[:2]) != SHELL or len(words) != 3:
        return [*words, *more]
    if "$@" not in words[2] and "${@" not in words[2]:
        raise ReconcileError(
            f"cannot give parameters to {name}: its command is a line of text that does not say where they belong",
            hint='write "$@" there, or write the command as a list',
        )
    return [*words, name, *more]


def _environment(state: State, user: str) -> Mapping[str, str]:
    """Ours, with what the automation sets; for another user, that user's own instead."""
    own = cast("Mapping[str, str]", state.attributes.get("environment") or {})
    if not user:
        return {**os.environ, **own}
    import pwd

    from reconciler.host.system import user_id

    entry = pwd.getpwuid(user_id(user))
    who = {"HOME": entry.pw_dir, "LOGNAME": user, "USER": user, "SHELL": "/bin/sh"}
    return {"PATH": os.environ.get("PATH", os.defpath), **who, **own}


def _tell(app: App, name: str, id_: str) -> None:
    """What became of it, where the exit code does not say everything."""
    from reconciler.cli.render.records import clean, seconds

    with open_records(app) as (found, mask):
        run = found.runs.one(name, id_)
    if run is None or (not sys.stderr.isatty() and run.good):
        return
    after = f" after {seconds(run.duration)}" if run.duration else ""
    why = f": {clean(run.reason, mask)}" if run.reason else ""
    sys.stderr.write(f"{run.name} {run.verdict.value}{after}{why}\n")
