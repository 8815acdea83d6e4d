"""Runs and missed slots as one list."""

from __future__ import annotations

from datetime import timedelta

from reconciler.runs.listing import listing
from reconciler.runs.punctual import Fate, judge
from tests.runs.build import START, run, table

HOUR = timedelta(hours=1)


def told(*starts: float, until: float) -> list[tuple[float, int, float | None]]:
    """Minute, number of missed slots and lateness of each line."""
    runs = [run(each) for each in starts]
    slots = judge(table(), runs, START, START + timedelta(minutes=until))
    lines = listing(runs[::-1], [slot for slot in slots if slot.fate in (Fate.LATE, Fate.MISSED)])
    return [((line.at - START) / timedelta(minutes=1), len(line.missed), line.late) for line in lines]


def test_slots_missed_in_a_row_are_one_line_where_they_happened() -> None:
    assert told(60, 300, until=500) == [(480, 3, None), (300, 0, None), (240, 3, None), (60, 0, None)]


def test_a_late_run_says_by_how_much() -> None:
    assert told(70, until=100) == [(70, 0, 600.0)]


def test_slots_of_two_automations_stay_apart() -> None:
    slots = [
        slot
        for name in "ab"
        for slot in judge(table(name=name), (), START, START + 3.5 * HOUR)
        if slot.fate is Fate.MISSED
    ]
    lines = listing((), sorted(slots, key=lambda slot: slot.at))
    assert [(line.automation, len(line.missed)) for line in lines] == [("b", 3), ("a", 3)]
