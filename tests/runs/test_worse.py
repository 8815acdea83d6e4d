"""A plan warns of what it makes worse, and of nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from reconciler.runs.entry import Entry
from reconciler.runs.worse import Moved, worse
from tests.runs.build import table
from tests.runs.test_forecast import entry

BERLIN = ZoneInfo("Europe/Berlin")
TAKEN = datetime(2026, 11, 21, 5, 20, tzinfo=UTC)
FOUR = [(table("0 6 * * *", timezone=""), 4)]


def said(
    after: Entry, before: Entry | None = None, *, same: Any = (), gone: Any = (), taken: Any = TAKEN
) -> list[str]:
    return list(worse(same, [Moved(after, before)], gone, taken, BERLIN))


def test_a_minute_that_becomes_crowded_is_named_once() -> None:
    (text,) = said(entry("new"), same=FOUR)
    assert text == (
        "5 jobs would start in one minute, 2026-11-22 06:00, where 4 do now; this change brings new. "
        "6 more minutes of that week get fuller too. `reconcile forecast` shows the load."
    )


def test_a_crowded_minute_that_stays_as_it_is_or_gets_emptier_is_not_named() -> None:
    assert said(entry("a"), entry("a", takes=5.0), same=FOUR) == []
    assert said(entry("a"), same=FOUR, gone=[entry("b")]) == []
    assert said(entry("a", "1 6 * * *"), entry("a"), same=FOUR) == []


def test_below_the_threshold_nothing_is_said() -> None:
    assert said(entry("new"), same=[(table("0 6 * * *", timezone=""), 3)]) == []


def test_a_run_that_will_not_be_over_is_named_unless_it_never_was() -> None:
    slow, slower = entry("a", "*/5 * * * *", takes=400.0), entry("a", "*/4 * * * *", takes=400.0)
    assert said(slow) == [
        "Automation/a would start again before its last run is over: a run is expected to take 6m 40s."
    ]
    assert said(slower, slow) == []
    assert "95 % of its runs are over within 6m 40s" in said(replace(slow, measured=True))[0]


def test_a_start_in_a_skipped_hour_of_the_next_two_months_is_named() -> None:
    near, far = datetime(2027, 2, 10, tzinfo=UTC), datetime(2027, 1, 10, tzinfo=UTC)
    night = entry("night", "30 2 * * *")
    (text,) = said(night, taken=near)
    assert text == (
        "Automation/night falls into the time from 02:00 to 03:00 on 2027-03-28, which clocks skip: "
        "cron starts it when the clock resumes, at 03:00."
    )
    assert said(night, taken=far) == []
    assert said(entry("night", "15 2 * * *"), night, taken=near) == []
    assert said(entry("night", "30 4 * * *"), night, taken=near) == []


def test_a_start_that_never_comes_is_named() -> None:
    (text,) = said(entry("a", {"at": "login"}, provider="systemd"))
    assert text.startswith("Automation/a may never start: it starts when somebody logs in")
    assert said(entry("a", {"at": "login"}), entry("a", {"at": "login"}, takes=1.0)) == []


def test_many_of_one_sort_are_counted() -> None:
    many = [Moved(entry(f"a{n}", "*/5 * * * *", takes=400.0), None) for n in range(9)]
    found = worse([], many, [], TAKEN, BERLIN, crowd=99)
    assert len(found) == 4
    assert found[-1] == "6 more automations would overlap themselves."


@pytest.mark.parametrize("schedule", ["61 * * * *", {"every": 90}, {"at": "boot"}])
def test_what_no_clock_decides_collides_with_nothing(schedule: Any) -> None:
    found = said(entry("a", schedule, provider="systemd"), same=FOUR)
    assert all("may never start" in text for text in found)
