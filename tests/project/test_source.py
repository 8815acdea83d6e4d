"""Limits on the shape of the source: size of files and functions, docstrings, no unfinished business."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "reconciler"
FILES = sorted(path for path in PACKAGE.rglob("*.py"))
MOST_LINES, MOST_FUNCTION_LINES, MOST_DOCSTRING_LINES = 300, 50, 5

# Path (or path:function) -> the most lines it may have, with the reason in a comment. Numbers only ever go down.
EXCEPTIONS: dict[str, int] = {}


def functions(tree: ast.Module) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def crowded(files: dict[str, str]) -> dict[str, int]:
    """Everything over its limit, with its size."""
    sizes = {name: len(text.splitlines()) for name, text in files.items()}
    found = {name: size for name, size in sizes.items() if size > EXCEPTIONS.get(name, MOST_LINES)}
    for name, text in files.items():
        for function, size in functions(ast.parse(text)):
            if size > EXCEPTIONS.get(f"{name}:{function}", MOST_FUNCTION_LINES):
                found[f"{name}:{function}"] = size
    return found


def sources() -> dict[str, str]:
    return {str(path.relative_to(PACKAGE)): path.read_text() for path in FILES}


def test_no_file_and_no_function_is_crowded() -> None:
    assert crowded(sources()) == {}


def test_the_limits_can_be_crossed() -> None:
    long_function = "def f():\n" + "    pass\n" * 50
    assert crowded({"a.py": "x = 1\n" * 301, "b.py": long_function}) == {"a.py": 301, "b.py:f": 51}


def test_every_exception_is_still_needed() -> None:
    texts = sources()
    sizes = {name: len(text.splitlines()) for name, text in texts.items()}
    sizes |= {f"{name}:{f}": size for name, text in texts.items() for f, size in functions(ast.parse(text))}
    slack = {name: (sizes.get(name), most) for name, most in EXCEPTIONS.items() if sizes.get(name) != most}
    assert slack == {}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_file_says_what_lives_there_in_at_most_five_lines(path: Path) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text()))
    assert docstring is not None
    assert len(docstring) > 1
    assert len(docstring.splitlines()) <= MOST_DOCSTRING_LINES


UNFINISHED = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b")


def test_what_remains_to_be_done_is_an_issue_and_not_a_comment() -> None:
    places = [
        *FILES,
        *(ROOT / "tests").rglob("*.py"),
        *(ROOT / "examples").rglob("*.py"),
        *(ROOT / "script").iterdir(),
    ]
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in places
        if path != Path(__file__) and path.is_file() and "__pycache__" not in path.parts
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if UNFINISHED.search(line)
    ]
    assert found == []


FORBIDDEN_NAMES = re.compile(r"(?:Manager|Helper|Utils?|Base|Impl)$|^(?:Base|Abstract)[A-Z]")


def test_classes_are_named_after_what_they_are() -> None:
    names = [
        node.name
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
    ]
    assert names
    assert [name for name in names if FORBIDDEN_NAMES.search(name)] == []
