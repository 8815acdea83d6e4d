"""The reference reader: the YAML 1.2 core schema, every place, every refusal."""

from __future__ import annotations

import pytest

from reconciler.load.parse import MAX_ALIASES, MAX_DEPTH, read_reference
from reconciler.load.text import decode
from reconciler.model.data import Json
from reconciler.model.errors import Problem


def read(content: str | bytes) -> tuple[list[Json], list[Problem]]:
    source, unreadable = decode("f", content.encode() if isinstance(content, str) else content)
    if unreadable:
        return [], [unreadable]
    nodes, problems = read_reference(source)
    return [node.plain() for node in nodes], problems


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"), ("on", "on"), ("Yes", "Yes"), ("12:30", "12:30"), ("2026-01-01", "2026-01-01"),
        ("1_000", "1_000"),
        ("012", 12), ("08", 8), ("0o14", 12), ("0xC", 12), ("+5", 5), ("-0", 0), ("1.10", 1.1), ("1e3", 1000.0),
        (".5", 0.5), ("true", True), ("FALSE", False), ("~", None), ("Null", None), ("", None), ("tRue", "tRue"),
        ("nan", "nan"), ("=", "="), ("0b1", "0b1"), ("'5'", "5"), ('"\\u0041"', "A"), ("!!str 5", "5"), ("! 5", "5"),
        ("!!float 5", 5), ("0x", "0x"), ("2.5.1", "2.5.1"),
    ],
)  # fmt: skip
def test_a_scalar_means_what_yaml_1_2_says(text: str, value: Json) -> None:
    documents, problems = read(f"a: {text}")
    assert problems == []
    assert documents == [{"a": value}]
    assert type(documents[0]["a"]) is type(value)  # type: ignore[index,call-overload]


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n---\n", "---\n# c\n---\nnull\n", "~"])
def test_an_empty_document_is_ignored(text: str) -> None:
    assert read(text) == ([], [])


@pytest.mark.parametrize(
    ("content", "line", "column", "message", "hint"),
    [
        ("a: 1\nb:\n  c: 2\n  c: 3\n", 4, 3, "the key 'c' stands here twice", "the first is in line 3"),
        ("{a: 1, a: 2}", 1, 8, "the key 'a' stands here twice", "the first is in line 1"),
        ("a:\n\t- b", 2, 1, "a tab stands in the indentation", "indent with spaces"),
        ("\ta: 1", 1, 1, "a tab stands in the indentation", "indent with spaces"),
        (b"\xef\xbb\xbfa: 1", 1, 1, "the file starts with a byte order mark (BOM)", "save it as UTF-8 without BOM"),
        ("a: 1".encode("utf-16"), 0, 0, "the file is UTF-16", "save it as UTF-8"),
        (
            "a: ü\nb: x".encode("latin-1"),
            1,
            4,
            "the file is not UTF-8: byte 0xfc cannot stand here",
            "save it as UTF-8",
        ),
        ("a: 1\nb: x\0y", 2, 5, "the file holds a NUL character", "remove it"),
        ("a: \x1b[31m", 1, 4, "the file holds the unprintable character U+001B", "remove it"),
        ("a: x\u2028y", 1, 5, "the file holds the unprintable character U+2028", "remove it"),
        (
            "%YAML 1.1\n---\na: no",
            2,
            1,
            "the file asks for YAML 1.1",
            "remove the %YAML line: manifests are YAML 1.2",
        ),
        ("%TAG ! tag:x,2000:\n---\na: 1", 2, 1, "%TAG lines are not allowed", "remove it"),
        ("a: !custom x", 1, 4, "the tag !custom is not allowed", None),
        (
            "a: !!python/name:os.system x",
            1,
            4,
            "the tag !!python/name:os.system is not allowed",
            None,
        ),
        ("a: !!binary aGk=", 1, 4, "the tag !!binary is not allowed", None),
        ("a: !x {b: c}", 1, 4, "the tag !x is not allowed", "remove it"),
        ("a: !!int x", 1, 4, "'x' is not a value of the tag !!int", None),
        ("1: a", 1, 1, "a key must be text, found the number 1", "quote it"),
        ("true: a", 1, 1, "a key must be text, found true", "quote it"),
        ("? [a]\n: b", 1, 3, "a key must be text, found a list or mapping", None),
        ("<<: {a: b}", 1, 1, "merge keys (<<) are not part of YAML 1.2", "write the fields out"),
        ("a: .inf", 1, 4, ".inf is not a number that can be used here", None),
        ("a: 1e999", 1, 4, "1e999 is too large a number", None),
        ("a: " + "9" * 5000, 1, 4, "this number is too long", None),
        ("a: &x [*x]", 1, 8, "the alias *x stands inside of what it repeats", None),
        ('a: "\\ud800"', 1, 4, "the text holds half of a surrogate pair", None),
        ("a: */5 * * * *", 1, 4, "the alias */5 repeats an anchor that is not there", None),
        ("a: * * * * *", 1, 5, "cannot read the YAML: expected alphabetic or numeric character", None),
        ("a: @daily", 1, 4, "cannot read the YAML: found character '@' that cannot start any token", None),
        ("a: b: c", 1, 5, "cannot read the YAML: mapping values are not allowed here", None),
        ("a: 'x", 1, 6, "cannot read the YAML: found unexpected end of stream", "a quote is opened and never closed"),
    ],
)
def test_what_is_refused_is_named_with_its_place(
    content: str | bytes, line: int, column: int, message: str, hint: str | None
) -> None:
    _, problems = read(content)
    assert len(problems) == 1
    assert (problems[0].line, problems[0].column) == (line, column)
    assert problems[0].message.startswith(message)
    if hint:
        assert problems[0].hint == hint


