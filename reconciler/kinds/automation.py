"""The Automation kind: a command that runs on a schedule."""

from __future__ import annotations

import re
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, PlainValidator, WithJsonSchema, model_validator

from reconciler.kinds.fields import Command, Environment, Invalid, Schedule, one_of, text
from reconciler.kinds.job import Execution

SCHEDULERS = ("auto", "crontab", "embedded", "launchd", "systemd")
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}")


def _directory(value: object) -> str:
    found = text(value, what="a folder")
    if found == "~" or found.startswith(("/", "~/")):
        return found
    raise Invalid(f"must be an absolute path or start with ~/, found {found!r}")


def _user(value: object) -> str:
    found = text(value, what="a user name")
    if _USER.fullmatch(found) is None:
        raise Invalid(f"{found!r} is not a user name")
    return found


def folder_of(user: str | None, directory: str | None) -> str | None:
    """A folder as anybody would name it: `~` is the home folder of the user, where one is given."""
    if user is None or directory is None or not directory.startswith("~"):
        return directory
    return f"~{user}{directory[1:]}"


Directory = Annotated[
    str,
    PlainValidator(_directory),
    WithJsonSchema({"type": "string", "pattern": "^(/|~/|~$)", "examples": ["~/atlas"]}),
]


def _timezone(value: object) -> str:
    found = text(value, what="the name of a time zone")
    try:
        ZoneInfo(found)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Invalid(f"{found!r} is not a time zone", hint="write for example Europe/Berlin") from None
    return found


Timezone = Annotated[
    str, PlainValidator(_timezone), WithJsonSchema({"type": "string", "examples": ["Europe/Berlin"]})
]
Scheduler = Annotated[
    str,
    PlainValidator(one_of(*SCHEDULERS)),
    WithJsonSchema({"enum": list(SCHEDULERS)}),
]
Need = Annotated[str, PlainValidator(one_of("keychain", "gui")), WithJsonSchema({"enum": ["keychain", "gui"]})]
Scope = Annotated[str, PlainValidator(one_of("user", "system")), WithJsonSchema({"enum": ["user", "system"]})]
Missed = Annotated[
    str, PlainValidator(one_of("skip", "latest", "all")), WithJsonSchema({"enum": ["skip", "latest", "all"]})
]
User = Annotated[str, PlainValidator(_user), WithJsonSchema({"type": "string", "pattern": f"^{_USER.pattern}$"})]


class Automation(Execution):
    """A command that runs on a schedule."""

    schedule: Schedule = Field(
        description='When to run: five cron fields ("0 6 * * *"), @hourly, @daily, @weekly, @monthly or @yearly, '
        "{every: 5m}, or {at: boot}."
    )
    command: Command = Field(
        description="What to run. A list is a program with its arguments, passed exactly so. "
        "Text is a line for /bin/sh, with its quoting, pipes and variables."
    )
    working_directory: Directory | None = Field(
        None,
        description="The folder to run in: an absolute path, or one that starts with ~/. "
        "The home folder if not given.",
    )
    environment: Environment = Field(
        default_factory=dict,
        description="Variables for the command: names with text values. Not for secrets: they stand in clear.",
    )
    user: User | None = Field(
        None, description="Whom it runs as: whose crontab it stands in. Only root may set it; you if not given."
    )
    scheduler: Scheduler = Field(
        "auto",
        description="Which backend holds it: crontab, launchd, systemd, embedded (the supervisor that comes with "
        "reconciler), or auto for the one that fits.",
    )
    requires: list[Need] = Field(
        default_factory=list, description="What it needs of the session it runs in: keychain or gui (launchd only)."
    )
    scope: Scope | None = Field(
        None, description="user: the manager of your own session; system: that of the machine. root: system."
    )
    timezone: Timezone | None = Field(
        None, description="The time zone of the schedule, where the scheduler has such a thing (systemd, embedded)."
    )
    missed: Missed | None = Field(
        None,
        description="What happens to runs that the machine slept through: skip, latest (one afterwards), or all.",
    )

    @model_validator(mode="after")
    def _one_source_per_variable(self) -> Automation:
        if both := sorted(self.environment.keys() & self.secrets.keys()):
            raise Invalid(f"{both[0]} stands under environment and under secrets", hint="keep one of them")
        return self

    def probe_directory(self) -> str | None:
        return folder_of(self.user, self.working_directory)
