"""The health questions that a manifest may ask: exec, http, tcp, file, with their short forms.

Only their shape. Asking them is the business of `reconciler.health`.
"""

from __future__ import annotations

import re
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, WithJsonSchema, model_validator

from reconciler.kinds.fields import Command, Duration, Invalid, Model, Pattern, Text, one_of, text
from reconciler.model.data import Json

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_PRIVATE_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie", "x-api-key"})
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def _url(value: object) -> str:
    found = text(value, what="an http address")
    try:
        parts = urlsplit(found)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise Invalid(f"{found!r} is not an http address: {error}") from None
    if parts.scheme not in ("http", "https") or not host or any(ord(letter) <= 32 for letter in found):
        raise Invalid(f"{found!r} is not an http address", hint="write for example http://127.0.0.1:8080/health")
    if parts.username is not None or parts.password is not None:
        raise Invalid("holds a user name or password, which would stand readable in git and in every plan")
    return found


def _address(value: object) -> tuple[str, int] | None:
    match = (
        re.fullmatch(r"(\[[0-9A-Fa-f:.%]+\]|[^:\s\[\]/]+):([0-9]{1,5})", value) if isinstance(value, str) else None
    )
    return (match[1].strip("[]"), int(match[2])) if match else None


def _header_name(name: str) -> str:
    if _HEADER.fullmatch(name) is None:
        raise Invalid(f"{name!r} is not a header name")
    if name.lower() in _PRIVATE_HEADERS:
        raise Invalid("carries a secret, which would stand readable in git and in every plan")
    return name


def _path(value: object) -> str:
    found = text(value, what="a path")
    if not found.startswith(("/", "~/")):
        raise Invalid(f"must be an absolute path or start with ~/, found {found!r}")
    return found


_SIZE = re.compile(r"([0-9]{1,15})(B|kB|KiB|MB|MiB|GB|GiB)?")
_SIZES = {None: 1, "B": 1, "kB": 10**3, "KiB": 2**10, "MB": 10**6, "MiB": 2**20, "GB": 10**9, "GiB": 2**30}


def _size(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise Invalid(f"must be a size, found {value!r}", hint="write bytes, or for example 10kB or 4MiB")
    return int(match[1]) * _SIZES[match[2]]


Size = Annotated[int, PlainValidator(_size), WithJsonSchema({"type": ["integer", "string"], "examples": ["4MiB"]})]
Url = Annotated[str, PlainValidator(_url), WithJsonSchema({"type": "string", "format": "uri"})]
Path = Annotated[str, PlainValidator(_path), WithJsonSchema({"type": "string"})]
Headers = dict[Annotated[str, AfterValidator(_header_name)], Text]
Method = Annotated[str, PlainValidator(one_of(*METHODS)), WithJsonSchema({"enum": list(METHODS)})]


class ExecProbe(Model):
    """A command that must end well. It runs as the user who runs reconcile, in workingDirectory if there is one."""

    command: Command = Field(description="A list is a program with its arguments; text goes to /bin/sh.")
    exit_code: int = Field(0, ge=0, le=255, description="The exit status that counts as healthy.")
    timeout: Duration = Field(10, description="How long the command may take.")
    matches: Pattern | None = Field(None, description="A regular expression that its output must contain.")


class HttpProbe(Model):
    """An address that must answer."""

    url: Url = Field(description="The address to ask, http or https.")
    status: int = Field(200, ge=100, le=599, description="The status that counts as healthy.")
    within: Duration = Field(2, description="How long the answer may take.")
    method: Method = Field("GET", description="The request method.")
    headers: Headers | None = Field(None, description="Request headers; none that carry secrets.")
    json_: dict[str, Any] | None = Field(
        None, alias="json", description="Dotted paths in a JSON answer, each with the value that must stand there."
    )
    matches: Pattern | None = Field(None, description="A regular expression that the answer must contain.")


class TcpProbe(Model):
    """A port that must accept a connection."""

    address: Text = Field(description="Host name or address.")
    port: int = Field(ge=1, le=65535, description="Port number.")
    within: Duration = Field(2, description="How long connecting may take.")


class FileProbe(Model):
    """A file that must be there, or must not."""

    path: Path = Field(description="An absolute path, or one that starts with ~/.")
    exists: bool = Field(True, description="Whether the file must exist.")
    max_age: Duration | None = Field(None, description="How long ago it may have changed at most.")
    min_size: Size | None = Field(None, description="How large it must be at least.")
    matches: Pattern | None = Field(None, description="A regular expression that its content must contain.")

    @model_validator(mode="after")
    def _consistent(self) -> FileProbe:
        if not self.exists and (self.max_age, self.min_size, self.matches) != (None, None, None):
            raise Invalid("asks that the file is absent and also what it holds", hint="remove exists: false")
        return self


def _exec_form(value: object) -> object:
    return {"command": value} if isinstance(value, str | list) else value


def _http_form(value: object) -> object:
    return {"url": value} if isinstance(value, str) else value


def _tcp_form(value: object) -> object:
    if not isinstance(value, str):
        return value
    found = _address(value)
    if found is None:
        raise Invalid(f"must be host:port, found {value!r}")
    return {"address": found[0], "port": found[1]}


def _file_form(value: object) -> object:
    return {"path": value} if isinstance(value, str) else value


class ProbeSpec(Model):
    """One question: exactly one of exec, http, tcp, file."""

    exec: (
        Annotated[ExecProbe, BeforeValidator(_exec_form, json_schema_input_type=ExecProbe | list[str] | str)] | None
    ) = Field(
        None,
        description="Run a command: a list, text for the shell, or a mapping with command. "
        "It runs as the user who runs reconcile, in workingDirectory where the resource has one.",
    )
    http: Annotated[HttpProbe, BeforeValidator(_http_form, json_schema_input_type=HttpProbe | Url)] | None = Field(
        None, description="Ask an http address: the address, or a mapping with url."
    )
    tcp: Annotated[TcpProbe, BeforeValidator(_tcp_form, json_schema_input_type=TcpProbe | str)] | None = Field(
        None, description="Connect to a port: host:port, or a mapping with address and port."
    )
    file: Annotated[FileProbe, BeforeValidator(_file_form, json_schema_input_type=FileProbe | str)] | None = Field(
        None, description="Look at a file: its path, or a mapping with path."
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> ProbeSpec:
        if len(self.model_fields_set) != 1 or all(getattr(self, name) is None for name in self.model_fields_set):
            raise Invalid("must hold exactly one of exec, http, tcp and file")
        return self

    def plain(self) -> tuple[str, dict[str, Json]]:
        """Type and options; options that were not given and have no default are left out."""
        (name,) = self.model_fields_set
        options: dict[str, Json] = getattr(self, name).model_dump(by_alias=True, exclude_none=True)
        return name, options
