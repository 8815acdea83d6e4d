"""What `spec.ignore` may name, and what those fields are called in the state of a backend."""

from __future__ import annotations

from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from reconciler.kinds.common import STATE_PATH, CommonSpec

_STATE_NAMES = {"workingDirectory": "directory"}  # where a state has another word than the manifest


def state_path(path: str) -> str:
    """The same path as states spell it."""
    name, dot, rest = path.partition(".")
    return f"{_STATE_NAMES.get(name, name)}{dot}{rest}"


def refusal(path: object, spec: type[CommonSpec]) -> tuple[str, str | None] | None:
    """Why a path cannot be ignored, with a hint, or None where it can, or where it is no path at all."""
    if not isinstance(path, str) or STATE_PATH.fullmatch(path) is None:
        return None  # the model says that
    name, dot, _ = path.partition(".")
    own = {info.alias or field: info for field, info in spec.model_fields.items() if field not in spec.COMMON}
    if name not in own:
        from reconciler.load.messages import did_you_mean

        return f"{spec.__name__} has no field {name!r} that a host could change", did_you_mean(name, own)
    if dot and not _has_parts(own[name].annotation):
        return f"{name} has no parts that could be ignored one by one", f"write {name}"
    return None


def _has_parts(annotation: Any) -> bool:
    """Whether a field is a mapping, of names or of known fields."""
    origin = get_origin(annotation)
    if origin in (Annotated, Union, UnionType):
        return any(_has_parts(part) for part in get_args(annotation))
    return origin is dict or (isinstance(annotation, type) and issubclass(annotation, BaseModel))
