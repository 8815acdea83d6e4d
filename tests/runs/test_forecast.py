"""Load, collisions, overlaps and changes of the clock, on tables that can be counted by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from reconciler.runs.entry import Entry
from reconciler.runs.forecast import Forecast, forecast
from tests.runs.build import table

BERLIN = ZoneInfo("Europe/Berlin")
START = datetime(2026, 11, 21, 5, 20, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def entry(name: str, schedule: Any = "0 6 * * *", *, takes: float | None = None, **more: Any) -> Entry:
    foreign, never = more.pop("foreign", ""), more.pop("never", "")
    return Entry(table(schedule, **{"name": name, "timezone": "", **more}), takes, foreign=foreign, never=never)


def of(
    *entries: Entry, start: datetime = START, length: timedelta = DAY, crowd: int = 5, zone: Any = UTC
) -> Forecast:
    return forecast(entries, start, length, zone, crowd)


def test_minutes_with_many_starts_are_found_worst_first() -> None:
    found = of(
        entry("a", "0 * * * *"), entry("b", "0 * * * *"), entry("c", "0 6,7 * * *"), entry("d", "0 7 * * *"), crowd=3
    )
    assert [(f"{one.first:%H:%M}", one.names, one.minutes) for one in found.collisions] == [
        ("07:00", ("a", "b", "c", "d"), 1),
        ("06:00", ("a", "b", "c"), 1),
    ]
    assert (found.crowded.bit_count(), found.fullest, found.starts) == (2, 4, 24 + 24 + 2 + 1)


def test_equal_collisions_are_counted_together() -> None:
    found = of(entry("a", "0 * * * *"), entry("b", "0 * * * *"), crowd=2)
    assert [(one.names, one.minutes) for one in found.collisions] == [(("a", "b"), 24)]


def test_below_the_threshold_nothing_collides() -> None:
    assert of(*(entry(name) for name in "abcd")).collisions == ()
    assert len(of(*(entry(name) for name in "abcde")).collisions) == 1


def test_foreign_entries_collide_with_ours() -> None:
    found = of(entry("ours"), entry("theirs", foreign="crontab of root, line 3"), crowd=2)
    assert [one.names for one in found.collisions] == [("ours", "theirs")]


def test_the_load_of_each_hour() -> None:
    found = of(
        entry("poll", "*/10 * * * *", takes=30.0),
        entry("long", "50 6 * * *", takes=2400.0),  # 10 minutes in one hour, 30 in the next
        length=3 * HOUR,
    )
    hours = [(f"{hour.at:%H:%M}", hour.starts, hour.busy, hour.peak) for hour in found.hours]
    assert hours == [
        ("05:00", 3, 3 * 30, 1),
        ("06:00", 7, 6 * 30 + 600, 2),
        ("07:00", 6, 6 * 30 + 1800, 2),
        ("08:00", 3, 3 * 30, 1),
    ]


def test_hours_begin_where_the_clock_of_the_host_has_them() -> None:
    found = of(entry("a", "0 * * * *"), zone=ZoneInfo("Asia/Kolkata"), length=2 * HOUR)
    assert [f"{hour.at:%H:%M}" for hour in found.hours] == ["04:30", "05:30", "06:30"]


def test_an_interval_below_a_minute_counts_every_start() -> None:
    found = of(entry("fast", {"every": 20}, provider="embedded"), length=2 * HOUR)
    assert found.starts == 360
    assert [hour.starts for hour in found.hours][1] == 180
    assert found.fullest == 3
    assert [f"{at:%H:%M:%S}" for at in found.rows[0].next] == ["05:20:20", "05:20:40", "05:21:00"]


def test_an_interval_below_a_minute_collides_with_others_and_not_with_itself() -> None:
    fast = entry("fast", {"every": 10}, provider="embedded")
    assert of(fast).collisions == ()
    (found,) = of(fast, entry("a", "0 6 * * *"), crowd=7).collisions
    assert (f"{found.first:%H:%M}", found.names, found.starts, found.minutes) == ("06:00", ("a", "fast"), 7, 1)
    assert of(fast, entry("a", "0 6 * * *"), crowd=8).collisions == ()


@pytest.mark.parametrize(
    ("schedule", "takes", "times"),
    [
        ("*/5 * * * *", 300.0, 0),  # over when the next begins
        ("*/5 * * * *", 301.0, 11),
        ("0,50 * * * *", 601.0, 1),  # from :50 to :00
        ("* * * * *", 60.0, 0),
        ("* * * * *", 61.0, 59),
        ("*/5 * * * *", None, 0),
    ],
)
def test_a_start_before_the_last_run_is_over(schedule: str, takes: float | None, times: int) -> None:
    found = of(entry("a", schedule, takes=takes), length=HOUR)
    assert sum(one.times for one in found.overlaps) == times


def test_an_interval_overlaps_where_a_run_takes_longer() -> None:
    assert of(entry("a", {"every": 30}, provider="embedded", takes=31.0)).overlaps
    assert not of(entry("a", {"every": 30}, provider="embedded", takes=29.0)).overlaps


@pytest.mark.parametrize(
    ("provider", "schedule", "wanted"),
    [
        ("crontab", "30 2 * * *", "cron starts it when the clock resumes, at 03:00"),
        ("embedded", "30 2 * * *", "the embedded scheduler starts it when the clock resumes, at 03:00"),
        ("systemd", "30 2 * * *", "systemd leaves this start out"),
        ("launchd", "30 2 * * *", "launchd does not say: expect a start up to an hour late, or none"),
        ("crontab", "0 */2 * * *", "cron leaves this start out"),
        ("crontab", "*/5 * * * *", None),
        ("crontab", "30 3 * * *", None),
        ("crontab", "30 2 * * 1", None),  # the 29th is a Sunday
        ("crontab", "@reboot", None),
    ],
)
def test_what_a_skipped_hour_does(provider: str, schedule: str, wanted: str | None) -> None:
    found = of(entry("a", schedule, provider=provider), start=datetime(2026, 3, 28, 12, tzinfo=UTC), zone=BERLIN)
    (change,) = found.changes
    assert (change.skips, change.inside) == (True, True)
    assert (f"{change.first:%d %H:%M}", f"{change.last:%H:%M}") == ("29 02:00", "03:00")
    assert [effect.does for effect in change.effects] == ([wanted] if wanted else [])


@pytest.mark.parametrize(
    ("provider", "schedule", "wanted"),
    [
        ("crontab", "30 2 * * *", "cron starts it the first time only"),
        ("crontab", "30 * * * *", None),
        ("crontab", "*/30 2-4 * * *", "cron starts it both times"),
        ("systemd", "20 * * * *", "systemd starts it the first time only"),
        ("systemd", "*/15 * * * *", None),
        ("launchd", "30 2 * * *", "launchd does not say: it may start twice"),
    ],
)
def test_what_a_repeated_hour_does(provider: str, schedule: str, wanted: str | None) -> None:
    found = of(entry("a", schedule, provider=provider), start=datetime(2026, 10, 24, 12, tzinfo=UTC), zone=BERLIN)
    (change,) = found.changes
    assert (change.skips, f"{change.at:%d %H:%M}") == (False, "25 01:00")
    assert [effect.does for effect in change.effects] == ([wanted] if wanted else [])


def test_the_next_change_is_named_where_the_period_has_none_and_each_zone_has_its_own() -> None:
    found = of(entry("a"), entry("b", timezone="America/New_York", provider="systemd"), zone=BERLIN)
    assert [(change.zone, f"{change.at:%Y-%m-%d}", change.inside) for change in found.changes] == [
        ("America/New_York", "2027-03-14", False),
        ("", "2027-03-28", False),
    ]
    assert of(entry("a")).changes == ()


@pytest.mark.parametrize(
    ("schedule", "more", "says", "never"),
    [
        ({"at": "login"}, {"provider": "launchd"}, "it starts when somebody logs in", False),
        ({"every": 5400}, {"provider": "systemd"}, "it starts every 1h 30m, counted from an instant", False),
        ("0 0 13 * 5", {}, "on day 13 of the month and also on every Friday", False),
        ("0 0 1,15 * 1,3", {}, "on days 1,15 of the month and also on every Monday and Wednesday", False),
        ("0 0 */2 * 1", {}, "on a Monday whose day of the month is in */2", False),
        ("0 12 29 2 *", {}, "it starts next on 2028-02-29", False),
        ("61 0 * * *", {}, "its schedule cannot be read", True),
        ("0 6 * * *", {"timezone": "Mars/Olympus"}, "there is no time zone", True),
        ("0 6 * * *", {"never": "systemd cannot be used here"}, "systemd cannot be used here", True),
    ],
)
def test_what_does_not_start_as_it_reads(schedule: Any, more: dict[str, Any], says: str, never: bool) -> None:
    (remark,) = of(entry("a", schedule, **more)).remarks
    assert says in remark.says
    assert remark.never is never


@pytest.mark.parametrize("schedule", ["0 6 * * *", "@daily", "@reboot", {"at": "boot"}, "0 0 1 * *", "0 0 1-31 * 1"])
def test_a_plain_schedule_needs_no_remark(schedule: Any) -> None:
    assert of(entry("a", schedule)).remarks == ()


def test_what_starts_after_the_period_has_a_next_start_too() -> None:
    (row,) = of(entry("a", "0 6 1 * *")).rows
    assert (row.starts, row.next) == (0, (datetime(2026, 12, 1, 6, tzinfo=UTC),))


def test_of_nothing_there_is_a_forecast() -> None:
    found = of()
    assert (found.rows, found.starts, found.fullest, found.collisions) == ((), 0, 0, ())


def test_a_thousand_starting_every_minute_are_one_collision() -> None:
    found = of(*(entry(f"job-{n}", "* * * * *") for n in range(1000)), length=timedelta(days=7))
    assert [(len(one.names), one.minutes) for one in found.collisions] == [(1000, 10_080)]
    assert found.starts == 10_080_000
