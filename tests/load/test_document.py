"""Files of other tools: one document, merge keys followed, every part with its line."""

from __future__ import annotations

import pytest

from reconciler.load.document import place_in, read_document
from reconciler.load.parse import read_reference
from reconciler.load.text import SourceText
from reconciler.model.errors import LoadError

MERGED = "a: &a\n  x: 1\n  y: 2\nb:\n  <<: *a\n  y: 3\n"


def test_merge_keys_stand_behind_what_the_mapping_says_itself() -> None:
    document = read_document("f.yaml", MERGED.encode())
    assert document.plain() == {"a": {"x": 1, "y": 2}, "b": {"y": 3, "x": 1}}
    assert [place_in("f.yaml", document, path) for path in (("b", "y"), ("b", "x"), ("b", "gone"), ())] == [
        "f.yaml:6",
        "f.yaml:2",
        "f.yaml:5",
        "f.yaml:1",
    ]


def test_manifests_still_refuse_them() -> None:
    _, problems = read_reference(SourceText("f.yaml", MERGED))
    assert [problem.message for problem in problems] == ["merge keys (<<) are not part of YAML 1.2"]
    nodes, problems = read_reference(SourceText("f.yaml", 'a: {"<<": {b: 1}}\n'))
    assert ([node.plain() for node in nodes], problems) == ([{"a": {"<<": {"b": 1}}}], [])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file holds nothing"),
        (b"a: 1\n---\nb: 2\n", "the file holds 2 documents, and one is expected"),
        (b"a: \xff\n", "the file is not UTF-8"),
        (b"a: [\n", "cannot read the YAML"),
        (b"a: !reset b\n", "the tag !reset is not allowed"),
    ],
)
def test_what_cannot_be_read_says_why(content: bytes, message: str) -> None:
    with pytest.raises(LoadError) as caught:
        read_document("f.yaml", content)
    assert caught.value.problems[0].message.startswith(message)
