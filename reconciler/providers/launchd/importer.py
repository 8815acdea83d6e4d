"""Other people's plists as manifests. What cannot be carried over without a change of meaning is returned with why.

Reads only. Keys are compared with their case: launchd ignores `ExitTimeout`, which its author will not know.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from reconciler.host.protocol import Host
from reconciler.model.address import NAME_PATTERN, ResourceId
from reconciler.model.data import Json
from reconciler.model.errors import HostError, ObserveError, UnsupportedSpec
from reconciler.model.resource import Resource, Source
from reconciler.provider import Imported
from reconciler.providers.launchd.canonical import canonical
from reconciler.providers.launchd.definition import EXIT_TIMEOUT, Plist, command_of, schedule_of
from reconciler.providers.launchd.look import File, id_of, is_ours, read
from reconciler.providers.launchd.session import listing, session

_LOGS = ("StandardOutPath", "StandardErrorPath")
_TEXTS = {"Label", "Program", "WorkingDirectory", "UserName", "LimitLoadToSessionType", *_LOGS}
_TIMES = {"RunAtLoad", "KeepAlive", "StartInterval", "StartCalendarInterval", "ExitTimeOut", "Disabled"}
_KEYS = frozenset({*_TEXTS, *_TIMES, "ProgramArguments", "EnvironmentVariables"})


class _Cannot(Exception):
    """This plist cannot be a manifest; the text says why."""


def foreign(host: Host, user: str | None) -> tuple[Imported, ...]:
    """Every plist in one's own folder that is not ours, Apple's and other vendors' included."""
    try:
        here = session(host)
        folder = here.folder(here.scope)
        if user is not None:
            hint = "agents belong to whoever runs this; daemons are imported by root, with the user that they name"
            raise ObserveError(f"cannot import the plists of {user}: launchd is asked as oneself", hint=hint)
        entries = [entry for name, entry in sorted(listing(host, folder).items()) if name.endswith(".plist")]
        files = [file for entry in entries if (file := read(host, folder, here.scope, entry)) is not None]
    except HostError as error:
        raise ObserveError(f"cannot read the plists: {error.message}", hint=error.hint) from error
    taken: set[str] = set()
    return tuple(_imported(file, here.scope, taken) for file in files if not _ours(file))


def _ours(file: File) -> bool:
    id_ = id_of(file.path.name)
    return id_ is not None and is_ours(file, id_)


def _imported(file: File, scope: str, taken: set[str]) -> Imported:
    try:
        kind, spec, notes = _draft(file.plist, scope)
        spec = _loadable(kind, spec)
    except _Cannot as error:
        return Imported(str(file.path), file.label, None, str(error))
    name = _unique(_name(file.label), taken)
    manifest: dict[str, Json] = {
        "apiVersion": "reconciler/v1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": spec,
    }
    return Imported(str(file.path), file.label, manifest, None, notes)


def _draft(found: Plist | None, scope: str) -> tuple[str, dict[str, Json], tuple[str, ...]]:
    if found is None:
        raise _Cannot("it is not a property list")
    _refuse_keys(found)
    spec: dict[str, Json] = {"command": _command(found)}
    service = bool(found.get("KeepAlive"))
    if service:
        spec |= {"restart": {"policy": _policy(found["KeepAlive"])}, "supervisor": "launchd"}
        spec["stop"] = {"grace": f"{_whole(found, 'ExitTimeOut', EXIT_TIMEOUT)}s"}
    else:
        spec |= {"schedule": _schedule(found), "scheduler": "launchd"}
    if "WorkingDirectory" in found:
        spec["workingDirectory"] = _text(found, "WorkingDirectory")
    elif not service:
        spec["workingDirectory"] = "/"  # where launchd starts things; a manifest without it means home
    environment = found.get("EnvironmentVariables")
    if environment is not None:
        if not isinstance(environment, dict) or not all(isinstance(each, str) for each in environment.values()):
            raise _Cannot("its EnvironmentVariables are not all texts")
        spec["environment"] = dict(sorted(environment.items()))
    if "UserName" in found and scope == "system":
        spec["user"] = _text(found, "UserName")
    if found.get("LimitLoadToSessionType") == "Aqua" and not service:
        spec["requires"] = ["gui"]
    return "Service" if service else "Automation", spec, _notes(found)


