"""From a resource's spec to the state that our line has: the spec is rendered, and the line is what counts. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from reconciler.model.data import Json
from reconciler.model.errors import UnsupportedSpec
from reconciler.model.lazy import pattern
from reconciler.model.limits import Limits
from reconciler.model.resource import Resource
from reconciler.model.schedule import ScheduleError, cron_text
from reconciler.model.state import State
from reconciler.providers.crontab.line import COMMAND_LIMIT, parse, render
from reconciler.providers.crontab.users import mark_in

_VARIABLE = pattern(r"[A-Za-z_][A-Za-z0-9_]*")
# Cron ends a command at a newline or NUL; `crontab -l` cannot show a carriage return or a backspace truthfully.
_FORBIDDEN = pattern("[\n\r\0\b\ud800-\udfff]")
_INSTEAD = {
    "\n": "put the lines into a file that the command reads; or use scheduler: systemd or embedded",
    "\r": "use scheduler: systemd or embedded",
}
_NAMES = {
    "\n": "a newline",
    "\r": "a carriage return",
    "\0": "a NUL character",
    "\b": "a backspace character",
}


def canonical(resource: Resource) -> State:
    """The state of the line that this resource asks for. Raises UnsupportedSpec, naming the field."""
    spec = resource.spec
    wanted = _wanted(spec)
    user = cast(str, spec.get("user") or "")
    line = render(resource.id, wanted, mark_in(user))
    _refuse_long(line, cast(str, wanted["schedule"]))
    if not isinstance(wanted["command"], str):  # an argument list reads back as it was; a script may not
        return State({"user": user, **wanted})
    parsed = parse(line, mark_in(user))
    if parsed is None:
        raise UnsupportedSpec(f"cannot write {resource.id} as a crontab line", field="command")
    return State({"user": user, **parsed[1]})


def _wanted(spec: Mapping[str, Json]) -> dict[str, Json]:
    """What the line is rendered from. Raises UnsupportedSpec with everything that no line can say."""
    wanted: dict[str, Json] = {}
    limits = Limits()
    _refuse_foreign_wishes(spec, limits)
    with limits:
        wanted["schedule"] = _schedule(spec["schedule"])
    with limits:
        wanted["command"] = _plain("command", _command(spec["command"]))
    directory = spec.get("workingDirectory")
    if directory is not None:
        with limits:
            wanted["directory"] = _plain("workingDirectory", _directory(cast(str, directory)))
    environment = spec.get("environment")
    if environment:
        with limits:
            wanted["environment"] = _environment(cast("Mapping[str, str]", environment))
    limits.end()
    return wanted


def _refuse_foreign_wishes(spec: Mapping[str, Json], limits: Limits) -> None:
    """What cron has no word for, and which scheduler has."""
    if spec.get("requires"):
        cause = "cron runs outside of any session, without a keychain or a screen"
        limits.add(cause, field="requires", hint="use scheduler: launchd")
    if spec.get("timezone") is not None:
        limits.add("cron has no time zones", field="timezone", hint="use scheduler: systemd or embedded")
    if spec.get("missed") in ("latest", "all"):
        able = "systemd, launchd or embedded" if spec["missed"] == "latest" else "embedded"
        limits.add("cron forgets the runs that it missed", field="missed", hint=f"use scheduler: {able}")


def _schedule(schedule: Json) -> str:
    try:
        return cron_text(schedule)
    except ScheduleError as error:
        raise UnsupportedSpec(str(error), field="schedule", hint=error.hint) from error


def _command(command: Json) -> Json:
    if isinstance(command, str):
        if not command.strip():
            raise UnsupportedSpec("the command is empty", field="command")
        return command
    argv = cast("Sequence[str]", command)
    if not argv or not argv[0]:
        raise UnsupportedSpec("the command names no program", field="command")
    if argv[0].startswith("-"):
        raise UnsupportedSpec(
            f"the program name {argv[0]!r} starts with a dash", field="command", hint="write ./-name"
        )
    return argv


def _directory(directory: str) -> str:
    if not directory or directory.startswith("-"):
        raise UnsupportedSpec(f"{directory!r} is not a folder that `cd` would go to", field="workingDirectory")
    return directory


def _environment(environment: Mapping[str, str]) -> Mapping[str, str]:
    limits = Limits()
    for name, value in environment.items():
        if not _VARIABLE.fullmatch(name):
            limits.add(f"{name!r} is not a name that a shell can export", field=f"environment.{name}")
        with limits:
            _plain(f"environment.{name}", value)
    limits.end()
    return environment


def _plain(field: str, value: Json) -> Json:
    """The value, where it holds nothing that no line can carry."""
    match = _FORBIDDEN.search(value if isinstance(value, str) else "".join(cast("Sequence[str]", value)))
    if match is not None:
        what = _NAMES.get(match[0], "a lone surrogate")
        raise UnsupportedSpec(f"{what} cannot stand in a crontab", field=field, hint=_INSTEAD.get(match[0]))
    return value


def _refuse_long(line: str, schedule: str) -> None:
    if 4 * len(line) <= COMMAND_LIMIT:
        return
    length = len(line.encode("utf-8")) - len(schedule) - 1
    if length > COMMAND_LIMIT:
        raise UnsupportedSpec(
            f"its crontab line would hold {length} bytes after the schedule; cron refuses more than {COMMAND_LIMIT}",
            field="command",
            hint="put the command into a script and run that",
        )
