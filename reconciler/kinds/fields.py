"""Field types that manifests are made of: durations, schedules, commands, environments.

Each checks itself and says in plain words what is wrong. What does not belong here: fields of one kind.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, PlainValidator, WithJsonSchema, field_validator
from pydantic.alias_generators import to_camel

from reconciler.model.data import Json
from reconciler.model.duration import parse_duration
from reconciler.model.schedule import normalise

_SCRIPT = "put the lines into a script and run that"
QUOTE = "put it in quotes"  # how it is written, the value does not tell: 007 is 7


class Invalid(ValueError):
    """A value that a field refuses. `path` leads from the field to the part that is wrong."""

    def __init__(self, message: str, *, hint: str | None = None, path: tuple[str | int, ...] = ()) -> None:
        super().__init__(message)
        self.hint = hint
        self.path = path


class Model(BaseModel):
    """Settings that every model of manifest data shares: exact types, no unknown fields, camelCase outside."""

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        frozen=True,
        alias_generator=to_camel,
    )

    @field_validator("*", mode="before")
    @classmethod
    def _has_a_value(cls, value: object) -> object:
        if value is None:
            raise Invalid("has no value", hint="write a value, or remove the field")
        return value


def type_name(value: object) -> str:
    """What a YAML value is, for people: "the number 5", "true", "a list"."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"the boolean {str(value).lower()}"
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, str):
        return f"{value[:60]!r}"
    return "a list" if isinstance(value, list) else "a mapping"


def text(value: object, *, what: str = "text", path: tuple[str | int, ...] = (), instead: str | None = None) -> str:
    """A string that fits on one line. Raises Invalid; numbers and booleans get the advice to quote them.

    `instead` is the advice for one that does not fit.
    """
    found = _string(value, what, path)
    if "\n" in found or "\r" in found or "\0" in found:
        raise Invalid("must not contain a line break or a NUL character", hint=instead, path=path)
    return found


def lines(value: object) -> str:
    """A string of any number of lines. A backend that writes lines of its own refuses what breaks them."""
    found = _string(value, "text", ())
    if "\0" in found:
        raise Invalid("must not contain a NUL character")
    return found


def _string(value: object, what: str, path: tuple[str | int, ...]) -> str:
    if isinstance(value, str):
        return value
    hint = None
    if isinstance(value, bool | int | float):
        hint = QUOTE
    elif value is None:
        hint = "write a value, or remove the field"
    raise Invalid(f"must be {what}, found {type_name(value)}", hint=hint, path=path)


def _duration(value: object) -> int | float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise Invalid(f"{value} has no unit", hint=f"write {value}s, or for example 500ms, 5m or 1h30m")
    return parse_duration(text(value, what="a duration such as 30s"))


def _schedule(value: object) -> Json:
    if isinstance(value, str | dict):
        return normalise(value)
    raise Invalid(
        f"must be a schedule, found {type_name(value)}",
        hint='write five cron fields ("0 6 * * *"), @daily, {every: 5m} or {at: boot}',
    )


def command(value: object) -> str | list[str]:
    """A program with its arguments, or a line for the shell."""
    if isinstance(value, str):
        if not value.strip():
            raise Invalid("is empty", hint="write the program to run")
        return text(value, instead=_SCRIPT)
    if not isinstance(value, list):
        raise Invalid(f"must be a list of arguments or text for the shell, found {type_name(value)}")
    arguments = [text(item, path=(index,), instead=_SCRIPT) for index, item in enumerate(value)]
    if not arguments or not arguments[0].strip():
        raise Invalid("is empty", hint="write the program to run as the first item", path=(0,) if arguments else ())
    return arguments


_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SECRET = re.compile(
    r"(?:.*_)?(?:TOKEN|PASSWORD|PASSWD|SECRET|API_KEY|APIKEY|PRIVATE_KEY|CREDENTIALS)", re.IGNORECASE
)


def variable_name(name: str) -> str:
    """The name of an environment variable that may be shown to anybody."""
    if _NAME.fullmatch(name) is None:
        raise Invalid(f"{name!r} is not a variable name", hint="use letters, digits and _, not a digit first")
    if _SECRET.fullmatch(name) is not None:
        raise Invalid(
            "looks like a secret, which would stand readable in the crontab, in git and in every plan",
            hint="write under secrets where it is kept",
        )
    return name


def one_of(*choices: str, hint: str | None = None) -> Callable[[object], str]:
    """A validator for a word from a short list."""

    def check(value: object) -> str:
        if isinstance(value, str) and value in choices:
            return value
        listed = " or ".join([", ".join(choices[:-1]), choices[-1]])
        raise Invalid(f"must be {listed}, found {type_name(value)}", hint=hint)

    return check


def _pattern(value: object) -> str:
    found = text(value, what="a regular expression")
    try:
        re.compile(found)
    except re.error as error:
        raise Invalid(f"is not a regular expression: {error}") from None
    return found


def _schema(kind: str, **more: Any) -> WithJsonSchema:
    return WithJsonSchema({"type": kind, **more})


_ONE_DURATION = r"^(?=\d)(\d+d)?(\d+h)?(\d+m(?!s))?(\d+s)?(\d+ms)?$"
_CRON = {"type": "string", "description": "five cron fields, or @daily and its like", "examples": ["0 6 * * *"]}
_EVERY = {"every": {"type": "string", "pattern": _ONE_DURATION}}
_AT = {"at": {"enum": ["boot", "login"]}}
_SCHEDULE_FORMS = [
    _CRON,
    {"type": "object", "properties": _EVERY, "required": ["every"], "additionalProperties": False},
    {"type": "object", "properties": _AT, "required": ["at"], "additionalProperties": False},
]
_COMMAND_FORMS = [{"type": "array", "items": {"type": "string"}, "minItems": 1}, {"type": "string", "minLength": 1}]

Text = Annotated[str, PlainValidator(text), _schema("string")]
Duration = Annotated[float, PlainValidator(_duration), _schema("string", pattern=_ONE_DURATION, examples=["30s"])]
Schedule = Annotated[Any, PlainValidator(_schedule), WithJsonSchema({"anyOf": _SCHEDULE_FORMS})]
Command = Annotated[Any, PlainValidator(command), WithJsonSchema({"anyOf": _COMMAND_FORMS})]
Pattern = Annotated[str, PlainValidator(_pattern), _schema("string", format="regex")]
Environment = dict[
    Annotated[str, AfterValidator(variable_name)], Annotated[str, PlainValidator(lines), _schema("string")]
]
