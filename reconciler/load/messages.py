"""What a validation error says to a person, and where it points. Imported only when something is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError

from reconciler.kinds.fields import QUOTE, type_name
from reconciler.kinds.schema import field_names, model_at
from reconciler.load.nodes import Node, Step
from reconciler.load.text import SourceText
from reconciler.model.errors import Problem

_EXPECTED = {
    "string_type": "must be text",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "list_type": "must be a list",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
}


def problems_of(error: ValidationError, model: type[BaseModel], source: SourceText, node: Node) -> list[Problem]:
    """Every error of one document as problems."""
    return [_problem(detail, model, source, node) for detail in error.errors(include_url=False)]


def _problem(detail: Any, model: type[BaseModel], source: SourceText, node: Node) -> Problem:
    path: tuple[Step, ...] = detail["loc"]
    at_key = path[-1:] == ("[key]",)
    path = path[:-1] if at_key else path
    if detail["type"] == "missing":
        line, column = node.place(path)
        return source.problem(line, column, f"{spell(path)} is missing", _purpose(model, path))
    if detail["type"] == "extra_forbidden":
        line, column = node.place(path, key=True)
        return source.problem(line, column, *_unknown_field(model, path))
    cause = detail.get("ctx", {}).get("error")
    message, hint = _cause(detail, cause)
    path = _existing(node, (*path, *getattr(cause, "path", ())))
    if hint == QUOTE and (written := node.at(path).written) is not None:
        hint = f'quote it: "{written}"'
    line, column = node.place(path, key=at_key or detail["input"] is None)
    separator = " " if message.startswith(("must ", "has ", "is ", "holds ", "looks ", "carries ", "asks ")) else ": "
    return source.problem(line, column, f"{spell(path)}{separator}{message}", hint)


def _cause(detail: Any, cause: object) -> tuple[str, str | None]:
    if isinstance(cause, ValueError):
        return str(cause), getattr(cause, "hint", None)
    kind, found, context = detail["type"], detail["input"], detail.get("ctx", {})
    if kind in _EXPECTED:
        hint = "yes, no, on and off are text in YAML 1.2" if kind == "bool_type" and isinstance(found, str) else None
        return f"{_EXPECTED[kind]}, found {type_name(found)}", hint
    if kind == "greater_than_equal":
        return f"must be at least {context['ge']}, found {found}", None
    if kind == "less_than_equal":
        return f"must be at most {context['le']}, found {found}", None
    return f"is not valid: {detail['msg'][:1].lower()}{detail['msg'][1:]}", None


def _unknown_field(model: type[BaseModel], path: Sequence[Step]) -> tuple[str, str | None]:
    parent = model_at(model, path[:-1])
    known = field_names(parent) if parent is not None else {}
    name, around = str(path[-1]), spell(path[:-1])
    inside = f" in {around}" if around else ""
    return f"unknown field {name!r}{inside}", did_you_mean(name, known)


def did_you_mean(name: str, known: Mapping[str, object]) -> str | None:
    """The nearest known name, else the list of them."""
    folded = {each.lower(): each for each in known}
    close = get_close_matches(name.replace("_", "").replace("-", "").lower(), folded, 1)
    if close:
        return f"did you mean {folded[close[0]]}?"
    return f"known are {', '.join(sorted(known))}" if known else None


def _purpose(model: type[BaseModel], path: Sequence[Step]) -> str | None:
    parent = model_at(model, path[:-1])
    info = field_names(parent).get(str(path[-1])) if parent is not None else None
    return info.description if info is not None else None


def _existing(node: Node, path: Sequence[Step]) -> tuple[Step, ...]:
    """The part of a path that is written in the file: a short form has no place for the fields it stands for."""
    found: list[Step] = []
    for step in path:
        child = node.child(step)
        if child is None and node.members is None:
            continue
        if child is None:
            break
        found.append(step)
        node = child
    return tuple(found)


def spell(path: Sequence[Step]) -> str:
    """`spec.command[2]`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f"{'.' if text else ''}{step}"
    return text
