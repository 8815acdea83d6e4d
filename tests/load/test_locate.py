"""Where a field of a manifest stands, looked up again once somebody further on refuses it."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from reconciler.load.locate import locate
from reconciler.model.resource import Source
from tests.load.build import manifest, put

TWO = f"{manifest('a')}---\n# a comment\n{manifest('b', extra='  environment: {A: x, B: y}')}\n"


def place(file: Path, field: str | None, line: int = 9) -> tuple[int, int, str | None]:
    return locate(Source(str(file), line), field)


@pytest.fixture
def two(tmp_path: Path) -> Path:
    return put(tmp_path, {"a.yaml": TWO}) / "a.yaml"


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("schedule", (13, 13, '  schedule: "0 6 * * *"')),
        ("command[1]", (14, 21, "  command: [backup, b]")),
        ("environment.B", (15, 26, "  environment: {A: x, B: y}")),
        (None, (9, 1, "apiVersion: reconciler/v1")),
    ],
)
def test_a_field_is_found_in_its_own_document(
    two: Path, field: str | None, expected: tuple[int, int, str | None]
) -> None:
    assert place(two, field) == expected


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("missed", (12, 1, "spec:")),
        ("environment.C", (15, 3, "  environment: {A: x, B: y}")),
        ("command[7]", (14, 3, "  command: [backup, b]")),
        ("schedule.every", (13, 3, '  schedule: "0 6 * * *"')),
    ],
)
def test_a_field_that_is_not_written_is_its_nearest_key(
    two: Path, field: str, expected: tuple[int, int, str | None]
) -> None:
    assert place(two, field) == expected


def test_a_file_that_vanished_changed_or_broke_gives_the_line_of_the_document(two: Path) -> None:
    assert place(two, "schedule", line=8) == (8, 1, None)
    for content in (b"", b"x: [\n", b"\xff\xfe", b"a: 1\n---\nb: *c\n"):
        two.write_bytes(content)
        assert place(two, "schedule") == (9, 1, None)
    two.unlink()
    assert place(two, "schedule") == (9, 1, None)
    assert locate(Source("journal", 1), "schedule") == (1, 1, None)


def test_a_pipe_in_the_place_of_the_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.yaml")
    assert place(tmp_path / "a.yaml", "schedule") == (9, 1, None)


def test_a_large_file_is_not_read_anew_for_each_of_its_problems(tmp_path: Path) -> None:
    one = f"{manifest('a')}---\n"
    put(tmp_path, {"a.yaml": one * 300})
    start = time.monotonic()
    lines = [place(tmp_path / "a.yaml", "schedule", line=1 + index * one.count("\n"))[0] for index in range(300)]
    assert lines == [5 + index * one.count("\n") for index in range(300)]
    assert time.monotonic() - start < 10
