"""What a manifest may ask of the output of runs is what the runner can judge: neither more nor less."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.kinds.fields import Invalid
from reconciler.kinds.json_schema import KEYWORDS, SILENT, judgeable
from reconciler.runner import schema as runner

SOUND: list[Any] = [
    True, {}, {"type": ["string", "null"]}, {"type": "integer", "minimum": 1, "maximum": 2.5}, {"title": 1},
    {"properties": {"a": {"items": {"pattern": "^a"}}}, "required": ["a"]}, {"const": None}, {"enum": []},
    {"items": False}, {"minItems": 1, "minLength": 2.0},
]  # fmt: skip
WRONG: list[Any] = [
    3, None, {"minProperties": 1}, {"type": "text"}, {"type": ["string", 3]}, {"required": "a"}, {"required": [1]},
    {"properties": []}, {"properties": {"a": 1}}, {"properties": {"a": {"oneOf": []}}}, {"items": {"$ref": "#"}},
    {"items": 1}, {"enum": 1}, {"minimum": "1"}, {"maximum": True}, {"minLength": "3"}, {"minItems": 1.5},
    {"minItems": float("nan")},
    {"pattern": "("}, {"pattern": 1}, {"additionalProperties": False},
]  # fmt: skip


@pytest.mark.parametrize("schema", SOUND)
def test_what_both_take(schema: Any) -> None:
    judgeable(schema)
    runner.check(schema)


@pytest.mark.parametrize("schema", WRONG)
def test_what_both_refuse(schema: Any) -> None:
    with pytest.raises(Invalid):
        judgeable(schema)
    with pytest.raises(runner.Unusable):
        runner.check(schema)


def test_both_know_the_same_words() -> None:
    assert KEYWORDS.keys() == runner.KEYWORDS
    assert SILENT == runner.SILENT


def test_the_place_is_named() -> None:
    with pytest.raises(Invalid) as caught:
        judgeable({"properties": {"a": {"items": {"oneOf": []}}}})
    assert caught.value.path == ("properties", "a", "items", "oneOf")
