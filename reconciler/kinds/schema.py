"""What the models say about themselves: JSON Schema for editors, and the text of `explain`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from textwrap import wrap
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic.json_schema import models_json_schema

from reconciler.kinds.common import CommonSpec
from reconciler.kinds.envelope import API_VERSION, Manifest
from reconciler.model.duration import format_duration
from reconciler.model.errors import ReconcileError

_WIDTH = 100
Models = Mapping[str, type[CommonSpec]]


def json_schema(models: Models) -> dict[str, Any]:
    """JSON Schema (2020-12) of one manifest document: one of the kinds."""
    manifests: dict[str, type[BaseModel]] = {kind: _manifest(spec) for kind, spec in sorted(models.items())}
    pairs, shared = models_json_schema(
        [(model, "validation") for model in manifests.values()], ref_template="#/$defs/{model}"
    )
    definitions: dict[str, Any] = shared.get("$defs", {})
    alternatives = []
    for kind, model in manifests.items():
        schema = definitions.pop(pairs[(model, "validation")]["$ref"].rpartition("/")[2])
        schema["properties"]["apiVersion"]["const"] = API_VERSION
        schema["properties"]["kind"]["const"] = kind
        definitions[f"{kind}Manifest"] = schema
        alternatives.append({"$ref": f"#/$defs/{kind}Manifest"})
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"Manifest of {API_VERSION}",
        "oneOf": alternatives,
        "$defs": _without_null(definitions),
    }


def _manifest(spec: Any) -> type[Manifest[CommonSpec]]:
    return Manifest[spec]


def _without_null(schema: Any) -> Any:
    """The schema without the nulls that stand for "not given": in a manifest a field is left out instead."""
    if isinstance(schema, list):
        return [_without_null(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: _without_null(value) for key, value in schema.items()}
    if isinstance(found.get("title"), str):
        del found["title"]  # a field's name again, in other letters
    if found.get("default", "") is None:
        del found["default"]
    if {"type": "null"} in found.get("anyOf", ()):
        rest = [item for item in found["anyOf"] if item != {"type": "null"}]
        del found["anyOf"]
        found = {**rest[0], **found} if len(rest) == 1 else {"anyOf": rest, **found}
    return found


def field_names(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """The fields of a model as manifests spell them."""
    return {info.alias or name: info for name, info in model.model_fields.items()}


def model_at(model: type[BaseModel], path: Sequence[str | int]) -> type[BaseModel] | None:
    """The model that describes what `path` leads to, or None where that is not a mapping of known fields."""
    found: type[BaseModel] | None = model
    chosen = False  # the next step is a name that the manifest chooses, as under `secrets`
    for step in path:
        if isinstance(step, int) or chosen:
            chosen = False
            continue
        info = field_names(found).get(step) if found is not None else None
        if info is None:
            return None
        found = _inner_model(info.annotation)
        chosen = get_origin(info.annotation) is dict
    return found


def _inner_model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (Annotated, Union, UnionType, list, dict):
        return next((found for part in get_args(annotation) if (found := _inner_model(part))), None)
    return None


def explain(models: Models, address: str) -> str:
    """The documentation of a kind (`Automation`) or of one of its fields (`Automation.verify.within`)."""
    kind, *path = address.split(".")
    if kind not in models:
        raise _unknown(f"cannot explain {address}: there is no kind {kind}", kind, models)
    manifest = _manifest(models[kind])
    if path[:1] not in (["metadata"], ["spec"], ["apiVersion"], ["kind"]):
        path = ["spec", *path]
    parent = model_at(manifest, path[:-1])
    info = field_names(parent).get(path[-1]) if parent is not None else None
    if info is None and (below := model_at(manifest, path)) is not None:
        return "\n".join([address, "", *_wrapped("  ", "  ", below.__doc__ or ""), "", *_field_lines(below)])
    if info is None:
        known = field_names(parent) if parent is not None else {}
        raise _unknown(f"cannot explain {address}: {kind} has no such field", path[-1], known)
    below = _inner_model(info.annotation)
    if path == ["spec"]:
        return "\n".join([f"{kind}: {(models[kind].__doc__ or '').strip()}", "", *_field_lines(models[kind])])
    shown = ".".join(path[1:] if path[0] == "spec" else path)
    lines = [f"{kind}.{shown}{_requirement(info)}", "", *_wrapped("  ", "  ", str(info.description))]
    return "\n".join(lines + (["", *_field_lines(below)] if below is not None else []))


def _unknown(message: str, name: str, known: Mapping[str, object]) -> ReconcileError:
    close = get_close_matches(name, known, 1)
    listed = f"there are: {', '.join(sorted(known))}" if known else None
    return ReconcileError(message, hint=f"did you mean {close[0]}?" if close else listed)


def _requirement(info: FieldInfo) -> str:
    if info.is_required():
        return "  (required)"
    if info.default is None or info.default_factory is not None:
        return ""
    value = str(info.default).lower() if isinstance(info.default, bool) else info.default
    value = format_duration(info.default) if info.annotation is float else value
    return f"  (default: {value})" if value != "" else ""


def _field_lines(model: type[BaseModel]) -> list[str]:
    """A line per field: those of the kind itself first, what it takes over next, those of every kind last."""
    common = CommonSpec.model_fields if issubclass(model, CommonSpec) else {}
    rank = {
        info.alias: (name not in model.__annotations__) + (name in common)
        for name, info in model.model_fields.items()
    }
    fields = sorted(field_names(model).items(), key=lambda item: rank.get(item[0], 0))
    width = max(len(name) for name, _ in fields)
    lines: list[str] = []
    for name, info in fields:
        lines += _wrapped(f"  {name:<{width}}  ", " " * (width + 4), f"{info.description}{_requirement(info)}")
    return lines


def _wrapped(first: str, rest: str, text: str) -> list[str]:
    return wrap(text, _WIDTH, initial_indent=first, subsequent_indent=rest, break_long_words=False)
