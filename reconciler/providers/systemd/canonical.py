"""From a resource's spec to the state that its units have: what systemd cannot express is refused by field. Pure."""

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
from reconciler.providers.systemd.syntax import PREFIXES
from reconciler.providers.systemd.units import SHELL

LINE_LIMIT = 2**20  # bytes in one line of a unit file
_VARIABLE = pattern(r"[A-Za-z_][A-Za-z0-9_]*")
# Neither systemd nor D-Bus carries these: NUL, halves of characters, and code points that are no characters.
_FORBIDDEN = pattern("[\0\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]|[\U0001fffe\U0001ffff\U0010fffe\U0010ffff]")
_CONTROL = pattern("[\x00-\x1f\x7f]")
_UNSAFE_PROGRAM = pattern("[\x00-\x20\x7f'\"\\\\]")
_DOTS = pattern(r"(?:^|/)\.\.?(?:/|$)")
_CONTAINER = {
    "image": "an image",
    "entrypoint": "an entrypoint",
    "volumes": "volumes",
    "networks": "networks of its own",
    "hostname": "a host name of its own",
}


def canonical(resource: Resource) -> State:
    """The state of the units that this resource asks for. Raises UnsupportedSpec, naming the field."""
    spec = resource.spec
    wanted: dict[str, Json] = {}
    limits = Limits()
    with limits:
        wanted["scope"] = _scope(spec)
    if spec.get("command") is not None or not spec.get("image"):  # an image's own command goes with the image
        with limits:
            wanted["command"] = _command(spec.get("command"))
    directory = spec.get("workingDirectory")
    if directory not in (None, "~", "~/"):
        with limits:
            wanted["directory"] = _directory(cast(str, directory), spec)
    if spec.get("environment"):
        with limits:
            wanted["environment"] = _environment(cast("Mapping[str, str]", spec["environment"]))
    if spec.get("user") is not None:
        wanted["user"] = spec["user"]
    more = _service if resource.id.kind == "Service" else _automation
    with limits:
        wanted |= more(spec)
    _refuse_long(wanted, limits)
    limits.end()
    return State(wanted)


def _scope(spec: Mapping[str, Json]) -> str:
    """ "" is the default of whoever runs this: root the system's manager, anybody else one's own."""
    scope, user = cast("str | None", spec.get("scope")), spec.get("user")
    if user is not None and scope == "user":
        raise UnsupportedSpec(
            "the manager of a user runs everything as that user", field="user", hint="use scope: system"
        )
    return scope or ("system" if user is not None else "")


def _automation(spec: Mapping[str, Json]) -> dict[str, Json]:
    schedule, missed, zone = spec["schedule"], spec.get("missed"), spec.get("timezone")
    limits = Limits()
    if spec.get("requires"):
        cause = "systemd has no keychain and no screen to offer"
        limits.add(cause, field="requires", hint="use scheduler: launchd")
    if schedule == {"at": "login"} and (spec.get("scope") == "system" or spec.get("user") is not None):
        cause = "nobody logs in to the manager of the machine"
        limits.add(cause, field="schedule", hint="use scope: user, or {at: boot}")
    found: dict[str, Json] = {"schedule": schedule}
    if missed == "all":
        cause = "systemd makes up for missed runs with one"
        limits.add(cause, field="missed", hint="use scheduler: embedded, or latest")
    if missed == "latest":
        if not _in_calendar(schedule):
            cause = "systemd catches up on runs at a time of day only, not on those counted from the last run or boot"
            hint = (
                "write five cron fields, or an interval that divides the hour or the day; or use scheduler: embedded"
            )
            limits.add(cause, field="missed", hint=hint)
        found["missed"] = missed
    if zone is not None:
        if not _in_calendar(schedule):
            limits.add("this schedule knows no time of day", field="timezone", hint="leave timezone out")
        found["timezone"] = zone
    limits.end()
    return found


def _in_calendar(schedule: Json) -> bool:
    if isinstance(schedule, Mapping) and "at" in schedule:
        return False
    try:
        cron_text(schedule)
    except ScheduleError:
        return False
    return True


