"""The suite's table: every check has one level, and every outcome is counted in its cell."""

from __future__ import annotations

from itertools import chain

import pytest

from reconciler.testing.conformance import ProviderConformance
from reconciler.testing.levels import LEVELS, level_of
from tests.conformance_table import PROPERTY, REAL_LAUNCHD, table


def report(row: str, level: str, outcome: str, thin: str = "", why: str = "") -> pytest.TestReport:
    skipped = ("file.py", 1, f"Skipped: {why}") if why else None
    made = pytest.TestReport("a::b", ("a", 1, "b"), {}, outcome, skipped, "call")  # type: ignore[arg-type]
    made.user_properties = [(PROPERTY, [row, level, thin])]
    return made


def test_every_check_of_the_suite_has_exactly_one_level() -> None:
    checks = [name for name in dir(ProviderConformance) if name.startswith("test_")]
    assert sorted(chain(*LEVELS.values())) == checks
    assert level_of("test_something_else") is None


def test_passed_skipped_and_failed_checks_are_counted_in_their_cells_with_their_reasons() -> None:
    lines = table(
        {
            "passed": [report("crontab (real)", "undo", "passed") for _ in range(2)],
            "skipped": [report("crontab (real)", "undo", "skipped", why="needs root")],
            "failed": [report("port (in memory)", "truth", "failed")],
            "error": [report("port (in memory)", "truth", "failed", thin="every third call")],
        }
    )
    assert lines == [
        "                  basics  convergence  manners  truth     undo          faults  hostile",
        "crontab (real)    -       -            -        -         2, 1 skipped  -       -",
        "port (in memory)  -       -            -        2 FAILED  -             -       -",
        "thinned: port (in memory), truth: every third call",
        "skipped: crontab (real), undo: 1 x needs root",
    ]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("launchd (stand-in)", "launchd ran against a stand-in only, not on a Mac"),
        (REAL_LAUNCHD, "launchd ran on a real Mac"),
    ],
)
def test_it_is_said_whether_launchd_was_real(row: str, said: str) -> None:
    assert table({"passed": [report(row, "undo", "passed")]})[-1] == said


def test_nothing_is_said_where_the_suite_did_not_run() -> None:
    assert table({"passed": []}) == []
