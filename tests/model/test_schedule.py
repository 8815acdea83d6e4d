"""Schedules and durations: what is accepted, what is refused and why, and when things run."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.duration import format_duration, parse_duration
from reconciler.model.schedule import ALIASES, ScheduleError, cron_text, describe, normalise, upcoming

BERLIN = "Europe/Berlin"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("5m", 300), ("1h30m", 5400), ("500ms", 0.5), ("1d", 86400), ("0s", 0), ("1d2h3m4s5ms", 93784.005)],
)
def test_a_duration_is_read_as_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


def test_whole_seconds_are_an_int() -> None:
    assert type(parse_duration("2000ms")) is int


@pytest.mark.parametrize(
    "text", ["", "5", "m", "5 m", "1.5h", "-5s", "30m1h", "5min", "1w", "5ms3s", "٣s", "9" * 10 + "s"]
)
def test_what_is_not_a_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(300, "5m"), (5400, "1h 30m"), (0, "0s"), (0.5, "500ms"), (90061, "1d 1h 1m 1s"), (-60, "-1m")],
)
def test_a_duration_is_spelled_for_people(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@given(st.integers(0, 10**10))
def test_a_spelled_duration_reads_back(milliseconds: int) -> None:
    seconds = milliseconds / 1000
    assert parse_duration(format_duration(seconds).replace(" ", "")) == seconds


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0 6 * * *", "0 6 * * *"),
        ("  */5   *\t* * *\n", "*/5 * * * *"),
        ("0 0 * jan-MAR mon,Fri", "0 0 * jan-MAR mon,Fri"),
        ("0 0 * * 7", "0 0 * * 7"),
        ("0 0 * * 5-7", "0 0 * * 5-7"),
        ("05 1-5/2,9 * * *", "05 1-5/2,9 * * *"),
        ("0 0 30 2 mon", "0 0 30 2 mon"),
        ("0 0 29 2 *", "0 0 29 2 *"),
        ("0 0 31 2,3 *", "0 0 31 2,3 *"),
        ("@daily", "@daily"),
        ("@Midnight", "@midnight"),
        ("@reboot", {"at": "boot"}),
        ({"at": "boot"}, {"at": "boot"}),
        ({"at": "login"}, {"at": "login"}),
        ({"every": "5m"}, {"every": 300}),
        ({"every": "1500ms"}, {"every": 1.5}),
    ],
)
def test_a_schedule_has_one_form(value: object, expected: object) -> None:
    assert normalise(value) == expected


@pytest.mark.parametrize(
    ("value", "message", "hint"),
    [
        ("75 * * * *", "minute must be 0-59, found 75", None),
        ("0 24 * * *", "hour must be 0-23, found 24", None),
        ("0 0 0 * *", "day of month must be 1-31, found 0", None),
        ("0 0 * 13 *", "month must be 1-12 or jan-dec, found 13", None),
        ("0 0 * foo *", "month must be 1-12 or jan-dec, found 'foo'", None),
        ("0 0 * * 8", "day of week must be 0-7 or sun-sat, found 8", None),
        ("*/60 * * * *", "*/60 would only ever match 0", "write 0 if that is meant"),
        ("0 */24 * * *", "hour step must be 1-23, found 24", "write 0 if that is meant"),
        ("0 0 * * */7", "*/7 would only ever match 0", "write 0 if that is meant"),
        ("10-12/5 * * * *", "10-12/5 would only ever match 10", "write 10 if that is meant"),
        ("*/0 * * * *", "minute step must be a number from 1, found '0'", None),
        ("*/x * * * *", "minute step must be a number from 1, found 'x'", None),
        ("*/ * * * *", "minute step must be a number from 1, found ''", None),
        ("5/15 * * * *", "minute 5/15 has a step without a range", "write 5-59/15 or */15"),
        ("0 22-2 * * *", "hour range 22-2 runs backwards", "write 22-23,0-2"),
        ("0 23-0 * * *", "hour range 23-0 runs backwards", "write 23,0"),
        ("0 0 * * fri-sun", "day of week range fri-sun runs backwards", "write 5-7"),
        ("0 0 * * sat-mon", "day of week range sat-mon runs backwards", "write 6,0-1"),
        ("0 0 31 2 *", "0 0 31 2 * never fires: there is no 31 February", "correct day of month or month"),
        ("0 0 30 2 *", "0 0 30 2 * never fires: there is no 30 February", "correct day of month or month"),
        (
            "0 0 31 4,6 */2",
            "0 0 31 4,6 */2 never fires: there is no 31 April or June",
            "correct day of month or month",
        ),
        ("0 0 6 * * *", "found 6; cron has no field for seconds", None),
        ("0 6 * *", "found 4", None),
        ("", "found 0", None),
        ("1,,2 * * * *", "minute must be 0-59, found ''", None),
        ("-5 * * * *", "minute must be 0-59, found '-5'", None),
        ("0 0 L * *", "day of month must be 1-31, found 'L'", None),
        ("0 0 * * mon#1", "day of week must be 0-7 or sun-sat, found 'mon#1'", None),
        ("٣ * * * *", "minute must be 0-59", None),
        (f"{'9' * 5000} * * * *", "minute must be 0-59", None),
        ("@dayly", "'@dayly' is not a schedule", "did you mean @daily?"),
        ("@every 5m", "a schedule has five fields", None),
        ({"every": 5}, "every must be a duration with its unit, found 5", "write for example 5m"),
        ({"every": "5"}, "'5' is not a duration", None),
        ({"every": "0s"}, "every must be at least 1s, found 0s", None),
        ({"at": "06:00"}, "at must be boot or login, found '06:00'", "for a time of day write cron fields"),
        ({}, "holds either every or at, found nothing", None),
        ({"every": "5m", "at": "boot"}, "holds either every or at, found at, every", None),
        (5, "a schedule must be text or a mapping, found int", None),
    ],
)
def test_a_schedule_that_cannot_be_honoured_is_refused_with_its_reason(
    value: object, message: str, hint: str | None
) -> None:
    with pytest.raises(ValueError) as caught:
        normalise(value)
    assert message in str(caught.value)
    if hint is not None:
        assert getattr(caught.value, "hint", None) == hint


@pytest.mark.parametrize(
    ("every", "text"),
    [
        ("1m", "* * * * *"),
        ("5m", "*/5 * * * *"),
        ("30m", "*/30 * * * *"),
        ("60m", "0 * * * *"),
        ("2h", "0 */2 * * *"),
        ("12h", "0 */12 * * *"),
        ("1d", "0 0 * * *"),
    ],
)
def test_an_interval_that_divides_evenly_has_a_cron_text(every: str, text: str) -> None:
    assert cron_text(normalise({"every": every})) == text


@pytest.mark.parametrize("every", ["7m", "45m", "90m", "5h", "2d", "7d", "30s", "90s", "1500ms"])
def test_an_interval_that_cron_cannot_keep_is_refused(every: str) -> None:
    schedule = normalise({"every": every})
    with pytest.raises(ScheduleError, match="cron cannot run something every") as caught:
        cron_text(schedule)
    assert caught.value.hint is not None
    assert "30 minutes" in caught.value.hint
    assert upcoming(schedule, datetime(2026, 1, 1, tzinfo=UTC), BERLIN, 3) == ()


def test_boot_is_reboot_in_cron_and_login_is_refused() -> None:
    assert cron_text({"at": "boot"}) == "@reboot"
    with pytest.raises(ScheduleError, match="cannot run something at login"):
        cron_text({"at": "login"})


@pytest.mark.parametrize("schedule", [{"at": "boot"}, {"at": "login"}])
def test_no_instant_is_known_for_boot_and_login(schedule: dict[str, str]) -> None:
    assert upcoming(schedule, datetime(2026, 1, 1, tzinfo=UTC), BERLIN, 3) == ()


@pytest.mark.parametrize("alias", ALIASES)
def test_an_alias_runs_as_its_five_fields(alias: str) -> None:
    after = datetime(2026, 5, 17, 12, 34, 56, tzinfo=UTC)
    assert upcoming(alias, after, BERLIN, 3) == upcoming(ALIASES[alias], after, BERLIN, 3)


def berlin(text: str, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(BERLIN), fold=fold)


def shown(runs: tuple[datetime, ...]) -> list[str]:
    return [run.astimezone(ZoneInfo(BERLIN)).strftime("%d %H:%M%z") for run in runs]


def test_a_time_inside_the_spring_gap_runs_when_the_clock_resumes() -> None:
    runs = upcoming("30 2 * * *", berlin("2026-03-28T12:00"), BERLIN, 2)
    assert shown(runs) == ["29 03:00+0200", "30 02:30+0200"]


def test_several_times_inside_the_gap_resume_as_one_run() -> None:
    runs = upcoming("0,30 2-3 * * *", berlin("2026-03-29T01:00"), BERLIN, 3)
    assert shown(runs) == ["29 03:00+0200", "29 03:30+0200", "30 02:00+0200"]


def test_a_fixed_time_in_the_repeated_hour_runs_once() -> None:
    runs = upcoming("30 2 * * *", berlin("2026-10-24T12:00"), BERLIN, 2)
    assert shown(runs) == ["25 02:30+0200", "26 02:30+0100"]
    assert shown(upcoming("30 2 * * *", berlin("2026-10-25T02:15", fold=1), BERLIN, 1)) == ["26 02:30+0100"]


def test_an_hourly_job_runs_in_both_of_the_repeated_hours() -> None:
    runs = upcoming("0 * * * *", berlin("2026-10-25T01:30"), BERLIN, 3)
    assert shown(runs) == ["25 02:00+0200", "25 02:00+0100", "25 03:00+0100"]


def test_next_runs_are_counted_in_the_zone_that_is_asked_for() -> None:
    (run,) = upcoming("0 6 * * *", datetime(2026, 1, 1, tzinfo=UTC), "America/New_York", 1)
    assert run.astimezone(UTC) == datetime(2026, 1, 1, 11, tzinfo=UTC)


def test_an_unknown_zone_and_a_naive_instant_are_refused() -> None:
    with pytest.raises(ScheduleError, match="no time zone 'Mars/Olympus'"):
        upcoming("0 6 * * *", datetime(2026, 1, 1, tzinfo=UTC), "Mars/Olympus", 1)
    with pytest.raises(ValueError, match="aware"):
        upcoming("0 6 * * *", datetime(2026, 1, 1), BERLIN, 1)  # noqa: DTZ001


@pytest.mark.parametrize(
    ("schedule", "text"),
    [
        ("0 6 * * *", "every day at 06:00"),
        ("@daily", "every day at 00:00"),
        ("*/5 * * * *", "every 5 minutes"),
        ("*/1 * * * *", "every minute"),
        ("*/7 * * * *", "every seventh minute of every hour"),
        ("15 * * * *", "every hour at :15"),
        ("30 7 * * 1-5", "at 07:30 on Monday through Friday"),
        ({"every": 300}, "every 5 minutes"),
        ({"every": 3600}, "every hour"),
        ({"every": 90}, "every 90 seconds"),
        ({"every": 1.5}, "every 1s 500ms"),
        ({"at": "boot"}, "at boot"),
    ],
)
def test_a_schedule_reads_aloud(schedule: object, text: str) -> None:
    assert describe(schedule) == text  # type: ignore[arg-type]
