"""What tests measured is said at the end of the run: `record_property("summary", …)` becomes one line."""

from __future__ import annotations

import pytest

import reconciler.testing.conformance  # noqa: F401 - before anybody imports the modules that it is made of


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    lines = sorted(
        str(value)
        for report in terminalreporter.getreports("passed")
        if report.when == "call"
        for name, value in report.user_properties
        if name == "summary"
    )
    if lines:
        terminalreporter.section("measured")
        for line in lines:
            terminalreporter.write_line(line)
