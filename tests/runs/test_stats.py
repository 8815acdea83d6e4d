"""Figures about many runs, on lists where they can be counted by hand."""

from __future__ import annotations

import pytest

from reconciler.model.run import Verdict
from reconciler.runs.stats import quantile, stats
from tests.runs.build import run


@pytest.mark.parametrize(
    ("values", "share", "wanted"),
    [([], 0.5, None), ([3.0], 0.95, 3.0), ([1.0, 2.0, 3.0, 4.0], 0.5, 2.0), (list(range(1, 101)), 0.95, 95)],
)
def test_a_quantile_is_a_value_that_was_measured(values: list[float], share: float, wanted: float | None) -> None:
    assert quantile(values, share) == wanted


def test_skipped_and_unfinished_runs_do_not_count_as_failures() -> None:
    found = stats(
        [
            run(0),
            run(1, verdict=Verdict.FAILED),
            run(2, verdict=Verdict.SKIPPED),
            run(3, took=None, verdict=Verdict.RUNNING),
        ]
    )
    assert (found.runs, found.succeeded, found.failed, found.skipped, found.rate) == (3, 1, 1, 1, 0.5)


def test_a_run_that_a_newer_one_ended_is_no_failure_and_one_that_a_signal_ended_is() -> None:
    ended = run(1, verdict=Verdict.STOPPED, reason="stopped by the newer run 20261121T060000Z (overlap: kill)")
    found = stats([run(0), ended, run(2)])
    assert (found.succeeded, found.failed, found.skipped, found.p95) == (2, 0, 1, 1.0)
    assert stats([run(0), run(1, verdict=Verdict.STOPPED, reason="stopped by SIGTERM to its runner")]).failed == 1


def test_a_runtime_that_doubles_is_rising_and_a_steady_one_is_not() -> None:
    assert stats([run(n, took=1.0 + n / 9) for n in range(10)]).rising
    assert not stats([run(n, took=1.0 + n % 2) for n in range(10)]).rising
    assert stats([run(n, took=1.0 + n) for n in range(4)]).trend is None


def test_failures_now_and_then_are_flaky_and_a_broken_job_is_not() -> None:
    flaky = [run(n, verdict=Verdict.FAILED if n % 3 == 0 else Verdict.SUCCEEDED) for n in range(12)]
    broken = [run(n, verdict=Verdict.SUCCEEDED if n < 6 else Verdict.FAILED) for n in range(12)]
    assert stats(flaky).flaky
    assert not stats(broken).flaky


def test_of_nothing_nothing_is_said() -> None:
    found = stats([])
    assert (found.runs, found.rate, found.p50, found.last) == (0, None, None, None)
