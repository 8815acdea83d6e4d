"""Our unit files: their names, how a state is spelled in them, and how they are read back. Pure.

`attributes(id, render(id, wanted)) == wanted`; files that we would not have written so have the attribute `text`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import cast

from reconciler.model.address import NAME_PATTERN, ResourceId
from reconciler.model.data import Json, canonical_text
from reconciler.model.lazy import pattern
from reconciler.providers.systemd.calendar import span, starts_with_manager, timer_lines
from reconciler.providers.systemd.syntax import argv_of, command_line, quote, settings, split, unspecified

PREFIX = "reconciler-"
KINDS = {"automation": "Automation", "service": "Service"}
SHELL = ("/bin/sh", "-c")
_SPELLED = frozenset(  # attributes that a unit file can hold
    ["command", "directory", "user", "environment", "schedule", "timezone", "missed", "restart", "stop", "budget"]
)
RESTART_DELAY = "3s"  # systemd gives up after 5 starts in 10 s: slower than that, `always` means always
_UNIT = pattern(rf"{PREFIX}(automation|service)-({NAME_PATTERN})\.(service|timer)")
_MARK = pattern(rb"^\[X-Reconciler\][ \t]*\nResource=([A-Za-z0-9./-]+)[ \t]*$", re.MULTILINE)
_MARKED = pattern(rb"\[X-Reconciler\]\n(?:[^\[\n][^\n]*\n|\n)*")
_NUMBER = pattern(r"([0-9]+)(ms|s)")


def names(id_: ResourceId) -> tuple[str, ...]:
    """Names of the units of a resource; the one that is enabled and started comes last."""
    stem = f"{PREFIX}{id_.kind.lower()}-{id_.name}"
    return (f"{stem}.service", f"{stem}.timer") if id_.kind == "Automation" else (f"{stem}.service",)


def id_of(name: str) -> ResourceId | None:
    """Whose unit a file name stands for, whatever is in the file."""
    match = _UNIT.fullmatch(name)
    if match is None or (match[1], match[3]) == ("service", "timer"):
        return None
    return ResourceId(KINDS[match[1]], match[2])


def is_marked(content: bytes, id_: ResourceId) -> bool:
    """Whether a unit file says inside that it is ours."""
    match = _MARK.search(content)
    return match is not None and match[1] == str(id_).encode()


def unmarked(content: bytes) -> bytes:
    """A unit file of ours without our mark: it does the same and belongs to nobody."""
    return _MARKED.sub(b"", content)


def link(unit: str) -> str:
    """The link that makes a unit start with its manager, relative to the unit folder."""
    return f"{'timers' if unit.endswith('.timer') else 'default'}.target.wants/{unit}"


def waits_for_manager(attributes: Mapping[str, Json]) -> bool:
    """Whether the unit runs when its manager starts, and is not to be started when it is written."""
    return starts_with_manager(attributes.get("schedule"))


def document(files: Mapping[str, bytes]) -> str:
    """All files of one resource as one text."""
    return "\n".join(f"# {name}\n{files[name].decode('utf-8', 'backslashreplace')}" for name in sorted(files))


def render(id_: ResourceId, wanted: Mapping[str, Json]) -> dict[str, bytes]:
    """The unit files for these attributes, by name."""
    if id_.kind == "Service":
        sections = ("Service", _service(wanted)), ("Install", _wanted_by("default"))
        return {names(id_)[0]: _file(id_, (), *sections, limits=_limits(wanted))}
    service, timer = names(id_)
    schedule, zone = wanted["schedule"], cast("str | None", wanted.get("timezone"))
    mark = [f"Schedule={canonical_text(schedule)}", *([f"Timezone={zone}"] if zone else [])]
    # One second, as with cron: less wakes the machine more often, and the default is a whole minute.
    timing = [*timer_lines(schedule, zone), "AccuracySec=1s"]
    if wanted.get("missed") == "latest":
        timing.append("Persistent=true")
    return {
        service: _file(id_, (), ("Service", ["Type=oneshot", *_execution(wanted)])),
        timer: _file(id_, mark, ("Timer", timing), ("Install", _wanted_by("timers"))),
    }


def _file(
    id_: ResourceId, mark: Iterable[str], *sections: tuple[str, Sequence[str]], limits: Sequence[str] = ()
) -> bytes:
    parts = [("Unit", [f"Description={id_}", *limits]), ("X-Reconciler", [f"Resource={id_}", *mark]), *sections]
    return "\n".join("\n".join([f"[{name}]", *lines, ""]) for name, lines in parts).encode("utf-8")


def _wanted_by(target: str) -> list[str]:
    return [f"WantedBy={target}.target"]


def _service(wanted: Mapping[str, Json]) -> list[str]:
    stop = cast("Mapping[str, Json]", wanted["stop"])
    # Type=exec: a start succeeds only once the program itself could be started.
    lines = ["Type=exec", *_execution(wanted), f"Restart={wanted['restart']}", f"RestartSec={RESTART_DELAY}"]
    return [*lines, f"KillSignal={stop['signal']}", f"TimeoutStopSec={span(stop['grace'])}"]


def _limits(wanted: Mapping[str, Json]) -> list[str]:
    """systemd counts starts, the first one too; a budget counts how often it is started again."""
    budget = cast("Mapping[str, float]", wanted.get("budget") or {})
    if not budget:
        return []
    return [f"StartLimitIntervalSec={span(budget['within'])}", f"StartLimitBurst={int(budget['limit']) + 1}"]


def _execution(wanted: Mapping[str, Json]) -> list[str]:
    command, user = wanted["command"], wanted.get("user")
    argv = (*SHELL, command) if isinstance(command, str) else tuple(cast("Sequence[str]", command))
    lines = [f"ExecStart={command_line(argv)}", f"WorkingDirectory={_directory(wanted)}"]
    if user is not None:
        lines.append(f"User={user}")
    environment = cast("Mapping[str, str]", wanted.get("environment", {}))
    return lines + [f"Environment={quote(f'{name}={environment[name]}')}" for name in sorted(environment)]


def _directory(wanted: Mapping[str, Json]) -> str:
    """Always written out: the home folder is the default of a user's manager only."""
    directory = cast(str, wanted.get("directory", "~"))
    if directory == "~":
        return "~" if "user" in wanted else "%h"
    text = directory.replace("%", "%%")
    return f"%h{text[1:]}" if text.startswith("~/") else text


