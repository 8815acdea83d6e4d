"""The Service kind: a program or container that is kept running."""

from __future__ import annotations

import re
from functools import partial
from typing import Annotated, Any

from pydantic import (
    BeforeValidator,
    Field,
    PlainValidator,
    SerializerFunctionWrapHandler,
    WithJsonSchema,
    model_serializer,
    model_validator,
)

from reconciler.kinds.automation import Directory, Scope, User, folder_of
from reconciler.kinds.common import CommonSpec
from reconciler.kinds.fields import Command, Environment, Invalid, Model, Text, one_of, text, type_name
from reconciler.kinds.job import Stop
from reconciler.kinds.probes import ProbeSpec
from reconciler.model.data import Json
from reconciler.model.duration import parse_duration

SUPERVISORS = ("auto", "container", "embedded", "launchd", "systemd")
_ADDRESS = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}|[0-9a-fA-F:]*:[0-9a-fA-F:.]*")
_IMAGE = re.compile(r"[a-z0-9][a-zA-Z0-9._/:-]*(?:@sha256:[0-9a-f]{64})?")
_VOLUME = re.compile(r"(?P<source>/[^:]*|~/[^:]*|[a-zA-Z0-9][a-zA-Z0-9_.-]*):(?P<target>/[^:]*)(?::(?P<mode>ro|rw))?")
_BUDGET = re.compile(r"([0-9]{1,4}) in ([0-9a-z]+)")
_NETWORK = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}")


def _word(*choices: str) -> Any:
    return (PlainValidator(one_of(*choices)), WithJsonSchema({"enum": list(choices)}))


def _shaped(pattern: re.Pattern[str], what: str, hint: str) -> PlainValidator:
    def check(value: object) -> str:
        found = text(value, what=what)
        if pattern.fullmatch(found) is None:
            raise Invalid(f"{found!r} is not {what}", hint=hint)
        return found

    return PlainValidator(check)


def _port_form(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        return {"host": value, "target": value}
    if not isinstance(value, dict):
        raise Invalid(f"must be a port or a mapping with host and target, found {type_name(value)}")
    return {"target": value.get("host"), **value}


Address = Annotated[
    str, _shaped(_ADDRESS, "an IP address", "write for example 127.0.0.1"), WithJsonSchema({"type": "string"})
]
Image = Annotated[
    str,
    _shaped(_IMAGE, "an image name", "write for example docker.io/library/redis:7"),
    WithJsonSchema({"type": "string"}),
]
Volume = Annotated[
    str,
    _shaped(_VOLUME, "a volume", "write name:/path, /host/path:/path or /host/path:/path:ro"),
    WithJsonSchema({"type": "string", "examples": ["data:/var/lib/data", "/srv/www:/www:ro"]}),
]
Network = Annotated[
    str, _shaped(_NETWORK, "a network name", "letters, digits, . _ -"), WithJsonSchema({"type": "string"})
]


class Published(Model):
    """A port of the service that others can reach."""

    host: int = Field(ge=1, le=65535, description="Port on this machine.")
    target: int = Field(ge=1, le=65535, description="Port inside the container; the same if not given.")
    address: Address = Field(
        "127.0.0.1", description="Address on this machine to listen on; only local if not given."
    )
    protocol: Annotated[str, *_word("tcp", "udp")] = Field("tcp", description="tcp or udp.")


def _budget(value: object) -> dict[str, Json]:
    found = text(value, what="a budget such as 5 in 10m")
    match = _BUDGET.fullmatch(found)
    if match is None or int(match[1]) == 0:
        raise Invalid(f"{found!r} is not a budget", hint="write for example 5 in 10m")
    return {"limit": int(match[1]), "within": parse_duration(match[2])}


Budget = Annotated[
    dict[str, Any],
    PlainValidator(_budget),
    WithJsonSchema({"type": "string", "pattern": f"^{_BUDGET.pattern}$", "examples": ["5 in 10m"]}),
]


class Restart(Model):
    """What happens when it ends by itself."""

    policy: Annotated[str, *_word("always", "on-failure", "no")] = Field(
        "always", description="Start it again always, only after a failure, or never."
    )
    budget: Budget | None = Field(
        None,
        description="How often it may be started again in which time before it is given up: 5 in 10m. "
        "embedded and systemd only; without one it is never given up.",
    )

    @model_serializer(mode="wrap")
    def _without_nothing(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A budget that is not given does not stand in the spec."""
        return {name: value for name, value in handler(self).items() if value is not None}


class Service(CommonSpec):
    """A program or container that is kept running."""

    supervisor: Annotated[str, *_word(*SUPERVISORS)] = Field(
        "auto",
        description="Which backend keeps it running: container, launchd, systemd, embedded (the supervisor that "
        "comes with reconciler), or auto for the one that fits.",
    )
    image: Image | None = Field(None, description="The container image, by tag or digest. Containers only.")
    pull: Annotated[str, *_word("missing", "always", "never")] = Field(
        "missing", description="When to fetch the image: when it is missing, always, or never."
    )
    command: Command | None = Field(
        None,
        description="What to run. A list is a program with its arguments; text is a line for /bin/sh. "
        "A container runs its image's own command if not given.",
    )
    working_directory: Directory | None = Field(None, description="The folder to run in.")
    environment: Environment = Field(
        default_factory=dict, description="Variables for the program. Not for secrets: they stand in clear."
    )
    user: User | None = Field(None, description="Whom it runs as. Only root may set it, except in a container.")
    scope: Scope | None = Field(
        None, description="user: the manager of your own session; system: that of the machine. root: system."
    )
    ports: list[Annotated[Published, BeforeValidator(_port_form)]] = Field(
        default_factory=list, description="Ports that it listens on: a number, or host, target, address, protocol."
    )
    volumes: list[Volume] = Field(
        default_factory=list, description="Volumes and folders of a container. Never deleted."
    )
    networks: list[Network] = Field(
        default_factory=list, description="Networks of a container, made when they are missing."
    )
    hostname: Text | None = Field(None, description="The host name inside a container.")
    restart: Restart = Field(
        default_factory=partial(Restart.model_validate, {}), description="What happens when it ends by itself."
    )
    stop: Stop = Field(default_factory=partial(Stop.model_validate, {}), description="How it is ended.")
    health: list[ProbeSpec] = Field(
        default_factory=list, description="Questions that a healthy service answers; they count as verify probes too."
    )

    def health_probes(self) -> list[ProbeSpec]:
        return self.health

    def probe_directory(self) -> str | None:
        """A container's folder is inside of it; its probes are asked from outside."""
        return folder_of(self.user, self.working_directory) if self.image is None else None

    @model_validator(mode="after")
    def _has_something_to_run(self) -> Service:
        if self.image is None and self.command is None:
            raise Invalid("has neither image nor command", hint="write what to run")
        if self.image is None and self.supervisor == "container":
            raise Invalid("is a container without an image", hint="write image")
        return self


Service.COMMON = CommonSpec.COMMON | {"health"}  # kept as verify probes
