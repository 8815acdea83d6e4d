"""From a resource's spec to the state of its definition; refuses, by field, what the supervisor cannot do. Pure."""

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

_CONTAINER = {
    "image": "an image",
    "entrypoint": "an entrypoint",
    "volumes": "volumes",
    "networks": "networks of its own",
    "hostname": "a host name of its own",
}
_FORBIDDEN = pattern("[\0\ud800-\udfff]")  # what neither a program's words nor UTF-8 can hold
_NAMED = pattern(r"[A-Za-z_][A-Za-z0-9_]*")


def canonical(resource: Resource) -> State:
    """The state that this resource asks for. Raises UnsupportedSpec, naming the field."""
    spec = resource.spec
    wanted: dict[str, Json] = {}
    limits = Limits()
    if spec.get("command") is not None or not spec.get("image"):  # an image's own command goes with the image
        with limits:
            wanted["command"] = _command(spec.get("command"))
    _refuse_others(spec, limits)
    directory = spec.get("workingDirectory")
    if directory not in (None, "~", "~/"):
        with limits:
            wanted["directory"] = _directory(cast(str, directory))
    if spec.get("environment"):
        with limits:
            wanted["environment"] = _environment(cast("Mapping[str, str]", spec["environment"]))
    with limits:
        wanted |= _service(resource) if resource.id.kind == "Service" else _automation(spec)
    limits.end()
    return State(wanted)


def _refuse_others(spec: Mapping[str, Json], limits: Limits) -> None:
    if spec.get("user") is not None:
        cause = "the embedded supervisor runs everything as the user that it runs as"
        limits.add(cause, field="user", hint="use systemd, or apply as that user")
    if spec.get("scope") == "system":
        cause = "the embedded supervisor is nobody's but its own user's"
        limits.add(cause, field="scope", hint="use systemd or launchd, or leave scope out")
    if spec.get("requires"):
        cause = "the embedded supervisor has no keychain and no screen to offer"
        limits.add(cause, field="requires", hint="use scheduler: launchd")
    for field, what in _CONTAINER.items():
        if spec.get(field):
            limits.add(f"only a container has {what}", field=field, hint="use supervisor: container")
    if spec.get("pull", "missing") != "missing":
        limits.add("only a container has an image", field="pull", hint="use supervisor: container")


def _automation(spec: Mapping[str, Json]) -> dict[str, Json]:
    schedule, zone = spec["schedule"], spec.get("timezone")
    limits = Limits()
    if spec.get("runner") == "off":
        cause = "the embedded supervisor starts automations through the runner, which keeps a slot from running twice"
        limits.add(cause, field="runner", hint="leave runner out")
    if schedule == {"at": "login"}:
        cause = "the embedded supervisor knows of no logins"
        limits.add(cause, field="schedule", hint="use {at: boot}, or scheduler: launchd or systemd")
    timeless = isinstance(schedule, Mapping) and ("at" in schedule or "every" in schedule)
    if zone is not None and timeless:
        limits.add("this schedule knows no time of day", field="timezone", hint="leave timezone out")
    if not timeless:
        try:
            cron_text(schedule)
        except ScheduleError as error:
            limits.add(str(error), field="schedule", hint=error.hint)
    found: dict[str, Json] = {"schedule": schedule}
    if zone is not None:
        found["timezone"] = zone
    if spec.get("missed") not in (None, "skip"):
        if schedule == {"at": "boot"}:
            cause = "a boot is not missed: it runs once after each"
            limits.add(cause, field="missed", hint="leave missed out")
        found["missed"] = spec["missed"]
    limits.end()
    return found


def _service(resource: Resource) -> dict[str, Json]:
    spec = resource.spec
    limits = Limits()
    for port in cast("Sequence[Mapping[str, Json]]", spec.get("ports") or ()):
        if port.get("target", port["host"]) != port["host"]:
            limits.add(
                f"a program listens on its own port: {port['host']} cannot lead to {port['target']}",
                field="ports",
                hint="use supervisor: container",
            )
    limits.end()
    restart = cast("Mapping[str, Json]", spec.get("restart") or {})
    stop = cast("Mapping[str, Json]", spec.get("stop") or {})
    again: dict[str, Json] = {"policy": restart.get("policy", "always")}
    if budget := restart.get("budget"):
        again |= cast("dict[str, Json]", budget)
    found: dict[str, Json] = {
        "restart": again,
        "stop": {"signal": stop.get("signal", "SIGTERM"), "grace": stop.get("grace", 10)},
    }
    if resource.verify.probes:
        found["ready"] = [{"type": probe.type, "options": dict(probe.options)} for probe in resource.verify.probes]
    after = sorted(needed.name for needed in resource.depends_on if needed.kind == "Service")
    if after:
        found["after"] = list(after)
    return found


def _command(command: Json) -> Json:
    if command is None:
        raise UnsupportedSpec("there is no command to run", field="command", hint="use supervisor: container")
    if isinstance(command, str):
        if not command.strip():
            raise UnsupportedSpec("the command is empty", field="command")
        return _plain("command", command)
    argv = list(cast("Sequence[str]", command))
    if not argv or not argv[0].strip():
        raise UnsupportedSpec("the command names no program", field="command")
    return [_plain("command", word) for word in argv]


def _directory(directory: str) -> str:
    if not directory.startswith(("/", "~")):
        raise UnsupportedSpec(f"{directory!r} is not an absolute path", field="workingDirectory")
    return _plain("workingDirectory", directory)


def _environment(environment: Mapping[str, str]) -> dict[str, Json]:
    limits = Limits()
    for name, value in environment.items():
        if not _NAMED.fullmatch(name):
            limits.add(f"{name!r} is not the name of a variable", field=f"environment.{name}")
        with limits:
            _plain(f"environment.{name}", value)
    limits.end()
    return dict(environment)


def _plain(field: str, text: str) -> str:
    if _FORBIDDEN.search(text):
        raise UnsupportedSpec("a character in it cannot be given to a program", field=field)
    return text
