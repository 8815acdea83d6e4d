"""Which worker runs what, and what a run says at its end: the conformance suite's table, and what tests measured.

`record_property("summary", …)` becomes one line.
"""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests import conformance_table

# A machine with much to do is no fault of a test. What is random is the same in every run, and new with --full.
settings.register_profile(
    "tests",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=not os.environ.get("RECONCILER_TEST_FULL"),
)
settings.load_profile("tests")


def pytest_itemcollected(item: pytest.Item) -> None:
    conformance_table.note(item)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    from xdist.scheduler import LoadScopeScheduling

    class ByEngine(LoadScopeScheduling):
        """A real engine serves one test at a time: so does one worker. So with `script/run` and its folder."""

        def _split_scope(self, nodeid: str) -> str:
            words = nodeid.lower()
            return next((alone for alone in ("docker", "podman", "project/test_run.py") if alone in words), nodeid)

    return ByEngine(config, log)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    outcomes = ("passed", "skipped", "failed", "error")
    lines = conformance_table.table({name: terminalreporter.getreports(name) for name in outcomes})
    if lines:
        terminalreporter.section("conformance suite: provider x level, checks passed")
        for line in lines:
            terminalreporter.write_line(line)
    measured = sorted(
        str(value)
        for report in terminalreporter.getreports("passed")
        if report.when == "call"
        for name, value in report.user_properties
        if name == "summary"
    )
    if measured:
        terminalreporter.section("measured")
        for line in measured:
            terminalreporter.write_line(line)
