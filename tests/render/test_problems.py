"""Problems and errors: the place, the line, a caret under the column, what to do."""

from __future__ import annotations

import json

import pytest

from reconciler.cli.render.characters import HIDDEN, cells
from reconciler.cli.render.github import problems_annotations
from reconciler.cli.render.json import json_text, problems_json
from reconciler.cli.render.problems import error_text, excerpt, problems_text
from reconciler.cli.render.problems_markdown import problems_markdown
from reconciler.model.errors import ApplyError, LoadError, Problem
from tests.render.test_golden import compare

PROBLEMS = (
    Problem("desired/crm.yaml", 4, 3, "unknown field 'shedule'", "did you mean schedule?", '  shedule: "0 6 * * *"'),
    Problem(
        "desired/brief.yaml", 7, 15, "a schedule has five fields, found 4", None, "  schedule:\t  '0 6 * *'  # früh"
    ),
    Problem("desired/wide.yaml", 2, 7, "not a number", "write 5", "名前: 五 x"),
    Problem("desired/evil.yaml", 1, 9, "control character \x1b", None, "a: \x1b[31m\u202eb"),
    Problem("desired/big.yaml", 0, 0, "the file is larger than 16 MiB", "split it"),
)


def test_the_problems_read_as_agreed() -> None:
    compare("../problems.txt", problems_text(LoadError(PROBLEMS)))


def test_the_annotations_of_problems_read_as_agreed() -> None:
    compare("../problems.github.txt", problems_annotations(PROBLEMS))


def test_the_comment_about_problems_reads_as_agreed() -> None:
    compare("../problems.md", problems_markdown(PROBLEMS))


def test_a_comment_about_very_many_problems_stays_short_and_counts_the_rest() -> None:
    many = [Problem("desired/a.yaml", line, 1, "x" * 200) for line in range(1, 2001)]
    comment = problems_markdown(many)
    shown = comment.count("\n- ")
    assert len(comment.encode()) < 60_000
    assert f"**{2000 - shown:,} more problems; `reconcile validate` shows everything.**" in comment


def test_problems_as_data_hide_secrets_of_the_lines_that_they_quote() -> None:
    text = json_text(
        problems_json([Problem("a.yaml", 3, 1, "is no number", None, "  command: job --token=sk-live-01234")])
    )
    assert json.loads(text)["problems"][0]["line"] == 3
    assert "sk-live" not in text


@pytest.mark.parametrize(
    ("line", "column", "under"),
    [
        ("a: b", 4, "b"),
        ("\ta: b", 2, "a"),
        ("名前: 五", 5, "五"),
        ("x\u0301y: z", 3, "y"),
        ("a: \x1b z", 6, "z"),
        ("x" * 500 + "HERE" + "y" * 500, 501, "H"),
    ],
)
def test_the_caret_stands_under_the_column(line: str, column: int, under: str) -> None:
    shown, caret = excerpt(line, column)
    assert caret is not None
    position = next(
        index for index in range(len(shown) + 1) if cells(shown[:index]) == caret and shown[index] == under
    )
    assert shown[position] == under
    assert cells(shown) < 125


def test_a_caret_may_stand_behind_the_line() -> None:
    assert excerpt("a:", 3) == ("a:", 2)
    assert excerpt("a:", 9) == ("a:", 2)


def test_an_error_says_what_where_and_what_to_do() -> None:
    message = "cannot install the crontab: it said\nbad \x1b[31mminute"
    error = ApplyError(message, where="crontab of root", hint="look at it")
    assert error_text(error) == (
        "error: cannot install the crontab: it said\n  bad \\x1b[31mminute\n"
        "  where: crontab of root\n  what to do: look at it\n"
    )


def test_only_our_own_colours_reach_the_terminal() -> None:
    plain = problems_text(LoadError(PROBLEMS))
    assert not HIDDEN.search(plain.replace("\n", ""))
    coloured = problems_text(LoadError(PROBLEMS), colour=True)
    for code in ("\x1b[1m", "\x1b[2m", "\x1b[1;31m", "\x1b[0m"):
        coloured = coloured.replace(code, "")
    assert coloured == plain
