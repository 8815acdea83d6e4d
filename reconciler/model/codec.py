"""Model values as JSON and back: one codec for saved plans, snapshots and the journal.

Driven by type annotations, so a new field needs no code here. Unknown or missing fields raise ValueError.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import Enum
from functools import cache
from typing import Any, TypeVar, cast

from reconciler.model.address import ResourceId, parse_address
from reconciler.model.data import Json

T = TypeVar("T")


_PLAIN = frozenset({str, int, float, bool, type(None)})
_STEP_NAMES = frozenset({"ApplyStep", "VerifyStep"})


def encode(value: object) -> Json:
    """A model value as plain JSON. Dataclasses become objects; fields that equal their default are left out."""
    cls = type(value)
    return cast(Json, value) if cls in _PLAIN else _encoder(cast(Any, cls))(value)


@cache
def _encoder(cls: Any) -> Callable[[Any], Json]:
    if issubclass(cls, ResourceId):
        return str
    if issubclass(cls, Enum):
        return lambda value: cast(Json, value.value)
    if issubclass(cls, str | int | float):
        return lambda value: cast(Json, value)
    if issubclass(cls, datetime):
        return lambda value: cast(str, value.astimezone(UTC).isoformat())
    if issubclass(cls, Mapping):
        return lambda value: {str(key): encode(item) for key, item in value.items()}
    if issubclass(cls, list | tuple):
        return lambda value: [encode(item) for item in value]
    return _dataclass_encoder(cls)


def _dataclass_encoder(cls: type) -> Callable[[Any], Json]:
    tag: dict[str, Json] = {"step": cls.__name__} if cls.__name__ in _STEP_NAMES else {}
    defaults = _defaults(cast(Any, cls))

    def write(value: Any) -> Json:
        found = dict(tag)
        for name, default in defaults:
            item = getattr(value, name)
            if default is dataclasses.MISSING or item != default:
                found[name] = encode(item)
        return found

    return write


@cache
def _defaults(cls: Any) -> tuple[tuple[str, object], ...]:
    return tuple((f.name, f.default) for f in dataclasses.fields(cls))


def decode(cls: type[T], data: Json) -> T:
    """The inverse of `encode`. Raises ValueError, naming the class and field, on data of another shape."""
    return cast(T, _decoder(cast(Any, cls))(data))


@cache
def _decoder(cls: Any) -> Callable[[Any], Any]:
    if cls is ResourceId:
        return parse_address
    if cls is datetime:
        return datetime.fromisoformat
    if cls in (str, int, bool):
        return _scalar(cls)
    if cls is float:
        return _number
    if isinstance(cls, type) and issubclass(cls, Enum):
        return cls
    if dataclasses.is_dataclass(cls):
        return _dataclass_decoder(cast(type, cls))
    return _generic_decoder(cls)


def _scalar(cls: type) -> Callable[[Any], Any]:
    def read(data: Any) -> Any:
        if type(data) is not cls:
            raise ValueError(f"expected {cls.__name__}, found {type(data).__name__}")
        return data

    return read


def _number(data: Any) -> float:
    if type(data) not in (int, float):
        raise ValueError(f"expected a number, found {type(data).__name__}")
    return float(data)


def _generic_decoder(cls: Any) -> Callable[[Any], Any]:
    origin, arguments = typing.get_origin(cls), typing.get_args(cls)
    if origin is tuple:
        item = _decoder(arguments[0])
        return lambda data: tuple(item(part) for part in _expect(list, data))
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        key, value = (_decoder(argument) for argument in arguments)
        return lambda data: {key(k): value(v) for k, v in _expect(dict, data).items()}
    if origin in (typing.Union, types.UnionType) and len(arguments) == 2 and type(None) in arguments:
        inner = _decoder(next(argument for argument in arguments if argument is not type(None)))
        return lambda data: None if data is None else inner(data)
    if origin in (typing.Union, types.UnionType) and {a.__name__ for a in arguments} == _STEP_NAMES:
        steps = {argument.__name__: _decoder(argument) for argument in arguments}
        return lambda data: steps[_expect(dict, data)["step"]]({k: v for k, v in data.items() if k != "step"})
    return lambda data: data  # Json itself


def _dataclass_decoder(cls: type) -> Callable[[Any], Any]:
    hints = _hints(cls)
    fields = {f.name: _decoder(hints[f.name]) for f in dataclasses.fields(cls)}

    def read(data: Any) -> Any:
        try:
            return cls(**{name: fields[name](value) for name, value in _expect(dict, data).items()})
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{cls.__name__}: {error}") from error

    return read


def _hints(cls: type) -> dict[str, Any]:
    """Annotations of a dataclass, with `Json` (a recursive alias) read as "anything"."""
    module = vars(__import__(cls.__module__, fromlist=["_"]))
    return typing.get_type_hints(cls, globalns={**module, "Json": Any, "datetime": datetime})


def _expect(cls: type, data: Any) -> Any:
    if not isinstance(data, cls):
        raise ValueError(f"expected {cls.__name__}, found {type(data).__name__}")
    return data