def attributes(
    id_: ResourceId, files: Mapping[str, bytes], likely: Mapping[str, Json] | None = None
) -> dict[str, Json]:
    """What the unit files of a resource ask for, without the scope that they were found in.

    `likely` attributes are right where just these files are written for them; so most files need no reading.
    """
    if likely is not None and likely.keys() <= _SPELLED and _spelled(id_, likely, files):
        return dict(likely)
    try:
        found = _parsed(id_, {name: content.decode("utf-8") for name, content in files.items()})
    except (ValueError, KeyError, TypeError):
        found = None
    if found is not None and _spelled(id_, found, files):
        return found
    return {"text": document(files)}  # not as we would have written it: its text says what it is


def _spelled(id_: ResourceId, candidate: Mapping[str, Json], files: Mapping[str, bytes]) -> bool:
    """Whether we would write just these files for these attributes."""
    try:
        return render(id_, candidate) == files
    except (ValueError, KeyError, TypeError):
        return False


def _parsed(id_: ResourceId, texts: Mapping[str, str]) -> dict[str, Json] | None:
    """Candidates for the attributes; whoever calls this renders them again and compares."""
    if set(texts) != set(names(id_)):
        return None
    every = {name: list(settings(text)) for name, text in texts.items()}
    service = {name: value for section, name, value in every[names(id_)[0]] if section == "Service"}
    found = execution(every[names(id_)[0]])
    if found is None:
        return None
    if id_.kind == "Service":
        found["restart"] = service["Restart"]
        found["stop"] = {"signal": service["KillSignal"], "grace": _seconds(service["TimeoutStopSec"])}
        unit = {name: value for section, name, value in every[names(id_)[0]] if section == "Unit"}
        if "StartLimitBurst" in unit:
            within = _seconds(unit["StartLimitIntervalSec"])
            found["budget"] = {"limit": int(unit["StartLimitBurst"]) - 1, "within": within}
        return found
    timer = {name: value for _, name, value in every[names(id_)[1]]}
    found["schedule"] = json.loads(timer["Schedule"])
    if "Timezone" in timer:
        found["timezone"] = timer["Timezone"]
    if "Persistent" in timer:
        found["missed"] = "latest"
    return found


def execution(lines: Iterable[tuple[str, str, str]]) -> dict[str, Json] | None:
    """Command, folder, user and environment of anybody's service; None where its command is not one program."""
    service = [(name, value) for section, name, value in lines if section == "Service"]
    commands = [argv_of(value) for name, value in service if name == "ExecStart"]
    if len(commands) != 1 or not (argv := commands[0]):
        return None
    script = len(argv) == 3 and tuple(argv[:2]) == SHELL and argv[2].strip()
    found: dict[str, Json] = {"command": argv[2] if script else argv}
    environment: dict[str, Json] = {}
    for name, value in service:
        if name == "WorkingDirectory" and value not in ("%h", "~", "", "%h/"):
            directory = unspecified(f"~{value[2:]}" if value.startswith("%h/") else value)
            if directory is None:
                return None
            found["directory"] = directory
        elif name == "User" and value:
            found["user"] = value
        elif name == "Environment":
            environment |= _assignments(value)
    return found | ({"environment": environment} if environment else {})


def _assignments(value: str) -> dict[str, Json]:
    words = [unspecified(word) for word in split(value) or ()]
    if not words or None in words:
        raise ValueError(value)
    pairs = (cast(str, word).partition("=") for word in words)
    return {name: text for name, _, text in pairs}


def _seconds(text: str) -> int | float:
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise ValueError(text)
    return int(match[1]) if match[2] == "s" else int(match[1]) / 1000