def _refuse_keys(found: Plist) -> None:
    """Unknown keys: a slip of the pen that launchd ignores, or something that a manifest has no word for."""
    by_lower = {key.lower(): key for key in _KEYS}
    for key in sorted(found.keys() - _KEYS):
        right = by_lower.get(key.lower())
        if right is not None:
            raise _Cannot(f"it says {key}, which launchd ignores: the key is {right}")
        raise _Cannot(f"it uses {key}, which a manifest cannot express")
    if found.get("Disabled"):
        raise _Cannot("it is disabled")
    if found.get("LimitLoadToSessionType", "Aqua") not in ("Aqua", "Background"):
        raise _Cannot(f"it is for sessions of type {found['LimitLoadToSessionType']}")


def _command(found: Plist) -> Json:
    argv = found.get("ProgramArguments")
    if argv is None and isinstance(found.get("Program"), str):
        return command_of([found["Program"]])
    if not isinstance(argv, list) or not argv or not all(isinstance(each, str) for each in argv):
        raise _Cannot("its ProgramArguments are not a list of texts")
    if found.get("Program", argv[0]) != argv[0]:
        raise _Cannot("its Program is another one than its first argument")
    return command_of(argv)


def _policy(keep_alive: Any) -> str:
    if keep_alive is True:
        return "always"
    if keep_alive == {"SuccessfulExit": False}:
        return "on-failure"
    raise _Cannot("its KeepAlive has conditions that a manifest cannot express")


def _schedule(found: Plist) -> Json:
    timed = [key for key in ("StartCalendarInterval", "StartInterval") if key in found]
    if found.get("RunAtLoad") and timed:
        raise _Cannot(f"it runs at load and by {timed[0]}, and a manifest has one schedule")
    schedule = schedule_of(found)
    if schedule is None:
        why = (
            "nothing ever starts it"
            if not timed
            else "no single schedule means the same as its " + " and ".join(timed)
        )
        raise _Cannot(why)
    if isinstance(schedule, Mapping) and "every" in schedule:
        return {"every": f"{schedule['every']}s"}
    return schedule


def _whole(found: Plist, key: str, default: int) -> int:
    value = found.get(key, default)
    if type(value) is not int:
        raise _Cannot(f"its {key} is no whole number")
    return value


def _text(found: Plist, key: str) -> str:
    if not isinstance(found[key], str):
        raise _Cannot(f"its {key} is no text")
    return str(found[key])


def _notes(found: Plist) -> tuple[str, ...]:
    logs = sorted({str(found[key]) for key in _LOGS if key in found})
    where = f"it logs to {' and '.join(logs)}" if logs else "its output goes nowhere"
    notes = [f"{where}; under reconciler that will be the folder Library/Logs/reconciler"]
    interval = found.get("StartInterval")
    if type(interval) is int and interval > 0 and 86400 % interval == 0 and interval % 60 == 0:
        notes.append("its interval counts from when it is loaded; under reconciler it follows the clock")
    return tuple(notes)


def _loadable(kind: str, spec: Mapping[str, Json]) -> dict[str, Json]:
    """The spec, after the kind and launchd both took it."""
    from reconciler.kinds.automation import Automation
    from reconciler.kinds.service import Service

    try:
        full = (Service if kind == "Service" else Automation).spec_data(spec)
        canonical(Resource(ResourceId(kind, "x" * 30), full, Source("", 0)))
    except UnsupportedSpec as error:
        raise _Cannot("; ".join(limit.message for limit in error.limits)) from None
    except ValueError as error:
        raise _Cannot(f"a manifest would refuse it: {error}") from None
    return dict(spec)


def _name(label: str) -> str:
    """`com.example.backup` is backup; a last part that says nothing brings the one before along."""
    parts = [re.sub(r"[^a-z0-9]+", "-", part.lower()).strip("-") for part in label.split(".")]
    parts = [part for part in parts if part] or ["plist"]
    name = parts[-1] if len(parts[-1]) > 2 else "-".join(parts[-2:])
    name = name[:40].strip("-")
    return name if re.fullmatch(NAME_PATTERN, name) else "plist"


def _unique(name: str, taken: set[str]) -> str:
    candidate, count = name, 1
    while candidate in taken:
        count += 1
        candidate = f"{name}-{count}"
    taken.add(candidate)
    return candidate
