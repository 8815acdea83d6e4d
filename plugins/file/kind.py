"""The File kind: what a manifest may say about one file."""

from __future__ import annotations

import posixpath
import re
from typing import Annotated

from pydantic import Field, PlainValidator, WithJsonSchema, model_validator

from reconciler.kinds.common import CommonSpec
from reconciler.kinds.fields import Invalid, text

_TEMPLATE = """\
# Where it stands; the folder must exist.
path: /tmp/{name}
# What it holds, line by line; or `source: files/{name}`, a file beside this manifest.
content: |
  hello from {name}
mode: "0644"
# user or user:group; whoever applies if not given.
# owner: root:root
"""
_MODE = re.compile(r"[0-7]{3,4}")
_OWNER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(?::[A-Za-z0-9_][A-Za-z0-9_.-]*)?")


def _path(value: object) -> str:
    found = text(value, what="a path")
    if not found.startswith("/") or posixpath.normpath(found) != found or found == "/" or "\0" in found:
        raise Invalid(f"{found!r} is not an absolute path in its shortest form", hint="write for example /etc/motd")
    return found


def _content(value: object) -> str:
    if isinstance(value, str) and "\0" not in value:
        return value
    if isinstance(value, str):
        raise Invalid("must not contain a NUL character", hint="name a file that holds it in `source`")
    return text(value)


def _source(value: object) -> str:
    found = text(value, what="a path")
    if found.startswith("/") or posixpath.normpath(found) != found or found.split("/")[0] in ("", ".", ".."):
        raise Invalid(f"{found!r} leaves the folder of its manifest", hint="write a path below it: files/motd")
    return found


def _mode(value: object) -> str:
    if not isinstance(value, str) or _MODE.fullmatch(value) is None:
        raise Invalid("is not a file mode", hint='write it in quotes, for example "0644"')
    return value.rjust(4, "0")


def _owner(value: object) -> str:
    found = text(value, what="an owner")
    if _OWNER.fullmatch(found) is None:
        raise Invalid(f"{found!r} is not an owner", hint="write user or user:group")
    return found


def _string(check: object) -> tuple[PlainValidator, WithJsonSchema]:
    return (PlainValidator(check), WithJsonSchema({"type": "string"}))  # type: ignore[arg-type]


class File(CommonSpec):
    """One file with its content, mode and owner."""

    TEMPLATE = _TEMPLATE

    path: Annotated[str, *_string(_path)] = Field(description="Where it stands, absolute.")
    content: Annotated[str, *_string(_content)] | None = Field(None, description="What it holds, as text.")
    source: Annotated[str, *_string(_source)] | None = Field(
        None, description="The file that holds its content, relative to the manifest, not outside of its folder."
    )
    mode: Annotated[str, *_string(_mode)] = Field("0644", description='Its permission bits, such as "0644".')
    owner: Annotated[str, *_string(_owner)] | None = Field(
        None, description="user or user:group; whoever applies if not given."
    )

    @model_validator(mode="after")
    def _one_content(self) -> File:
        if (self.content is None) == (self.source is None):
            raise Invalid("must hold exactly one of content and source")
        return self
