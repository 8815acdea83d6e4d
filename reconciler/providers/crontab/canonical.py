"""From a resource's spec to the state that our line has: the spec is rendered, and the line is what counts. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from reconciler.model.data import Json
from reconciler.model.errors import UnsupportedSpec
from reconciler.model.lazy import pattern
from reconciler.model.resource import Resource
from reconciler.model.schedule import ScheduleError, cron_text
from reconciler.model.state import State
from reconciler.providers.crontab.line import COMMAND_LIMIT, parse, render
from reconciler.providers.crontab.users import mark_in

_VARIABLE = pattern(r"[A-Za-z_][A-Za-z0-9_]*")
# Cron ends a command at a newline or NUL; `crontab -l` cannot show a carriage return or a backspace truthfully.
_FORBIDDEN = pattern("[\n\r\0\b\ud800-\udfff]")
_NAMES = {
    "\n": "a newline",
    "\r": "a carriage return",
    "\0": "a NUL character",
    "\b": "a backspace character",
}


def canonical(resource: Resource) -> State:
    """The state of the line that this resource asks for. Raises UnsupportedSpec, naming the field."""
    spec = resource.spec
    _refuse_foreign_wishes(spec)
    wanted: dict[str, Json] = {"schedule": _schedule(spec["schedule"]), "command": _command(spec["command"])}
    directory = spec.get("workingDirectory")
    if directory is not None:
        wanted["directory"] = _directory(cast(str, directory))
    environment = spec.get("environment")
    if environment:
        wanted["environment"] = _environment(cast("Mapping[str, str]", environment))
    user = cast(str, spec.get("user") or "")
    line = render(resource.id, wanted, mark_in(user))
    if _FORBIDDEN.search(line):
        _blame(wanted)
    _refuse_long(line, cast(str, wanted["schedule"]))
    if not isinstance(wanted["command"], str):  # an argument list reads back as it was; a script may not
        return State({"user": user, **wanted})
    parsed = parse(line, mark_in(user))
    if parsed is None:
        raise UnsupportedSpec(f"cannot write {resource.id} as a crontab line", field="command")
    return State({"user": user, **parsed[1]})


def _refuse_foreign_wishes(spec: Mapping[str, Json]) -> None:
    """What cron has no word for, and which scheduler has."""
    if spec.get("requires"):
        raise UnsupportedSpec(
            "cron runs outside of any session, without a keychain or a screen",
            field="requires",
            hint="use scheduler: launchd",
        )
    if spec.get("timezone") is not None:
        raise UnsupportedSpec("cron has no time zones", field="timezone", hint="use scheduler: systemd")
    if spec.get("missed") in ("latest", "all"):
        raise UnsupportedSpec(
            "cron forgets the runs that it missed", field="missed", hint="use scheduler: systemd or launchd"
        )


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
    for name in environment:
        if not _VARIABLE.fullmatch(name):
            raise UnsupportedSpec(f"{name!r} is not a name that a shell can export", field="environment")
    return environment


def _blame(wanted: Mapping[str, Json]) -> None:
    """Name the field that holds what no line can carry."""
    fields = {"command": "command", "directory": "workingDirectory", "environment": "environment"}
    for name, field in fields.items():
        match = _FORBIDDEN.search(_text(wanted.get(name)))
        if match is not None:
            what = _NAMES.get(match[0], "a lone surrogate")
            hint = "put the lines into a script and run that" if match[0] == "\n" else None
            raise UnsupportedSpec(f"{what} cannot stand in a crontab", field=field, hint=hint)


def _text(value: Json) -> str:
    if isinstance(value, Mapping):
        return "".join(map(str, value.values()))
    return value if isinstance(value, str) else "".join(map(str, cast("Sequence[str]", value or ())))


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
