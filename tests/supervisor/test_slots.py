"""Which slots are due, and which of the missed ones are made up for. Time is an argument."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from reconciler.journal.collect import CLAIMED
from reconciler.model.data import Json
from reconciler.supervisor.definitions import Automation, Program
from reconciler.supervisor.slots import AHEAD, BACK, MOST, decide, upcoming

BERLIN = ZoneInfo("Europe/Berlin")
UTC = ZoneInfo("UTC")
HOUR = 3600.0


def at(text: str, zone: ZoneInfo = BERLIN) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


def job(schedule: Json, missed: str = "skip", timezone: str = "") -> Automation:
    return Automation("x", Program(("true",)), schedule, timezone, missed)


def slots(automation: Automation, handled: float, now: float) -> list[tuple[float, str]]:
    return [(due.slot, due.trigger) for due in decide(automation, handled, now, BERLIN).runs]


def test_a_slot_is_due_once() -> None:
    six = at("2026-11-21T06:00")
    daily = job("0 6 * * *", timezone="Europe/Berlin")
    assert slots(daily, six - HOUR, six - 1) == []
    decision = decide(daily, six - HOUR, six + 0.2, BERLIN)
    assert decision == (((six, "schedule"),), six + 0.2, 0)
    assert slots(daily, decision.handled, six + 30) == []


@pytest.mark.parametrize(("missed", "expected"), [("skip", 0), ("latest", 1), ("all", 5)])
def test_slots_of_a_downtime(missed: str, expected: int) -> None:
    start = at("2026-11-21T00:30")
    decision = decide(job("0 * * * *", missed), start, start + 5 * HOUR, BERLIN)
    assert [due.trigger for due in decision.runs] == ["catch-up"] * expected
    assert decision.dropped == 5 - expected
    assert [due.slot for due in decision.runs] == [at(f"2026-11-21T0{hour}:00") for hour in range(1, 6)][
        5 - expected :
    ]


def test_a_run_that_is_due_now_does_for_the_latest() -> None:
    now = at("2026-11-21T06:00:30")
    assert slots(job("0 * * * *", "latest"), now - 5 * HOUR, now) == [(at("2026-11-21T06:00"), "schedule")]
    assert len(slots(job("0 * * * *", "all"), now - 5 * HOUR, now)) == 5


def test_making_up_is_bounded() -> None:
    now = at("2026-11-21T06:00:30")
    found = slots(job("* * * * *", "all"), now - 300 * 86400, now)
    assert len(found) == MOST + 1
    weekly = slots(job("0 5 * * *", "all"), now - 300 * 86400, now)
    assert len(weekly) == 7
    assert weekly[0][0] > now - BACK


def test_a_clock_that_jumps_back_repeats_no_slot_and_one_that_was_far_ahead_stops_nothing() -> None:
    six = at("2026-11-21T06:00")
    hourly = job("0 * * * *", "all")
    assert decide(hourly, six + 1, six - 3 * HOUR, BERLIN) == ((), six + 1, 0)
    assert decide(hourly, six + 2 * AHEAD, six, BERLIN) == ((), six, 0)
    assert slots(hourly, six, six + HOUR) == [(six + HOUR, "schedule")]


def test_a_time_that_is_skipped_in_spring_runs_once_and_one_that_comes_twice_in_autumn_too() -> None:
    early = job("30 2 * * *", "all", "Europe/Berlin")
    spring, autumn = at("2026-03-29T00:00"), at("2026-10-25T00:00")
    assert slots(early, spring, spring + 10 * HOUR) == [(at("2026-03-29T03:00"), "catch-up")]
    found = slots(early, autumn, autumn + 10 * HOUR)
    assert len(found) == 1


def test_an_interval_counts_from_the_epoch() -> None:
    assert upcoming(job({"every": 7}), 100.0, BERLIN) == 105
    assert upcoming(job({"every": 7}), 105.0, BERLIN) == 112
    assert slots(job({"every": 5}), 1000.0, 1031.0) == [(1030, "schedule")]
    assert len(slots(job({"every": 5}, "all"), 1000.0, 1031.0)) == 6
    assert upcoming(job({"at": "boot"}), 100.0, BERLIN) is None


def test_a_claim_stands_for_longer_than_missed_slots_are_looked_for() -> None:
    assert CLAIMED > BACK