def _service(spec: Mapping[str, Json]) -> dict[str, Json]:
    limits = Limits()
    for field, what in _CONTAINER.items():
        if spec.get(field):
            limits.add(f"only a container has {what}", field=field, hint="use supervisor: container")
    if spec.get("pull", "missing") != "missing":
        limits.add("only a container has an image", field="pull", hint="use supervisor: container")
    for port in cast("Sequence[Mapping[str, Json]]", spec.get("ports") or ()):
        if port.get("target", port["host"]) != port["host"]:
            limits.add(
                f"a program listens on its own port: {port['host']} cannot lead to {port['target']}",
                field="ports",
                hint="use supervisor: container",
            )
    restart = cast("Mapping[str, Json]", spec.get("restart") or {})
    stop = cast("Mapping[str, Json]", spec.get("stop") or {})
    grace = cast(float, stop.get("grace", 10))
    if grace <= 0:
        limits.add("systemd takes no grace for endless", field="stop.grace", hint="write for example 1s")
    limits.end()
    # Durations to the millisecond; systemd rounds finer ones anyway.
    number = int(grace) if grace == int(grace) else round(grace, 3)
    found: dict[str, Json] = {
        "restart": restart.get("policy", "always"),
        "stop": {"signal": stop.get("signal", "SIGTERM"), "grace": number},
    }
    budget = cast("Mapping[str, float]", restart.get("budget") or {})
    if budget:
        within = budget["within"]
        found["budget"] = {"limit": budget["limit"], "within": int(within) if within == int(within) else within}
    return found


def _command(command: Json) -> Json:
    if command is None:
        raise UnsupportedSpec("there is no command to run", field="command", hint="use supervisor: container")
    argv = [*SHELL, command] if isinstance(command, str) else list(cast("Sequence[str]", command))
    if not argv or not argv[-1 if isinstance(command, str) else 0].strip():
        raise UnsupportedSpec("the command names no program", field="command")
    _refuse_forbidden("command", *argv)
    program = argv[0]
    if program[0] in PREFIXES or _UNSAFE_PROGRAM.search(program) or program.endswith("/"):
        raise UnsupportedSpec(
            f"systemd does not take {program!r} for the path of a program", field="command", hint="use a shell line"
        )
    if "/" in program and (not program.startswith("/") or _DOTS.search(program)):
        raise UnsupportedSpec(
            f"systemd wants an absolute path or a bare name, not {program!r}",
            field="command",
            hint="write the whole path, or a line of text for the shell",
        )
    script = len(argv) == 3 and tuple(argv[:2]) == SHELL and argv[2].strip()
    return argv[2] if script else argv


def _directory(directory: str, spec: Mapping[str, Json]) -> str:
    _refuse_forbidden("workingDirectory", directory)
    if not directory.startswith(("/", "~/")):
        raise UnsupportedSpec(f"{directory!r} is not an absolute path", field="workingDirectory")
    if directory.startswith("~/") and spec.get("user") is not None:
        raise UnsupportedSpec(
            "systemd does not know the home folder of another user in a path",
            field="workingDirectory",
            hint="write the whole path",
        )
    odd = _CONTROL.search(directory) or directory != directory.strip() or directory.endswith("\\")
    if odd or _DOTS.search(directory):
        raise UnsupportedSpec(f"systemd would not take {directory!r} for that folder", field="workingDirectory")
    return directory


def _environment(environment: Mapping[str, str]) -> Mapping[str, str]:
    limits = Limits()
    for name, value in environment.items():
        if not _VARIABLE.fullmatch(name):
            limits.add(f"{name!r} is not the name of a variable", field=f"environment.{name}")
        with limits:
            _refuse_forbidden(f"environment.{name}", value)
    limits.end()
    return dict(environment)


def _refuse_forbidden(field: str, *texts: str) -> None:
    if any(_FORBIDDEN.search(text) for text in texts):
        raise UnsupportedSpec("a character in it cannot stand in a unit file", field=field)


def _refuse_long(wanted: Mapping[str, Json], limits: Limits) -> None:
    for name, field in (("command", "command"), ("directory", "workingDirectory"), ("environment", "environment")):
        if len(str(wanted.get(name, ""))) * 4 > LINE_LIMIT:
            limits.add("it is too long for a line of a unit file", field=field, hint="put it into a script or a file")
