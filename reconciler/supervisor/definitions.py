"""What the supervisor is to run, as its definitions file says. Pure; anything that cannot be run refuses the file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, cast

from reconciler.model.data import Json, canonical_text
from reconciler.model.job import SHELL
from reconciler.model.schedule import ScheduleError, cron_text

VERSION = 1
MISSED = ("skip", "latest", "all")
POLICIES = ("always", "on-failure", "no")


class Refused(Exception):
    """The file cannot be run by; what ran before goes on. The text says why."""


@dataclass(frozen=True, slots=True)
class Program:
    """What is started: words, folder and variables of its own."""

    argv: tuple[str, ...]
    folder: str = "~"
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Two programs with one digest are the same; a service is not restarted for anything else."""
        return sha256(canonical_text([list(self.argv), self.folder, dict(self.environment)]).encode()).hexdigest()[
            :16
        ]


@dataclass(frozen=True, slots=True)
class Service:
    """A program that is kept running. Durations in seconds."""

    name: str
    program: Program
    policy: str = "always"
    limit: int = 0  # restarts in `within` after which it is given up; 0: never
    within: float = 0.0
    signal: str = "SIGTERM"
    grace: float = 10.0
    ready: tuple[tuple[str, Mapping[str, Any]], ...] = ()  # probes that pass once it can be used
    after: tuple[str, ...] = ()  # services that are started first

    @property
    def rules(self) -> str:
        """What a budget is used up under: another program or other rules begin with a new one."""
        told: list[Json] = [self.program.digest, self.policy, self.limit, self.within]
        return sha256(canonical_text(told).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Automation:
    """A command that runs on a schedule."""

    name: str
    program: Program
    schedule: Json
    timezone: str = ""  # an IANA name; "" is that of the machine
    missed: str = "skip"

    @property
    def digest(self) -> str:
        """Slots that were handled count for this schedule only."""
        return sha256(canonical_text([self.schedule, self.timezone]).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Definitions:
    """Everything that is wanted. `digest` is that of the file's bytes; "" where there is none."""

    digest: str = ""
    services: Mapping[str, Service] = field(default_factory=dict)
    automations: Mapping[str, Automation] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        return not self.services and not self.automations


def parse(raw: bytes | None) -> Definitions:
    """Raises Refused, naming the entry that cannot be run."""
    if raw is None:
        return Definitions()
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise Refused(f"it is not JSON: {error}") from error
    if not isinstance(found, dict) or not isinstance(found.get("entries"), list):
        raise Refused("it holds no entries")
    if found.get("v") != VERSION:
        raise Refused(f"its format is {found.get('v')!r}, and this reconciler knows {VERSION}")
    services: dict[str, Service] = {}
    automations: dict[str, Automation] = {}
    for entry in found["entries"]:
        try:
            kind, _, name = entry["id"].partition("/")
            state = entry["state"]
            if kind == "Service":
                services[name] = _service(name, state)
            elif kind == "Automation":
                automations[name] = _automation(name, state)
            else:
                raise Refused(f"there is no kind {kind!r}")
        except (KeyError, TypeError, ValueError, AttributeError, ScheduleError) as error:
            what = entry.get("id", "an entry") if isinstance(entry, dict) else "an entry"
            raise Refused(f"{what} cannot be run: {type(error).__name__}: {error}") from error
    return Definitions(sha256(raw).hexdigest(), services, automations)


def _program(state: Mapping[str, Any]) -> Program:
    command = state["command"]
    argv = (*SHELL, command) if isinstance(command, str) else tuple(command)
    environment = dict(state.get("environment", {}))
    if not argv or not all(isinstance(word, str) for word in (*argv, *environment, *environment.values())):
        raise ValueError("its command is no list of words")
    return Program(argv, str(state.get("directory", "~")), environment)


def _service(name: str, state: Mapping[str, Any]) -> Service:
    restart, stop = state.get("restart", {}), state.get("stop", {})
    if restart.get("policy", "always") not in POLICIES:
        raise ValueError(f"there is no restart policy {restart['policy']!r}")
    return Service(
        name=_plain(name),
        program=_program(state),
        policy=restart.get("policy", "always"),
        limit=int(restart.get("limit", 0)),
        within=float(restart.get("within", 0)),
        signal=str(stop.get("signal", "SIGTERM")),
        grace=float(stop.get("grace", 10)),
        ready=tuple((str(probe["type"]), dict(probe["options"])) for probe in state.get("ready", ())),
        after=tuple(cast("Sequence[str]", state.get("after", ()))),
    )


def _automation(name: str, state: Mapping[str, Any]) -> Automation:
    schedule, missed = state["schedule"], state.get("missed", "skip")
    if missed not in MISSED:
        raise ValueError(f"missed cannot be {missed!r}")
    every = schedule.get("every") if isinstance(schedule, Mapping) else None
    if every is not None:
        if isinstance(every, bool) or not isinstance(every, int | float) or every < 1:
            raise ValueError(f"it cannot run every {every!r} s")
    else:
        cron_text(schedule)
    return Automation(_plain(name), _program(state), schedule, str(state.get("timezone", "")), missed)


def _plain(name: str) -> str:
    """Names become file names."""
    if not name or "/" in name or "\0" in name or name[0] == ".":
        raise ValueError(f"{name!r} is no name")
    return name
