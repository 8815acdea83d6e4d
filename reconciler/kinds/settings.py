"""The model of `reconciler.yaml`: what a host is called, which plugins load, how watch and prune behave.

Not a manifest: it describes how to work, never what a host should have.
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field, PlainValidator, WithJsonSchema

from reconciler.kinds.fields import Duration, Invalid, Model, Text, text

_HOST_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")
_DISTRIBUTION = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9])?")
_SHORTEST, _LONGEST = 10, 30 * 86400  # seconds between two looks at the host


def _host_name(value: object) -> str:
    found = text(value, what="a host name")
    if _HOST_NAME.fullmatch(found) is None:
        raise Invalid(f"{found!r} is not a host name", hint="use letters, digits, -, _ and .")
    return found


def _distribution(value: object) -> str:
    found = text(value, what="the name of a plugin")
    if _DISTRIBUTION.fullmatch(found) is None:
        raise Invalid(
            f"{found!r} is not the name of a plugin",
            hint="write the name of its folder in plugins/, or what pip installs it by",
        )
    return found


def _without_repeats(names: list[str]) -> list[str]:
    seen: dict[str, str] = {}
    for index, name in enumerate(names):
        key = re.sub(r"[-_.]+", "-", name).lower()  # as package indexes compare names
        if key in seen:
            raise Invalid(f"{name} stands here twice", path=(index,))
        seen[key] = name
    return names


def _interval(seconds: float) -> float:
    if not _SHORTEST <= seconds <= _LONGEST:
        raise Invalid("must be at least 10s and at most 30d", hint="5m is the default")
    return seconds


HostName = Annotated[str, PlainValidator(_host_name), WithJsonSchema({"type": "string"})]
Distribution = Annotated[str, PlainValidator(_distribution), WithJsonSchema({"type": "string"})]


class HostSettings(Model):
    """This host."""

    name: HostName | None = Field(None, description="How plans call this host; its own name if not given.")
    labels: dict[str, Text] = Field(default_factory=dict, description="What `placement` of a resource may ask for.")


class PruneSettings(Model):
    """When things that no manifest wants any more are removed."""

    enabled: bool = Field(True, description="Whether they are removed at all.")
    max_percent: int = Field(30, ge=0, le=100, description="Share of the inventory that one plan may remove.")
    max_count: int = Field(3, ge=0, description="So many may always be removed, whatever share of it they are.")


class WatchSettings(Model):
    """How `reconcile watch` works."""

    drift_interval: Annotated[Duration, AfterValidator(_interval)] = Field(
        300, description="How long between two looks at the host, when no file changes."
    )


class SettingsFile(Model):
    """The whole of `reconciler.yaml`. Every field may be left out."""

    host: HostSettings = Field(default_factory=lambda: HostSettings.model_validate({}), description="This host.")
    plugins: Annotated[list[Distribution], AfterValidator(_without_repeats)] = Field(
        default_factory=list,
        description="Plugins whose kinds and providers may be used: folders in plugins/, or distributions.",
    )
    prune: PruneSettings = Field(
        default_factory=lambda: PruneSettings.model_validate({}),
        description="When things that no manifest wants are removed.",
    )
    watch: WatchSettings = Field(
        default_factory=lambda: WatchSettings.model_validate({}), description="How `reconcile watch` works."
    )
