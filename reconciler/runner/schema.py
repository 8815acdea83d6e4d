"""A small part of JSON Schema, told honestly: a keyword that is not checked is refused, never passed over. Pure."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any


_TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "integer": lambda value: (
        not isinstance(value, bool) and (isinstance(value, int) or (isinstance(value, float) and value.is_integer()))
    ),
}
KEYWORDS = frozenset(
    {
        "type", "required", "properties", "items", "enum", "const", "minimum", "maximum", "minLength", "pattern",
        "minItems",
    }
)  # fmt: skip
SILENT = frozenset({"$schema", "$id", "$comment", "title", "description", "default", "examples"})


class Unusable(Exception):
    """The schema itself is none that can be checked here."""


def check(schema: Any, place: str = "success.output.schema") -> None:
    """Raises Unusable, naming the place, for anything in the schema that would not be checked."""
    if isinstance(schema, bool):
        return
    if not isinstance(schema, dict):
        raise Unusable(f"{place} is no schema")
    for key in schema:
        if key not in KEYWORDS and key not in SILENT:
            raise Unusable(
                f"{place} has the keyword {key}, which is not supported; {', '.join(sorted(KEYWORDS))} are"
            )
    types = schema.get("type", [])
    for one in types if isinstance(types, list) else [types]:
        if one not in _TYPES:
            raise Unusable(f"{place}.type names {one!r}, which is no type")
    _check_shapes(schema, place)
    for name, inner in schema.get("properties", {}).items():
        check(inner, f"{place}.properties.{name}")
    if "items" in schema:
        check(schema["items"], f"{place}.items")


def _check_shapes(schema: Mapping[str, Any], place: str) -> None:
    shapes: dict[str, Callable[[Any], bool]] = {
        "required": lambda value: isinstance(value, list) and all(isinstance(item, str) for item in value),
        "properties": _TYPES["object"], "enum": _TYPES["array"], "minimum": _TYPES["number"],
        "maximum": _TYPES["number"], "minLength": _TYPES["integer"], "minItems": _TYPES["integer"],
        "pattern": _is_pattern,
    }  # fmt: skip
    for key, fits in shapes.items():
        if key in schema and not fits(schema[key]):
            raise Unusable(f"{place}.{key} makes no sense")


def _is_pattern(value: Any) -> bool:
    import re

    try:
        re.compile(value)
    except (re.error, TypeError):
        return False
    return True


def broken(schema: Any, value: Any, place: str = "$") -> str:
    """What of a checked schema the value breaks first; empty where it fits."""
    if isinstance(schema, bool):
        return "" if schema else f"{place} is not allowed"
    types = schema.get("type")
    if types is not None:
        names = types if isinstance(types, list) else [types]
        if not any(_TYPES[name](value) for name in names):
            return f"{place} is no {' or '.join(names)}"
    if "enum" in schema and not any(_equal(value, one) for one in schema["enum"]):
        return f"{place} is none of the values allowed"
    if "const" in schema and not _equal(value, schema["const"]):
        return f"{place} is not the one value allowed"
    if isinstance(value, dict):
        return _object(schema, value, place)
    if isinstance(value, list):
        return _array(schema, value, place)
    return _scalar(schema, value, place)


def _object(schema: Mapping[str, Any], value: Mapping[str, Any], place: str) -> str:
    for name in schema.get("required", []):
        if name not in value:
            return f"{place} has no {name}"
    for name, inner in schema.get("properties", {}).items():
        if name in value and (found := broken(inner, value[name], f"{place}.{name}")):
            return found
    return ""


def _array(schema: Mapping[str, Any], value: list[Any], place: str) -> str:
    if len(value) < schema.get("minItems", 0):
        return f"{place} has {len(value)} items, fewer than {schema['minItems']}"
    for number, item in enumerate(value if "items" in schema else ()):
        if found := broken(schema["items"], item, f"{place}[{number}]"):
            return found
    return ""


def _scalar(schema: Mapping[str, Any], value: Any, place: str) -> str:
    if isinstance(value, str):
        if len(value) < schema.get("minLength", 0):
            return f"{place} is shorter than {schema['minLength']} characters"
        if "pattern" in schema:
            import re

            if not re.search(schema["pattern"], value):
                return f"{place} does not match {schema['pattern']}"
    elif _TYPES["number"](value):
        if "minimum" in schema and value < schema["minimum"]:
            return f"{place} is {value}, less than {schema['minimum']}"
        if "maximum" in schema and value > schema["maximum"]:
            return f"{place} is {value}, more than {schema['maximum']}"
    return ""


def _equal(one: Any, other: Any) -> bool:
    """As JSON compares: 1 is 1.0, and true is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_equal, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    return bool(one == other)
