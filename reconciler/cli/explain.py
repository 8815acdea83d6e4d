"""`reconcile explain`: the documentation of a kind or a field, with its type and an example."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from reconciler.cli.session import DEFAULT_PATH, application

_TYPES = {"string": "text", "boolean": "true or false", "integer": "a whole number", "number": "a number"}


@click.command
@click.argument("field", metavar="[KIND[.FIELD...]]", required=False)
def command(field: str | None) -> int:
    """Explain KIND or one of its fields: meaning, type, default, example. Without it, list the kinds.

    \b
      reconcile explain Automation
      reconcile explain Automation.verify.within
    """
    from reconciler.kinds.schema import explain, json_schema

    kinds = application(Path(DEFAULT_PATH)).registry.kinds
    models = {name: kinds.spec_model(name) for name in sorted(kinds.targets)}
    if field is None:
        width = max(map(len, models))
        lines = [f"  {name:<{width}}  {(model.__doc__ or '').strip()}" for name, model in models.items()]
        sys.stdout.write(
            "\n".join(["Kinds of manifests:", "", *lines, "", f"More: reconcile explain {min(models)}\n"])
        )
        return 0
    text = explain(models, field).rstrip("\n")
    details = _details(json_schema(models), field)
    sys.stdout.write("\n".join([text, *(["", *details] if details else [])]) + "\n")
    return 0


def _details(schema: Mapping[str, Any], field: str) -> list[str]:
    """Type and example of a field, from the same schema that editors use; nothing for a whole kind."""
    kind, *path = field.split(".")
    if not path or path == ["spec"]:
        return []
    if path[0] not in ("metadata", "spec", "apiVersion", "kind"):
        path = ["spec", *path]
    definitions: Mapping[str, Any] = schema["$defs"]
    node: Mapping[str, Any] = definitions[f"{kind}Manifest"]
    for name in path:
        node = _below(node, name, definitions)
    lines = [f"  type: {shape}"] if (shape := _shape(node, definitions)) else []
    example = next(_examples(node, definitions), None)
    return lines if example is None else [*lines, f"  example: {path[-1]}: {_yaml(example)}"]


def _below(node: Mapping[str, Any], name: str, definitions: Mapping[str, Any]) -> Mapping[str, Any]:
    """The field of that name, also in the values of a mapping; or those values, where the manifest chooses names."""
    forms = list(_forms(node, definitions))
    values = [each["additionalProperties"] for each in forms if isinstance(each.get("additionalProperties"), dict)]
    forms += [form for each in values for form in _forms(each, definitions)]
    found: Mapping[str, Any] = next((each["properties"][name] for each in forms if name in _fields(each)), {})
    return found or (values[0] if values else {})


def _forms(node: Mapping[str, Any], definitions: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Every form that a value may take, references followed, lists opened."""
    if "$ref" in node:
        yield from _forms(definitions[node["$ref"].rpartition("/")[2]], definitions)
    for each in node.get("anyOf", ()):
        yield from _forms(each, definitions)
    if node.get("type") == "array":
        yield from _forms(node.get("items", {}), definitions)
    if "$ref" not in node and "anyOf" not in node:
        yield node


def _fields(node: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = node.get("properties", {})
    return found


def _shape(node: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """The type of a value in words."""
    if "$ref" in node:
        return _shape(definitions[node["$ref"].rpartition("/")[2]], definitions)
    if "anyOf" in node:
        return ", or ".join(dict.fromkeys(filter(None, (_shape(each, definitions) for each in node["anyOf"]))))
    if "const" in node:
        return str(node["const"])
    if "enum" in node:
        return "one of " + ", ".join(map(str, node["enum"]))
    kind = node.get("type")
    if kind == "array":
        return f"a list, each item {_shape(node.get('items', {}), definitions) or 'anything'}"
    if kind == "object":
        names = ", ".join(_fields(node))
        return f"a mapping with {names}" if names else f"a mapping of names to {_values(node, definitions)}"
    kinds = kind if isinstance(kind, list) else [kind]
    return " or ".join(_TYPES[each] for each in kinds if each in _TYPES)


def _values(node: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    values = node.get("additionalProperties")
    return (_shape(values, definitions) if isinstance(values, dict) else "") or "values"


def _examples(node: Mapping[str, Any], definitions: Mapping[str, Any]) -> Iterator[object]:
    yield from node.get("examples", ())
    for form in _forms(node, definitions):
        if node.get("type") != "array":
            yield from form.get("examples", ())
            yield from ([form["const"]] if "const" in form else form.get("enum", ())[:1])
            yield from ([True] if form.get("type") == "boolean" else ())


def _yaml(value: object) -> str:
    """A value as a manifest would spell it; quotes only where text could be read as something else."""
    if isinstance(value, str) and value[:1].isalpha() and value.replace("/", "").replace(".", "").isalnum():
        return value
    return json.dumps(value, ensure_ascii=False)
