"""The part of JSON Schema that runs are judged by, as a manifest may write it.

Refuses what `runner/schema.py` could not judge, which would otherwise be known only once a run has ended.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from reconciler.kinds.fields import Invalid

TYPES = ("array", "boolean", "integer", "null", "number", "object", "string")
SILENT = frozenset({"$schema", "$id", "$comment", "title", "description", "default", "examples"})
Path = tuple[str | int, ...]


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _count(value: object) -> bool:
    return _number(value) and float(value).is_integer()  # type: ignore[arg-type]


def _words(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(word, str) for word in value)


def _types(value: object) -> bool:
    return all(one in TYPES for one in (value if isinstance(value, list) else [value]))


def _pattern(value: object) -> bool:
    try:
        return isinstance(value, str) and re.compile(value) is not None
    except re.error:
        return False


KEYWORDS: dict[str, tuple[Callable[[object], bool], str]] = {
    "const": (lambda _: True, "any value"),
    "enum": (lambda value: isinstance(value, list), "a list of values"),
    "items": (lambda value: isinstance(value, bool | dict), "a schema"),
    "maximum": (_number, "a number"),
    "minimum": (_number, "a number"),
    "minItems": (_count, "a whole number"),
    "minLength": (_count, "a whole number"),
    "pattern": (_pattern, "a regular expression"),
    "properties": (lambda value: isinstance(value, dict), "a mapping of names to schemas"),
    "required": (_words, "a list of names"),
    "type": (_types, f"one of {', '.join(TYPES)}, or a list of them"),
}


def judgeable(schema: object, path: Path = ()) -> None:
    """Raises Invalid, with the place, for the first keyword that no run could be judged by."""
    if isinstance(schema, bool):
        return
    if not isinstance(schema, dict):
        raise Invalid("is no schema", hint="write a mapping, true or false", path=path)
    for key, value in schema.items():
        if key in SILENT:
            continue
        if key not in KEYWORDS:
            cause = f"the keyword {key} of JSON Schema is not supported"
            raise Invalid(cause, hint=f"there are {', '.join(sorted(KEYWORDS))}", path=(*path, key))
        fits, wanted = KEYWORDS[key]
        if not fits(value):
            raise Invalid(f"must be {wanted}", path=(*path, key))
    for name, inner in schema.get("properties", {}).items():
        judgeable(inner, (*path, "properties", name))
    if "items" in schema:
        judgeable(schema["items"], (*path, "items"))
