"""What other people's lines run, and whether it is the same as what a resource of ours would run. Pure.

Reads, compares and never writes a foreign line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import cast

from reconciler.model.data import Json, digest
from reconciler.model.frozen import dataclass
from reconciler.model.job import unwrapped
from reconciler.model.lazy import pattern
from reconciler.model.state import State
from reconciler.providers.crontab.line import Sort, job, marked, sort_of, unescape, unmarked
from reconciler.providers.crontab.table import Table

MAIL = frozenset({"MAILTO", "MAILFROM", "CONTENT_TYPE", "CONTENT_TRANSFER_ENCODING"})
SET_BY_CRON = frozenset({"LOGNAME", "USER"})  # whatever the table says
SHELL = "/bin/sh"  # what cron starts a line with anyway
_LONG = 4096  # a command over this is compared as it stands: no real one is that long, and this bounds the work
_LITERAL = r"(?:[A-Za-z0-9_@%+=:,./~-]++|'[^']*'|\"[^\"$`\\]*\"|\\')++"  # possessive: linear on any line
_CD = pattern(rf"cd\s+({_LITERAL}|\"?\$\{{?HOME\}}?[A-Za-z0-9_./-]*\"?)\s*(&&|;|\|\|\s*exit(?:\s+\d+)?\s*;)\s*")
_ASSIGNMENTS = rf"(?:[A-Za-z_]\w*=(?:{_LITERAL})?\s+)+"
_EXPORT = pattern(rf"export\s+((?:[A-Za-z_]\w*=(?:{_LITERAL})?\s*)+)(?:&&|;)\s*", re.ASCII)
_PREFIX = pattern(rf"(?:/usr/bin/|/bin/)?(?:env\s+)?({_ASSIGNMENTS})(?=[^\s=])", re.ASCII)
_ASSIGNMENT = pattern(rf"([A-Za-z_]\w*)=((?:{_LITERAL})?)", re.ASCII)
_REDIRECTED = pattern(r"(?:\s*(?:\s\d|&)?(?:>>?|<)\s*(?:&\d|&-|[^\s;&|<>]+))+\s*$")
_QUOTED = pattern(r"'[^']*'|\"[^\"$`\\]*\"|\\.", re.DOTALL)
_SYNTAX = pattern(r"[|&;<>()$`*?\[\]#~!{}\n]")
_HOME = pattern(r"^\$(?:HOME\b|\{HOME\})")


@dataclass(frozen=True, slots=True)
class Script:
    """A shell command taken apart: where it goes, what it sets, and what is left."""

    command: str
    directory: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    safe: bool = True  # the parts put together again mean the same, also where going there fails


def take_apart(text: str) -> Script:
    """Strip a leading `cd`, assignments and `exec`, as far as they are literal."""
    directory: str | None = None
    environment: dict[str, str] = {}
    rest, safe = text.strip(), True
    if len(rest) > _LONG:
        return Script(rest)
    while True:
        if directory is None and (match := _CD.match(rest)):
            directory = _directory(match[1])
            safe = match[2] != ";" and not (match[2] == "&&" and "||" in rest)
        elif match := _EXPORT.match(rest) or _PREFIX.match(rest):
            environment |= {name: _word(value) for name, value in _ASSIGNMENT.findall(match[1])}
        elif match := re.match(r"exec\s+(?=[^\s<>&|-])", rest):
            pass
        else:
            return Script(rest, directory, environment, safe)
        rest = rest[match.end() :]


def key(command: Json) -> str:
    """A digest that is equal for commands that run the same: quoting, redirections and spacing do not count."""
    if not isinstance(command, str):
        return digest(list(cast("Sequence[str]", command)))
    if len(command) > _LONG:
        return digest(command)
    text = _evaluated(take_apart(command).command)
    text = _REDIRECTED.sub("", text).removesuffix("&").rstrip()
    words = plain_words(text)
    return digest(words if words is not None else " ".join(text.split()))


def plain_words(text: str) -> list[str] | None:
    """The argument list of a command that uses no shell syntax beyond quotes; None for any other."""
    if _SYNTAX.search(_QUOTED.sub("", text)):
        return None
    import shlex

    try:
        return shlex.split(text) or None
    except ValueError:
        return None


def _evaluated(text: str) -> str:
    words = plain_words(text) if text.startswith("eval ") else None
    return words[1] if words is not None and len(words) == 2 else text


def _word(text: str) -> str:
    import shlex

    return "".join(shlex.split(text))


def _directory(text: str) -> str:
    bare = text.strip('"') if "$" in text else _word(text)
    return tidy(_HOME.sub("~", bare))


def tidy(directory: str) -> str:
    """One spelling of a directory."""
    return directory.rstrip("/") or directory[:1]


@dataclass(frozen=True, slots=True)
class Job:
    """An active foreign line."""

    position: int
    schedule: str
    text: str  # the command as the shell gets it
    stdin: str | None
    script: Script
    key: str
    held: bool  # by another reconciler: it carries that one's mark

    def same_as(self, state: State) -> bool:
        """Whether it runs what a resource of ours in that state would."""
        state = unwrapped(state)
        if "command" not in state.attributes or self.key != key(state.attributes["command"]):
            return False
        return same_place(self.script.directory, place_of(state))


def place_of(state: State) -> str | None:
    """The directory in which a resource runs, in one spelling; None where it does not say."""
    directory = state.attributes.get("directory")
    if isinstance(directory, str):
        return tidy(directory)
    command = state.attributes.get("command")
    return take_apart(command).directory if isinstance(command, str) else None


def same_place(one: str | None, other: str | None) -> bool:
    """Two directories that both are given and differ make two jobs of one command."""
    return one is None or other is None or one == other


def jobs(table: Table) -> tuple[Job, ...]:
    """The active foreign lines of a table. Comments and invalid lines run nothing."""
    found: list[Job] = []
    other = table.mark.other
    for position, line in enumerate(table.lines):
        if line.id is not None or sort_of(line.raw) is not Sort.JOB:
            continue
        if (parts := job(unmarked(line.raw, other))) is not None:
            text, stdin = unescape(parts[1].removesuffix("\\r"))
            script = take_apart(text)
            found.append(Job(position, parts[0], text, stdin, script, key(text), marked(line.raw, other) is not None))
    return tuple(found)


def state_of(table: Table, found: Job, user: str, wanted: State | None) -> State:
    """A foreign line in the attributes of ours, spelled as `wanted` spells the same thing."""
    wanted_command = unwrapped(wanted).attributes.get("command") if wanted else None
    command: Json = found.script.command if found.stdin is None else found.text
    if isinstance(wanted_command, list) and plain_words(found.script.command) == wanted_command:
        command = wanted_command
    attributes: dict[str, Json] = {"user": user, "schedule": found.schedule, "command": command}
    if found.script.directory is not None:
        attributes["directory"] = found.script.directory
    if found.script.environment:
        attributes["environment"] = dict(found.script.environment)
    above = table.environment(found.position).items()
    inherited = sorted(name for name, value in above if (name, value) != ("SHELL", SHELL))
    if inherited:
        attributes["inherits"] = inherited
    return State(attributes)


def facts_of(table: Table, found: Sequence[Job]) -> list[Json]:
    """What a review needs of foreign jobs: no byte of them, only digests that can be compared, and where they stand.

    `gap` counts the foreign lines above, as restore data does.
    """
    foreign = {position: gap for gap, position in enumerate(table.foreign_positions)}
    return [
        {
            "line": table.number(item.position),
            "gap": foreign[item.position],
            "command": item.key,
            "directory": _veiled(item.script.directory),
            "held": item.held,
        }
        for item in found
    ]


def _veiled(directory: str | None) -> str:
    return "" if directory is None else digest(directory)


def same_by_facts(fact: Mapping[str, Json], state: State) -> bool:
    """`Job.same_as` from what `facts_of` kept."""
    state = unwrapped(state)
    if "command" not in state.attributes or fact["command"] != key(state.attributes["command"]):
        return False
    return same_place(cast(str, fact["directory"]) or None, _veiled(place_of(state)) or None)
