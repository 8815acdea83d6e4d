"""From a resource's spec to the state that our plist has; refuses, by field, what launchd cannot express. Pure."""

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
from reconciler.providers.launchd.calendar import TooMany
from reconciler.providers.launchd.definition import MARKS, argv_of, command_of, timing

SHORTEST = 10  # seconds: launchd starts nothing more often unless a plist lowers its throttle
# A carriage return is read back as a newline, and XML has no way to write the others.
_FORBIDDEN = pattern("[\x00-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff]")
_CONTAINER_ONLY = {
    "image": "launchd runs no container images",
    "entrypoint": "launchd knows no entrypoints",
    "volumes": "launchd mounts no volumes",
    "networks": "launchd has no networks of its own",
    "hostname": "launchd gives no host names",
}


def canonical(resource: Resource) -> State:
    """The state that this resource asks for. Raises UnsupportedSpec, naming the field."""
    spec = resource.spec
    service = resource.id.kind == "Service"
    wanted: dict[str, Json] = {}
    limits = Limits()
    if spec.get("command") is not None or not spec.get("image"):  # an image's own command goes with the image
        with limits:
            wanted["command"] = _command(spec)
    with limits:
        wanted |= _service(spec) if service else _automation(spec)
    if environment := cast("Mapping[str, str]", spec.get("environment") or {}):
        with limits:
            wanted["environment"] = _environment(environment)
    with limits:
        wanted |= _place(spec, "" if service else "~")
    limits.end()
    return State(wanted)


def _automation(spec: Mapping[str, Json]) -> dict[str, Json]:
    schedule, missed, limits = spec["schedule"], spec.get("missed"), Limits()
    if spec.get("timezone") is not None:
        limits.add("launchd has no time zones", field="timezone", hint="use scheduler: systemd or embedded")
    if missed == "skip":
        cause = "launchd always makes up for missed runs with one on wake"
        limits.add(cause, field="missed", hint="use scheduler: crontab")
    if missed == "all":
        cause = "launchd makes up for missed runs with one"
        limits.add(cause, field="missed", hint="use scheduler: embedded, or latest")
    with limits:
        if _interval(schedule) and missed == "latest":
            cause = "launchd forgets the runs of such an interval that the machine slept through"
            hint = "use cron fields, or an interval that divides the hour or the day; or use scheduler: embedded"
            limits.add(cause, field="missed", hint=hint)
    try:
        timing(schedule)
    except TooMany as error:
        hint = "write {every: ...}, or use scheduler: crontab or systemd"
        limits.add(f"launchd cannot hold this schedule: {error}", field="schedule", hint=hint)
    daemon = spec.get("scope") == "system" or spec.get("user")
    if schedule == {"at": "login"} and daemon:
        limits.add("a daemon starts at boot, before any login", field="schedule", hint="use scope: user")
    wanted: dict[str, Json] = {"schedule": schedule}
    if spec.get("requires"):
        if daemon:
            cause = "a daemon has neither keychain nor screen"
            limits.add(cause, field="requires", hint="use scope: user, without user")
        wanted["session"] = "gui"
    limits.end()
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
    limits = Limits()
    for field, why in _CONTAINER_ONLY.items():
        if spec.get(field):
            limits.add(why, field=field, hint="use supervisor: container")
    if spec.get("pull", "missing") != "missing":
        limits.add("launchd pulls no images", field="pull", hint="use supervisor: container")
    for port in cast("Sequence[Mapping[str, Json]]", spec.get("ports") or ()):
        if port["host"] != port["target"]:
            limits.add(
                f"launchd forwards no ports: the program itself listens on {port['host']}",
                field="ports",
                hint="write the port that the program listens on; or use supervisor: container",
            )
    stop = cast("Mapping[str, Json]", spec.get("stop") or {"signal": "SIGTERM", "grace": 10})
    if stop["signal"] != "SIGTERM":
        limits.add(
            "launchd ends programs with SIGTERM only",
            field="stop.signal",
            hint="use supervisor: systemd, container or embedded",
        )
    grace = stop["grace"]
    if not isinstance(grace, int | float) or grace != int(grace) or grace < 1:
        limits.add(
            "launchd grants whole seconds, and takes 0 for no limit",
            field="stop.grace",
            hint="write at least 1s; or use supervisor: systemd",
        )
    restart = cast("Mapping[str, Json]", spec.get("restart") or {"policy": "always"})
    if restart.get("budget"):
        cause = "launchd never gives a program up"
        limits.add(cause, field="restart.budget", hint="use supervisor: embedded or systemd")
    limits.end()
    return {"restart": restart["policy"], "grace": int(cast(float, grace))}


def _place(spec: Mapping[str, Json], home: str) -> dict[str, Json]:
    """Folder, user and scope."""
    directory, user, scope = spec.get("workingDirectory"), spec.get("user"), spec.get("scope")
    wanted: dict[str, Json] = {}
    limits = Limits()
    if user:
        if scope == "user":
            limits.add("an agent runs as whoever is logged in", field="user", hint="use scope: system")
        if (directory is None and home) or str(directory).startswith("~"):
            cause = f"the home folder of {user} is not known beforehand"
            limits.add(cause, field="workingDirectory", hint="write an absolute path")
        with limits:
            wanted["user"], scope = _plain(cast(str, user), "user"), "system"
    if scope:
        wanted["scope"] = scope
    found = cast(str, directory if directory is not None else home)
    if found:
        with limits:
            wanted["directory"] = _plain(found, "workingDirectory")
    limits.end()
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
    limits = Limits()
    for name, value in environment.items():
        field = f"environment.{name}"
        if name in MARKS:
            limits.add(f"{name} is how reconciler marks what is its own", field=field, hint="give it another name")
        if not name or "=" in name:
            limits.add(f"{name!r} is not the name of a variable", field="environment")
        with limits:
            _plain(name, "environment")
        with limits:
            _plain(value, field)
    limits.end()
    return dict(environment)


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
