"""One definition: a state as a property list, and a property list as a state. Pure; `parse(render(state)) == state`.

Our mark stands among the environment variables: launchd takes it as it is, the program may ignore it, and
`launchctl print` shows it, so the digest tells which definition launchd really holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from reconciler.model.address import ResourceId
from reconciler.model.data import Json, canonical_text, digest
from reconciler.model.schedule import ScheduleError, cron_text
from reconciler.model.state import State
from reconciler.providers.launchd.calendar import TooMany, intervals

Plist: TypeAlias = dict[str, Any]

PREFIX = "reconciler."
ID, DIGEST, SCHEDULE, SCOPE = "RECONCILER_ID", "RECONCILER_DIGEST", "RECONCILER_SCHEDULE", "RECONCILER_SCOPE"
MARKS = frozenset({ID, DIGEST, SCHEDULE, SCOPE})
SHELL, ENV = ["/bin/sh", "-c"], "/usr/bin/env"
EXIT_TIMEOUT = 20  # what launchd grants where a plist says nothing
_KEEP_ALIVE: Mapping[str, Json] = {"always": True, "on-failure": {"SuccessfulExit": False}}


@dataclass(frozen=True, slots=True)
class Form:
    """What a plist needs besides its state: what `~` is ("~" leaves it), and whether nobody may be logged in."""

    home: str = "~"
    background: bool = False


def label_of(id_: ResourceId) -> str:
    """Label, and with `.plist` the file name."""
    return f"{PREFIX}{id_.kind.lower()}.{id_.name}"


def render(id_: ResourceId, state: State, form: Form) -> Plist:
    """The property list of a state, our mark included."""
    found = _bare(id_, state, form)
    mark = {ID: str(id_)}
    if "schedule" in state.attributes:
        mark[SCHEDULE] = _schedule_text(state.attributes["schedule"])
    if "scope" in state.attributes:
        mark[SCOPE] = cast(str, state.attributes["scope"])
    found["EnvironmentVariables"] = {**found.get("EnvironmentVariables", {}), **mark}
    found["EnvironmentVariables"][DIGEST] = digest(cast(Json, found))
    return found


def parse(id_: ResourceId, found: Plist, form: Form) -> State:
    """The state of a plist. What `render` would not have written stands under `keys` and `missing`."""
    attributes = _guess(id_, found, form)
    wanted, bare = _bare(id_, State(attributes), form), unmarked(found)
    others = {key: plain(value) for key, value in bare.items() if key not in wanted or wanted[key] != value}
    missing = sorted(wanted.keys() - bare.keys())
    if others:
        attributes["keys"] = others
    if missing:
        attributes["missing"] = missing
    return State(attributes)


def unmarked(found: Plist) -> Plist:
    """The same without our mark."""
    environment = found.get("EnvironmentVariables")
    if not isinstance(environment, dict) or not MARKS & environment.keys():
        return found
    left = {name: value for name, value in environment.items() if name not in MARKS}
    rest = {key: value for key, value in found.items() if key != "EnvironmentVariables"}
    return {**rest, "EnvironmentVariables": left} if left else rest


def mark_of(found: Plist, name: str) -> str | None:
    """One part of our mark, or None where the plist carries none."""
    environment = found.get("EnvironmentVariables")
    value = environment.get(name) if isinstance(environment, dict) else None
    return value if isinstance(value, str) else None


def dump(found: Plist) -> bytes:
    import plistlib

    return plistlib.dumps(found, sort_keys=True)


def load(content: bytes) -> Plist | None:
    """A property list, XML or binary; None where the bytes are no dictionary of that kind."""
    import plistlib
    from xml.parsers.expat import ExpatError

    try:
        found = plistlib.loads(content)
    except (plistlib.InvalidFileException, ExpatError, ValueError, TypeError, OverflowError, AttributeError, KeyError,
            IndexError, RecursionError):  # fmt: skip
        return None
    return found if isinstance(found, dict) else None


def document(id_: ResourceId, state: State) -> str:
    """The plist as it will stand, `~` for the home folder."""
    return dump(render(id_, without_flags(state), Form())).decode("utf-8")


def unmarked_text(text: str) -> str:
    """A plist as text, without our mark; what is no plist as it is."""
    found = load(text.encode())
    return text if found is None else dump(unmarked(found)).decode("utf-8")


def without_flags(state: State) -> State:
    """The state without what only a look at the host can add."""
    flags = ("keys", "missing", "loaded")
    return State({name: value for name, value in state.attributes.items() if name not in flags})


def argv_of(command: Json) -> list[str]:
    """What launchd starts. It looks nothing up on PATH and knows no shell; `env` does the one, `sh` the other."""
    if isinstance(command, str):
        return [*SHELL, command]
    argv = list(cast("Sequence[str]", command))
    return argv if argv[0].startswith("/") else [ENV, *argv]


def command_of(argv: Sequence[str]) -> Json:
    """The inverse: a text for the shell, or the shortest list that starts the same."""
    if len(argv) == 3 and list(argv[:2]) == SHELL:
        return argv[2]
    if len(argv) > 1 and argv[0] == ENV and argv[1] and argv[1][0] not in "-/" and "=" not in argv[1]:
        return list(argv[1:])
    return list(argv)


def log_path(id_: ResourceId, state: State) -> str:
    """Where both streams go; kinds may share names, so the kind is part of it."""
    folder = "/Library/Logs" if state.attributes.get("scope") == "system" else "~/Library/Logs"
    return f"{folder}/reconciler/{id_.kind.lower()}.{id_.name}.log"


def plain(value: Any) -> Json:
    """A value of a plist as JSON: dates and data become texts, and what JSON calls null cannot occur."""
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    return value if isinstance(value, bool | int | float | str) else repr(value)


def timing(schedule: Json) -> Plist:
    """The keys that make launchd start something on this schedule. Raises TooMany."""
    if isinstance(schedule, Mapping) and "at" in schedule:
        return {"RunAtLoad": True}
    try:
        found = intervals(cron_text(schedule))
    except ScheduleError:
        return {"StartInterval": cast("Mapping[str, int]", schedule)["every"]}
    return {"StartCalendarInterval": found[0] if len(found) == 1 else found}


def _bare(id_: ResourceId, state: State, form: Form) -> Plist:
    """The plist without our mark."""
    wanted = state.attributes
    found: Plist = {"Label": label_of(id_), "ProgramArguments": argv_of(wanted.get("command", ""))}
    if "schedule" in wanted:
        found |= timing(wanted["schedule"])
    if "restart" in wanted:
        found["RunAtLoad"] = True
        if (word := cast(str, wanted["restart"])) in _KEEP_ALIVE:
            found["KeepAlive"] = _KEEP_ALIVE[word]
    if wanted.get("environment"):
        found["EnvironmentVariables"] = dict(cast("Mapping[str, str]", wanted["environment"]))
    if "directory" in wanted:
        found["WorkingDirectory"] = expand(cast(str, wanted["directory"]), form.home)
    if "grace" in wanted:
        found["ExitTimeOut"] = wanted["grace"]
    if "user" in wanted:
        found["UserName"] = wanted["user"]
    if form.background:
        found["LimitLoadToSessionType"] = "Background"
    elif wanted.get("session") == "gui":
        found["LimitLoadToSessionType"] = "Aqua"
    log = expand(log_path(id_, state), form.home)
    return {**found, "StandardOutPath": log, "StandardErrorPath": log}


def _guess(id_: ResourceId, found: Plist, form: Form) -> dict[str, Json]:
    """The attributes that a plist seems to have been rendered from."""
    argv: Any = found.get("ProgramArguments")
    attributes: dict[str, Json] = {"command": command_of(argv) if _texts(argv) else ""}
    environment = unmarked(found).get("EnvironmentVariables")
    if isinstance(environment, dict) and _texts(list(environment.values())):
        attributes["environment"] = dict(environment)
    if isinstance(found.get("WorkingDirectory"), str):
        attributes["directory"] = contract(found["WorkingDirectory"], form.home)
    if isinstance(found.get("UserName"), str):
        attributes["user"] = found["UserName"]
    if found.get("LimitLoadToSessionType") == "Aqua":
        attributes["session"] = "gui"
    if (scope := mark_of(found, SCOPE)) is not None:
        attributes["scope"] = scope
    if id_.kind == "Service":
        attributes["restart"] = _restart(found.get("KeepAlive"))
        limit = found.get("ExitTimeOut", EXIT_TIMEOUT)
        attributes["grace"] = limit if isinstance(limit, int) else EXIT_TIMEOUT
    else:
        attributes["schedule"] = _schedule(found)
    return attributes


def _restart(keep_alive: object) -> str:
    return next((word for word, value in _KEEP_ALIVE.items() if value == keep_alive), "no")


def _schedule(found: Plist) -> Json:
    """The schedule as it was written, where the plist still does what that says; else what it does."""
    written = _read_schedule(mark_of(found, SCHEDULE))
    keys = {key: found[key] for key in ("StartCalendarInterval", "StartInterval", "RunAtLoad") if key in found}
    try:
        if written is not None and timing(written) == keys:
            return written
    except (TooMany, ValueError, KeyError, TypeError):
        pass  # a mark that somebody edited
    return schedule_of(found) or {"at": "login"}


def schedule_of(found: Plist) -> Json:
    """A schedule that does what the plist says; None where no schedule does."""
    from reconciler.providers.launchd.calendar import cron_of

    calendar, every = found.get("StartCalendarInterval"), found.get("StartInterval")
    if calendar is not None and every is None:
        entries = calendar if isinstance(calendar, list) else [calendar]
        well = entries and all(isinstance(e, dict) and all(type(v) is int for v in e.values()) for e in entries)
        known = {"Minute", "Hour", "Day", "Month", "Weekday"}
        return cron_of(entries) if well and all(entry.keys() <= known for entry in entries) else None
    if calendar is None and type(every) is int and every > 0:
        return {"every": every}
    return {"at": "login"} if calendar is None and every is None and found.get("RunAtLoad") is True else None


def _schedule_text(schedule: Json) -> str:
    return schedule if isinstance(schedule, str) else canonical_text(schedule)


def _read_schedule(text: str | None) -> Json:
    if text is None or not text.startswith("{"):
        return text
    import json

    try:
        return cast(Json, json.loads(text))
    except ValueError:
        return None


def expand(path: str, home: str) -> str:
    return home + path[1:] if path == "~" or path.startswith("~/") else path


def contract(path: str, home: str) -> str:
    return "~" + path[len(home) :] if path == home or path.startswith(f"{home}/") else path


def _texts(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, str) for each in value)
