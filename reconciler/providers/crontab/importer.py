"""Other people's lines as manifests. What cannot be carried over without a change of meaning is returned with why.

Reads only. python-crontab judges one line at a time and writes nothing: what it would make of a table is not used.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from reconciler.host.protocol import Host
from reconciler.model.address import NAME_PATTERN, ResourceId
from reconciler.model.data import Json
from reconciler.model.errors import UnsupportedSpec
from reconciler.model.resource import Resource, Source
from reconciler.model.schedule import ScheduleError, normalise
from reconciler.provider import Imported
from reconciler.providers.crontab import program
from reconciler.providers.crontab.canonical import canonical
from reconciler.providers.crontab.foreign import MAIL, SET_BY_CRON, SHELL, Script, plain_words, take_apart
from reconciler.providers.crontab.line import Sort, job, marked, show, sort_of, unescape
from reconciler.providers.crontab.table import Table
from reconciler.providers.crontab.users import own_name, refuse_others, table_user

_TIMING = frozenset({"CRON_TZ", "RANDOM_DELAY", "CRON_WITHIN", "START_HOURS_RANGE"})
_INTERPRETERS = re.compile(r"(?:python[\d.]*|perl|ruby|node|php|bash|sh|zsh|dash|nice|ionice|timeout|flock|sudo)")


class _Cannot(Exception):
    """This line cannot be a manifest; the text says why."""


@dataclass(frozen=True, slots=True)
class _Draft:
    """A manifest's spec, and what a person should look at."""

    spec: dict[str, Json]
    notes: tuple[str, ...]
    name: str


def foreign(host: Host, user: str | None) -> tuple[Imported, ...]:
    """Every active foreign line of a user's table (None: one's own), and every line that cron would not take."""
    own = own_name(host)
    refuse_others(user or "", own)
    asked = table_user(user or "", own)
    listed = program.listing(host, asked)
    table = program.parse(host, program.exact(host, listed), asked)
    names = {id_.name for id_ in table.ours}
    found: list[Imported] = []
    for position, line in enumerate(table.lines):
        sort = sort_of(line.raw)
        if line.id is not None or sort not in (Sort.JOB, Sort.INVALID):
            continue
        where = f"{program.place(host, asked)}, line {table.number(position)}"
        text = show(line.raw.removesuffix(b"\n"))
        try:
            draft = _draft(table, position, asked)
        except _Cannot as error:
            found.append(Imported(where, text, None, str(error)))
            continue
        name = _unique(draft.name, names)
        found.append(Imported(where, text, _manifest(name, draft.spec), None, draft.notes))
    return tuple(found)


def _manifest(name: str, spec: Mapping[str, Json]) -> dict[str, Json]:
    return {"apiVersion": "reconciler/v1", "kind": "Automation", "metadata": {"name": name}, "spec": dict(spec)}


def _draft(table: Table, position: int, user: str) -> _Draft:
    raw = table.lines[position].raw
    if marked(raw, table.mark.other) is not None:
        raise _Cannot("another reconciler holds it, as its mark says: release it there first")
    schedule, command = _job(raw)
    environment, notes = _inherited(table.environment(position))
    # Named, for `auto` takes launchd on a Mac, and then both would run.
    spec: dict[str, Json] = {"schedule": _schedule(schedule), "scheduler": "crontab"}
    script = take_apart(command)
    if not script.safe or not script.command or script.command.startswith("eval ") or _relative(script.directory):
        script = Script(command)
    spec["command"] = script.command
    directory = script.directory or environment.get("HOME")
    if directory:
        spec["workingDirectory"] = directory
    environment |= script.environment
    if environment:
        spec["environment"] = dict(sorted(environment.items()))
    if user:
        spec["user"] = user
    _fitting(spec)
    return _Draft(spec, notes, _name(script.command, table.number(position)))


def _relative(directory: str | None) -> bool:
    return directory is not None and directory != "~" and not directory.startswith(("/", "~/"))


