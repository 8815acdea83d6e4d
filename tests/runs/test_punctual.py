"""Slots and their runs: on time, late, missing, and through changes of the clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from reconciler.runs.punctual import Fate, judge
from reconciler.runs.slots import slots
from tests.runs.build import START, run, table

HOUR = timedelta(hours=1)


def fates(*runs: float, until: float = 200, **more: object) -> list[str]:
    found = judge(table(**more), [run(each) for each in runs], START, START + timedelta(minutes=until))
    return [slot.fate.value for slot in found]


def test_a_run_in_its_window_is_on_time() -> None:
    assert fates(60.01, 120.9, 180) == ["ran", "ran", "ran"]


def test_a_run_after_its_window_is_late_and_one_that_never_came_is_missed() -> None:
    assert fates(65, 180.5) == ["late", "missed", "ran"]
    assert fates(65, start_window=600.0) == ["ran", "missed", "missed"]


def test_a_slot_that_may_still_come_is_due() -> None:
    assert fates(60, 120, until=181) == ["ran", "ran", "due"]
    assert fates(60, 120, until=184) == ["ran", "ran", "missed"]


def test_a_run_that_names_its_slot_counts_for_that_one() -> None:
    late = run(130, scheduled=START + HOUR)
    found = judge(table(), [late], START, START + 2 * HOUR)
    assert [(slot.fate, slot.delay) for slot in found] == [(Fate.LATE, 70 * 60.0), (Fate.DUE, None)]


def test_a_manual_run_fills_no_slot() -> None:
    found = judge(table(), [run(60, trigger="manual")], START, START + HOUR * 1.5)
    assert [slot.fate for slot in found] == [Fate.MISSED]


def test_boot_and_login_have_no_slots() -> None:
    assert not list(slots(table({"at": "boot"}), START, START + 24 * HOUR))


def test_an_interval_of_the_embedded_scheduler_counts_from_the_epoch() -> None:
    found = list(slots(table({"every": 90}, provider="embedded"), START, START + timedelta(seconds=200)))
    assert [slot.timestamp() % 90 for slot in found] == [0, 0]
    assert not list(slots(table({"every": 90}), START, START + timedelta(seconds=200)))


@pytest.mark.parametrize(
    ("day", "wanted"),
    [
        ("2026-03-29", ["01:00"]),  # 02:30 does not exist in Berlin: cron runs it when the clock resumes, 03:00 local
        ("2026-10-25", ["00:30"]),  # 02:30 exists twice: a fixed time runs once
        ("2026-06-01", ["00:30"]),
    ],
)
def test_a_change_of_the_clock_gives_one_slot(day: str, wanted: list[str]) -> None:
    start = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo("Europe/Berlin"))
    found = slots(table("30 2 * * *", timezone="Europe/Berlin"), start, start + timedelta(hours=12))
    assert [slot.astimezone(UTC).strftime("%H:%M") for slot in found] == wanted
