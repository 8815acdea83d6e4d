"""What every kind's spec may hold besides its own fields, and how it becomes model values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field, PlainValidator, ValidationError, WithJsonSchema

from reconciler.kinds.fields import Duration, Invalid, Model, Text, one_of, text
from reconciler.kinds.probes import ProbeSpec
from reconciler.model.address import KIND_PATTERN, NAME_PATTERN, parse_address
from reconciler.model.data import Json

STATE_PATH = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:\.[A-Za-z0-9_-]+)*")


def _address(value: object) -> str:
    try:
        return str(parse_address(text(value, what="an address such as Automation/backup")))
    except Invalid:
        raise
    except ValueError as error:
        raise Invalid(str(error)) from None


def _state_path(value: object) -> str:
    found = text(value, what="the name of a field")
    if STATE_PATH.fullmatch(found) is None:
        raise Invalid(
            f"{found!r} is not the name of a field", hint="write for example schedule or environment.LOG_LEVEL"
        )
    return found


def _words(*choices: str, hint: str | None = None) -> Any:
    return (PlainValidator(one_of(*choices, hint=hint)), WithJsonSchema({"enum": list(choices)}))


HostName = Annotated[str, PlainValidator(text), WithJsonSchema({"type": "string"})]
Address = Annotated[
    str, PlainValidator(_address), WithJsonSchema({"type": "string", "pattern": f"^{KIND_PATTERN}/{NAME_PATTERN}$"})
]
StatePath = Annotated[str, PlainValidator(_state_path), WithJsonSchema({"type": "string"})]
ProtectWord = Annotated[str, *_words("delete", "replace")]
DriftWord = Annotated[str, *_words("revert", "report", "ignore")]


class VerifySpec(Model):
    """When a change to this resource counts as good."""

    within: Duration = Field(60, description="How long every probe may take to pass after a change.")
    stable_for: Duration = Field(0, description="How long all of them must then keep passing.")
    probes: list[ProbeSpec] = Field(
        default_factory=list, description="Questions that must be answered well: exec, http, tcp or file."
    )


class PlacementSpec(Model):
    """Which hosts a resource belongs to: everything given must hold."""

    hosts: list[HostName] = Field(default_factory=list, description="Names of hosts; any of them.")
    labels: dict[str, Text] = Field(default_factory=dict, description="Labels that the host must have.")
    platform: Annotated[str, *_words("linux", "darwin", hint="darwin is macOS")] | None = Field(
        None, description="linux or darwin."
    )


class CommonSpec(Model):
    """Fields that every kind shares."""

    COMMON: ClassVar[set[str]]
    TEMPLATE: ClassVar[str] = ""  # a spec to start from, in YAML, for `reconcile new`; {name} is the resource's

    depends_on: list[Address] = Field(
        default_factory=list, description="Addresses of resources that must stand first, such as Automation/backup."
    )
    verify: VerifySpec | None = Field(
        None, description="How a change is proven good; when it is not, the last stable state comes back."
    )
    protect: ProtectWord | None = Field(
        None, description="What must never happen to this resource: delete or replace. Outlives the manifest."
    )
    drift: DriftWord = Field(
        "revert", description="What to do when somebody else changes it: revert, report or ignore."
    )
    ignore: list[StatePath] = Field(
        default_factory=list, description="Fields that another party may change, such as schedule."
    )
    placement: PlacementSpec | None = Field(
        None, description="Which hosts it belongs to: by name, labels or platform. Every host if not given."
    )
    suspend: bool = Field(False, description="Leave the resource exactly as it is: not changed, not removed.")

    def health_probes(self) -> list[ProbeSpec]:
        """Probes that the kind has besides those of `verify`."""
        return []

    def probe_directory(self) -> str | None:
        """The folder that exec probes run in, or None for the one that reconcile runs in."""
        return None

    def plain(self) -> dict[str, Json]:
        """The kind's own fields as plain data in camelCase, defaults filled."""
        found: dict[str, Json] = self.model_dump(by_alias=True, exclude=self.COMMON)
        return found

    def implied_probes(self) -> list[tuple[str, dict[str, Json]]]:
        """Questions that follow from what the kind is, by type and options."""
        return []

    def implied_needs(self) -> list[str]:
        """Addresses that must stand first, besides those of `dependsOn`."""
        return []

    @classmethod
    def spec_data(cls, spec: Mapping[str, Json]) -> dict[str, Json]:
        """A spec as loading would make it. Raises ValueError with the first thing wrong, in words for people."""
        try:
            model = cls.model_validate(spec)
            return {**model.model_dump(by_alias=True, include=cls.COMMON), **model.plain()}
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(str(part) for part in first["loc"] if part != "[key]")
            raise ValueError(f"{place} {first['msg'].removeprefix('Value error, ')}") from None


CommonSpec.COMMON = set(CommonSpec.model_fields)
