"""From a resource's spec to the state that our plist has; refuses, by field, what launchd cannot express. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from reconciler.model.data import Json
from reconciler.model.errors import UnsupportedSpec
from reconciler.model.lazy import pattern
from reconciler.model.resource import Resource
from reconciler.model.schedule import ScheduleError, cron_text
from reconciler.model.state import State
from reconciler.providers.launchd.calendar import TooMany
from reconciler.providers.launchd.definition import MARKS, argv_of, command_of, timing

SHORTEST = 10  # seconds: launchd starts nothing more often unless a plist lowers its throttle
# A carriage return is read back as a newline, and XML has no way to write the others.
_FORBIDDEN = pattern("[\x00-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff]")
_CONTAINER_ONLY = {
    "image": "launchd runs no container images",
    "volumes": "launchd mounts no volumes",
    "networks": "launchd has no networks of its own",
    "hostname": "launchd gives no host names",
}


def canonical(resource: Resource) -> State:
    """The state that this resource asks for. Raises UnsupportedSpec, naming the field."""
    spec = resource.spec
    service = resource.id.kind == "Service"
    wanted: dict[str, Json] = {"command": _command(spec)}
    wanted |= _service(spec) if service else _automation(spec)
    if environment := cast("Mapping[str, str]", spec.get("environment") or {}):
        wanted["environment"] = _environment(environment)
    wanted |= _place(spec, "" if service else "~")
    return State(wanted)


def _automation(spec: Mapping[str, Json]) -> dict[str, Json]:
    schedule = spec["schedule"]
    if spec.get("timezone") is not None:
        raise UnsupportedSpec("launchd has no time zones", field="timezone", hint="use scheduler: systemd")
    if spec.get("missed") == "skip":
        raise UnsupportedSpec(
            "launchd always makes up for missed runs with one on wake", field="missed", hint="use scheduler: crontab"
        )
    if spec.get("missed") == "all":
        raise UnsupportedSpec(
            "launchd makes up for missed runs with one", field="missed", hint="use scheduler: embedded, or latest"
        )
    interval = _interval(schedule)
    if interval and spec.get("missed") == "latest":
        raise UnsupportedSpec(
            "launchd forgets the runs of such an interval that the machine slept through",
            field="missed",
            hint="use cron fields, or an interval that divides the hour or the day; or use scheduler: systemd",
        )
    try:
        timing(schedule)
    except TooMany as error:
        hint = "write {every: ...}, or use scheduler: crontab or systemd"
        raise UnsupportedSpec(f"launchd cannot hold this schedule: {error}", field="schedule", hint=hint) from error
    if schedule == {"at": "login"} and (spec.get("scope") == "system" or spec.get("user")):
        raise UnsupportedSpec("a daemon starts at boot, before any login", field="schedule", hint="use scope: user")
    wanted: dict[str, Json] = {"schedule": schedule}
    if spec.get("requires"):
        if spec.get("scope") == "system" or spec.get("user"):
            raise UnsupportedSpec(
                "a daemon has neither keychain nor screen", field="requires", hint="use scope: user, without user"
            )
        wanted["session"] = "gui"
    return wanted


def _interval(schedule: Json) -> bool:
    """Whether it becomes a StartInterval. Raises for intervals that launchd does not keep."""
    try:
        cron_text(schedule)
    except ScheduleError:
        every = schedule.get("every") if isinstance(schedule, Mapping) else None
        if every is None:
            return False  # at login
        if not isinstance(every, int):
            cause = "launchd counts whole seconds"
            raise UnsupportedSpec(cause, field="schedule", hint="use scheduler: systemd") from None
        if every < SHORTEST:
            cause = f"launchd starts nothing more often than every {SHORTEST}s"
            raise UnsupportedSpec(cause, field="schedule", hint="use scheduler: systemd") from None
        return True
    return False


def _service(spec: Mapping[str, Json]) -> dict[str, Json]:
    for field, why in _CONTAINER_ONLY.items():
        if spec.get(field):
            raise UnsupportedSpec(why, field=field, hint="use supervisor: container")
    for port in cast("Sequence[Mapping[str, Json]]", spec.get("ports") or ()):
        if port["host"] != port["target"]:
            raise UnsupportedSpec(
                f"launchd forwards no ports: the program itself listens on {port['host']}",
                field="ports",
                hint="write the port that the program listens on; or use supervisor: container",
            )
    stop = cast("Mapping[str, Json]", spec.get("stop") or {"signal": "SIGTERM", "grace": 10})
    if stop["signal"] != "SIGTERM":
        raise UnsupportedSpec(
            "launchd ends programs with SIGTERM only",
            field="stop.signal",
            hint="use supervisor: systemd or container",
        )
    grace = stop["grace"]
    if not isinstance(grace, int | float) or grace != int(grace) or grace < 1:
        raise UnsupportedSpec(
            "launchd grants whole seconds, and takes 0 for no limit",
            field="stop.grace",
            hint="write at least 1s; or use supervisor: systemd",
        )
    restart = cast("Mapping[str, Json]", spec.get("restart") or {"policy": "always"})
    if restart.get("budget"):
        raise UnsupportedSpec(
            "launchd never gives a program up", field="restart.budget", hint="use supervisor: embedded or systemd"
        )
    return {"restart": restart["policy"], "grace": int(grace)}


def _place(spec: Mapping[str, Json], home: str) -> dict[str, Json]:
    """Folder, user and scope."""
    directory, user, scope = spec.get("workingDirectory"), spec.get("user"), spec.get("scope")
    wanted: dict[str, Json] = {}
    if user:
        if scope == "user":
            raise UnsupportedSpec("an agent runs as whoever is logged in", field="user", hint="use scope: system")
        if (directory is None and home) or str(directory).startswith("~"):
            raise UnsupportedSpec(
                f"the home folder of {user} is not known beforehand",
                field="workingDirectory",
                hint="write an absolute path",
            )
        wanted["user"], scope = _plain(cast(str, user), "user"), "system"
    if scope:
        wanted["scope"] = scope
    found = cast(str, directory if directory is not None else home)
    if found:
        wanted["directory"] = _plain(found, "workingDirectory")
    return wanted


def _command(spec: Mapping[str, Json]) -> Json:
    command = spec.get("command")
    if command is None:
        raise UnsupportedSpec("launchd needs a command", field="command", hint="use supervisor: container")
    if isinstance(command, str):
        if not command.strip():
            raise UnsupportedSpec("the command is empty", field="command")
        return _plain(command, "command")
    argv = cast("Sequence[str]", command)
    if not argv or not argv[0].strip():
        raise UnsupportedSpec("the command names no program", field="command")
    program = argv[0]
    if not program.startswith("/") and (program[0] in "-~" or "=" in program):
        raise UnsupportedSpec(
            f"{program!r} is not a program that launchd would find", field="command", hint="write an absolute path"
        )
    return command_of(argv_of([_plain(each, "command") for each in argv]))


def _environment(environment: Mapping[str, str]) -> dict[str, Json]:
    for name in environment:
        if name in MARKS:
            raise UnsupportedSpec(f"{name} is how reconciler marks what is its own", field=f"environment.{name}")
        if not name or "=" in name:
            raise UnsupportedSpec(f"{name!r} is not the name of a variable", field="environment")
    return {_plain(name, "environment"): _plain(value, "environment") for name, value in environment.items()}


def _plain(text: str, field: str) -> str:
    match = _FORBIDDEN.search(text)
    if match is not None:
        code = f"U+{ord(match[0]):04X}"
        raise UnsupportedSpec(
            f"the character {code} cannot stand in a property list",
            field=field,
            hint="put it into a script and run that",
        )
    return text
