"""The envelope around every kind's spec: apiVersion, kind, metadata, spec."""

from __future__ import annotations

import re
from typing import Annotated, Generic, TypeVar

from pydantic import AfterValidator, Field, PlainValidator, WithJsonSchema

from reconciler.kinds.common import CommonSpec
from reconciler.kinds.fields import Invalid, Model, Text, text
from reconciler.model.address import NAME_PATTERN

API_VERSION = "reconciler/v1"
SpecT = TypeVar("SpecT", bound=CommonSpec)
_NAME = re.compile(NAME_PATTERN)
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?")


def _name(value: object) -> str:
    found = text(value, what="a name")
    if _NAME.fullmatch(found) is None:
        raise Invalid(
            f"{found!r} is not a name",
            hint="use lower-case letters, digits, - and .; a letter or digit at both ends; at most 63 characters",
        )
    return found


def _description(value: object) -> str:
    found = text(value.replace("\n", " ") if isinstance(value, str) else value)
    return value.strip() if isinstance(value, str) else found


def _label(name: str) -> str:
    if _LABEL.fullmatch(name) is None:
        raise Invalid(
            f"{name!r} is not a label name", hint="use letters, digits, -, _, . and /; at most 63 characters"
        )
    return name


class Metadata(Model):
    """What the resource is called."""

    name: Annotated[
        str, PlainValidator(_name), WithJsonSchema({"type": "string", "pattern": f"^{NAME_PATTERN}$"})
    ] = Field(description="The name, unique among its kind: lower-case letters, digits, - and .")
    description: Annotated[str, PlainValidator(_description), WithJsonSchema({"type": "string"})] = Field(
        "", description="What it is for, in a person's words."
    )
    labels: dict[Annotated[str, AfterValidator(_label)], Text] = Field(
        default_factory=dict, description="Names with text values, to group resources by."
    )


class Manifest(Model, Generic[SpecT]):
    """One YAML document."""

    api_version: Text = Field(description=f"The format of the manifest: {API_VERSION}.")
    kind: Text = Field(description="What the manifest describes.")
    metadata: Metadata = Field(description="What the resource is called.")
    spec: SpecT = Field(description="What is wanted.")