@pytest.mark.parametrize("text", ["a: */5 * * * *", "a: * * * * *"])
def test_an_unquoted_star_gets_the_advice_to_quote_it(text: str) -> None:
    (problem,) = read(text)[1]
    assert problem.hint == 'quote a value that starts with *, for example "*/5 * * * *"'


def test_an_excerpt_cannot_move_the_cursor_and_keeps_its_columns() -> None:
    (problem,) = read("ab: \x1b[2J")[1]
    assert problem.excerpt == "ab: \ufffd[2J"
    assert problem.column == 5


def test_a_few_aliases_are_written_out() -> None:
    documents, problems = read("a: &x [1, 2]\nb: *x\n---\nc: &x 3\nd: *x")
    assert problems == []
    assert documents == [{"a": [1, 2], "b": [1, 2]}, {"c": 3, "d": 3}]


def test_an_anchor_does_not_reach_the_next_document() -> None:
    (problem,) = read("a: &x 1\n---\nb: *x")[1]
    assert problem.line == 3


def test_an_alias_bomb_is_refused_before_it_grows() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    _, problems = read("\n".join(lines))
    assert [problem.message for problem in problems] == ["the file holds more than 100000 values"]


def test_too_many_aliases_are_refused() -> None:
    _, problems = read("a: &x 1\nb: [" + ", ".join(["*x"] * (MAX_ALIASES + 1)) + "]")
    assert problems[0].message == f"the file holds more than {MAX_ALIASES} aliases"


@pytest.mark.parametrize("content", ["[" * 5000, "a: " + "{a: " * 200, "- " * 200 + "a"])
def test_deep_nesting_is_refused(content: str) -> None:
    _, problems = read(content)
    assert problems[0].message == f"lists and mappings are nested deeper than {MAX_DEPTH}"


def test_depth_is_counted_through_aliases() -> None:
    nested = "[" * 30 + "]" * 30
    _, problems = read(f"a: &x {nested}\nb: {'[' * 30}*x{']' * 30}")
    assert problems[0].message == f"lists and mappings are nested deeper than {MAX_DEPTH}"


def test_several_refusals_of_one_file_are_reported_together() -> None:
    _, problems = read("a: !x 1\na: 2\nb: .inf\n1: c\n")
    assert [problem.line for problem in problems] == [1, 2, 3, 4]


def test_a_windows_file_reads_the_same() -> None:
    assert read("a: b\r\nc:\r\n  - d\r\n") == ([{"a": "b", "c": ["d"]}], [])