def _job(raw: bytes) -> tuple[str, str]:
    """Schedule, and command as the shell gets it."""
    try:
        text = raw.removesuffix(b"\n").decode("utf-8")
    except UnicodeDecodeError:
        raise _Cannot("it is not UTF-8, and manifests are") from None
    if "\r" in text or "\b" in text or "\0" in text:
        raise _Cannot(
            "it holds control characters (a carriage return, for example): save the table with plain newlines"
        )
    parts = job(raw) if sort_of(raw) is Sort.JOB else None
    if parts is None or not _python_crontab_agrees(parts[0]):
        raise _Cannot("it is not a job that every cron program understands")
    if "\\\\" in parts[1]:
        raise _Cannot("it holds two backslashes in a row, which cron programs read differently")
    command, stdin = unescape(parts[1])
    if stdin is not None:
        raise _Cannot("it gives its command standard input after a bare %: put that into the command or a file")
    if not command.strip():
        raise _Cannot("it has no command")
    return parts[0], command


def _python_crontab_agrees(schedule: str) -> bool:
    """A second opinion that this starts a job. The command is left out: it would take `#` for a comment."""
    import logging

    from crontab import CronItem, CronTab

    logging.getLogger("crontab").addHandler(logging.NullHandler())
    try:
        item = CronItem.from_line(f"{schedule} true", cron=CronTab(tab=""))
        return bool(item.is_valid() and item.is_enabled())
    except (ValueError, KeyError, IndexError, TypeError):
        return False


def _schedule(text: str) -> Json:
    try:
        return normalise(text)
    except ScheduleError as error:
        hint = f" ({error.hint})" if error.hint else ""
        raise _Cannot(f"its schedule cannot be carried over: {error}{hint}") from error


def _inherited(variables: Mapping[str, str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """The environment in force as the manifest's own, and notes about what has no place there."""
    environment: dict[str, str] = {}
    notes: list[str] = []
    for name, value in variables.items():
        if name == "SHELL":
            if value != SHELL:
                raise _Cannot(f"it runs under SHELL={value}, and automations run under /bin/sh")
        elif name in _TIMING:
            raise _Cannot(f"{name}={value} above it changes when it runs")
        elif name in MAIL:
            notes.append(
                f"{name}={value} stands above it and will not reach it any more: its output is mailed to you"
            )
        elif name in SET_BY_CRON:
            notes.append(f"{name}={value} stands above it; cron ignores that")
        else:
            environment[name] = value
    if environment:
        notes.append(f"takes {', '.join(sorted(environment))} along from the lines above it")
    return environment, tuple(notes)


def _loadable(spec: Mapping[str, Json]) -> dict[str, Json]:
    """What loading such a manifest would make of its spec: the kind itself says what may stand in one."""
    from reconciler.kinds.automation import Automation

    try:
        return Automation.spec_data(spec)
    except ValueError as error:
        raise _Cannot(f"a manifest would refuse it: {error}") from None


def _fitting(spec: Mapping[str, Json]) -> None:
    """Tried with a long name, so that it still fits once a person renames it."""
    try:
        canonical(Resource(ResourceId("Automation", "x" * 30), _loadable(spec), Source("", 0)))
    except UnsupportedSpec as error:
        raise _Cannot("; ".join(limit.message for limit in error.limits)) from error


def _name(command: str, number: int) -> str:
    """A name from what the command runs: the script rather than its interpreter."""
    words = plain_words(re.split(r"[|&;<>()]", command)[0]) or command.split()
    while len(words) > 1 and (_INTERPRETERS.fullmatch(words[0].rsplit("/", 1)[-1]) or words[0].startswith("-")):
        words = words[1:]
    stem = words[0].rstrip("/").rsplit("/", 1)[-1].lower()
    stem = re.sub(r"\.(?:sh|py|pl|rb|js|php|bash)$", "", stem)
    cleaned = re.sub(r"[^a-z0-9]+", "-", stem).strip("-")[:40].strip("-")
    return cleaned if re.fullmatch(NAME_PATTERN, cleaned) else f"line-{number}"


def _unique(name: str, taken: set[str]) -> str:
    candidate, count = name, 1
    while candidate in taken:
        count += 1
        candidate = f"{name}-{count}"
    taken.add(candidate)
    return candidate
