"""Formatting keeps meaning and comments; new manifests read back as what was meant."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.load.parse import read_fast, read_reference
from reconciler.load.text import decode
from reconciler.load.write import dump_manifests, format_manifest
from reconciler.model.data import Json
from reconciler.model.errors import LoadError, ReconcileError

UNEVEN = """\
# head

apiVersion:   reconciler/v1   # version
kind: Automation
metadata: {name: x,  labels: {a: 'b'}}
spec:
    # about the schedule
    schedule: "0 6 * * *"
    command:
    - "a"
    -   b # bee
---
# second
kind: 'Other'   # quoted
list: [a,   b]
# between
---

# third
a: b
# the end
"""

EVEN = """\
# head

apiVersion: reconciler/v1     # version
kind: Automation
metadata: {name: x, labels: {a: 'b'}}
spec:
    # about the schedule
    schedule: "0 6 * * *"
    command:
    - "a"
    - b   # bee
---
# second
kind: 'Other'   # quoted
list: [a, b]
# between
---
# third
a: b
# the end
"""


def fmt(text: str) -> str:
    return format_manifest("f.yaml", text.encode()).decode()


def read(text: str) -> list[Json]:
    source, unreadable = decode("f", text.encode())
    assert unreadable is None
    nodes, problems = read_reference(source)
    assert problems == []
    return [node.plain() for node in nodes]


def test_formatting_keeps_comments_quotes_and_its_own_indentation() -> None:
    assert fmt(UNEVEN) == EVEN
    assert fmt(EVEN) == EVEN


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("# only\n", "# only\n"),
        ("---\na: 1\n", "---\na: 1\n"),
        ("a:    1", "a: 1\n"),
        ("a:\n  - b\n  -   c: 1\n      d: 2\n", "a:\n  - b\n  - c: 1\n    d: 2\n"),
        ("a:\n- b\n-   c\n", "a:\n- b\n- c\n"),
        ("a: 012\nb: 1_000\nc: 0x1F\nd: yes\n", "a: 012\nb: 1_000\nc: 0x1F\nd: yes\n"),
        ("a: &x [1]\nb:  *x\n", "a: &x [1]\nb: *x\n"),
        ("a: |\n  x\n   # y\n  z\n", "a: |\n  x\n   # y\n  z\n"),
        ("a: b\r\nc:  d\r\n", "a: b\nc: d\n"),
        ("a:\n      # deep\n  b: c\n", "a:\n  # deep\n  b: c\n"),
    ],
)
def test_formatting_changes_layout_only(text: str, expected: str) -> None:
    assert fmt(text) == expected
    assert fmt(expected) == expected


def test_a_long_line_is_never_wrapped() -> None:
    text = f"a: {'word ' * 200}end\n"
    assert fmt(text) == text


@pytest.mark.parametrize("content", [b"a: [", b"a: 1\na: 2", b"\xff", b"a: !x b", b"\ta: b"])
def test_bad_yaml_is_not_formatted(content: bytes) -> None:
    with pytest.raises(LoadError) as caught:
        format_manifest("f.yaml", content)
    assert caught.value.problems[0].file == "f.yaml"


def test_what_the_round_trip_cannot_keep_is_left_alone() -> None:
    with pytest.raises(ReconcileError, match=r"cannot format f\.yaml: its meaning or its comments would not survive"):
        fmt("a: 2026-13-45\n")


keys = st.from_regex(r"\A[a-z]{1,6}\Z")
texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)
json_values = st.recursive(
    st.one_of(st.booleans(), st.integers(-(10**9), 10**9), texts),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=3)),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.dictionaries(keys, json_values, min_size=1, max_size=3), max_size=3))
def test_whatever_is_dumped_reads_back_the_same(documents: list[dict[str, Json]]) -> None:
    text = dump_manifests(documents)
    unprintable = set("\u2028\u2029\ufeff\ufffe\uffff")
    if not unprintable & set(text):
        assert read(text) == documents


def test_text_that_could_be_misread_is_quoted() -> None:
    command: list[Json] = [
        "no",
        "1",
        "",
        "12:30",
        "0x1",
        "*/5 * * * *",
        "a: b",
        "x # y",
        'a\\b"c',
        "plain",
        "-v",
        "~",
        "@x",
    ]
    text = dump_manifests([{"command": command}])
    assert read(text) == [{"command": command}]
    assert '- "no"\n' in text
    assert '- "12:30"\n' in text
    assert '- "*/5 * * * *"\n' in text
    assert "- plain\n" in text


def test_a_dumped_manifest_is_an_everyday_one() -> None:
    pytest.importorskip("ryaml")
    document: dict[str, Json] = {
        "apiVersion": "reconciler/v1",
        "kind": "Automation",
        "metadata": {"name": "x"},
        "spec": {"schedule": "*/5 * * * *", "command": ["sh", "-c", "a && b > /dev/null"], "workingDirectory": "~/x"},
    }
    assert read_fast(dump_manifests([document, document])) is not None
