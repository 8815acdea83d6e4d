"""Schedules elapse when cron's fields say so: the emitted lines are judged by systemd itself."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.model.schedule import ScheduleError, normalise
from reconciler.providers.systemd.calendar import calendar, timer_lines

pytestmark = pytest.mark.usefixtures("analyzer")
BERLIN = ZoneInfo("Europe/Berlin")
NAMES = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def term(low: int, high: int) -> st.SearchStrategy[str]:
    one = st.integers(low, high).map(str)
    pair = st.tuples(st.integers(low, high), st.integers(low, high)).map(lambda p: f"{min(p)}-{max(p)}")
    step = st.builds("{}/{}".format, st.one_of(st.just("*"), pair), st.integers(1, max(2, (high - low) // 2)))
    return st.one_of(one, pair, step)


def field(low: int, high: int) -> st.SearchStrategy[str]:
    return st.one_of(st.just("*"), st.lists(term(low, high), min_size=1, max_size=3).map(",".join))


CRON = st.tuples(field(0, 59), field(0, 23), field(1, 31), field(1, 12), field(0, 7)).map(" ".join)
STARTS = st.integers(0, 9 * 365 * 86400).map(lambda s: datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=s))


def allowed(text: str, low: int, high: int, names: tuple[str, ...] = ()) -> set[int]:
    """What one cron field matches, written down anew: nothing is shared with what is tested."""
    found: set[int] = set()
    for index, name in enumerate(names):
        text = text.lower().replace(name, str(index + low))
    for part in text.split(","):
        span, _, step = part.partition("/")
        first, last = (low, high) if span == "*" else (int(span.split("-")[0]), int(span.split("-")[-1]))
        found |= {value for value in range(first, last + 1) if (value - first) % int(step or 1) == 0}
    return found


def cron_matches(text: str, moment: datetime) -> bool:
    minute, hour, day, month, week = text.split()
    if moment.minute not in allowed(minute, 0, 59) or moment.hour not in allowed(hour, 0, 23):
        return False
    if moment.month not in allowed(month, 1, 12, MONTHS):
        return False
    on_day = moment.day in allowed(day, 1, 31)
    on_weekday = moment.isoweekday() % 7 in {d % 7 for d in allowed(week, 0, 6 if week[0] == "*" else 7, NAMES)}
    if day.startswith("*") or week.startswith("*"):
        return on_day and on_weekday
    return on_day or on_weekday


def brute_force(text: str, start: datetime, count: int, end: datetime) -> list[datetime]:
    """Runs after `start`, day by day, minute by minute."""
    minute, hour, *_ = text.split()
    times = [(h, m) for h in sorted(allowed(hour, 0, 23)) for m in sorted(allowed(minute, 0, 59))]
    runs: list[datetime] = []
    day = start.replace(hour=0, minute=0, second=0)
    while len(runs) < count and day <= end:
        if cron_matches(text, day.replace(hour=times[0][0], minute=times[0][1])):
            moments = (day.replace(hour=h, minute=m) for h, m in times)
            runs += [moment for moment in moments if start < moment <= end]
        day += timedelta(days=1)
    return runs[:count]


def elapses(line: str, start: datetime, count: int) -> list[datetime]:
    argv = [
        "systemd-analyze",
        "calendar",
        f"--iterations={count}",
        f"--base-time={start:%Y-%m-%d %H:%M:%S} UTC",
        line,
    ]
    done = subprocess.run(argv, capture_output=True, text=True, env={"TZ": "UTC", "PATH": "/usr/bin:/bin"})
    assert done.returncode == 0, (line, done.stderr)
    found = []
    for row in done.stdout.splitlines():
        label, _, value = row.partition(": ")
        if (
            label.strip() in ("Next elapse", "(in UTC)")
            or label.strip().startswith("Iteration")
            or "Iter. #" in label
        ):
            parts = value.split()
            if parts[-1] == "UTC":
                found.append(datetime.strptime(" ".join(parts[1:3]), "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC))
    return sorted(set(found))


def systemd_runs(lines: tuple[str, ...], start: datetime, count: int) -> list[datetime]:
    """What a timer with all of these lines does, as far as every line was followed."""
    each = [elapses(line, start, count) for line in lines]
    known = [runs[-1] for runs in each if len(runs) == count]
    end = min(known) if known else datetime.max.replace(tzinfo=UTC)
    return sorted({run for runs in each for run in runs if run <= end})[:count]


@settings(max_examples=150, deadline=None)
@given(CRON, STARTS)
def test_in_utc_a_timer_elapses_exactly_when_cron_would(text: str, start: datetime) -> None:
    try:
        normalise(text)
    except ScheduleError:
        return
    runs = systemd_runs(calendar(text, "UTC"), start, 40)
    assert runs
    assert runs == brute_force(text, start, len(runs), datetime(2099, 1, 1, tzinfo=UTC))


@settings(max_examples=60, deadline=None)
@given(CRON, st.sampled_from([2024, 2026, 2029]), st.booleans())
def test_in_a_zone_it_differs_from_the_fields_only_where_clocks_change(text: str, year: int, spring: bool) -> None:
    """In the hour that is skipped nothing elapses, of the hour that is repeated only the first counts."""
    try:
        normalise(text)
    except ScheduleError:
        return
    start = datetime(year, 3 if spring else 10, 24, tzinfo=UTC)
    lines = calendar(text, "Europe/Berlin")
    runs = systemd_runs(lines, start, 60)
    if not runs:
        return
    if lines[0].endswith(" UTC"):
        assert lines[0].startswith("*-*-* *:")
        return
    expected: set[datetime] = set()
    local = brute_force(text, start.astimezone(BERLIN).replace(tzinfo=UTC), 200, datetime(2099, 1, 1, tzinfo=UTC))
    for naive in local:
        moment = naive.replace(tzinfo=BERLIN, fold=0).astimezone(UTC)
        if moment.astimezone(BERLIN).replace(tzinfo=UTC) == naive:  # the time exists
            expected.add(moment)
    assert runs == sorted(expected)[: len(runs)]


@pytest.mark.parametrize("text", ["*/15 * * * *", "*/5 * * * *", "* * * * *", "3-59/15 * * * *", "*/3 * * * *"])
def test_what_runs_every_quarter_hour_misses_nothing_while_clocks_are_turned_back(text: str) -> None:
    start = datetime(2026, 10, 24, 22, 0, tzinfo=UTC)
    runs = systemd_runs(calendar(text, "Europe/Berlin"), start, 100)
    assert runs == brute_force(text, start, 100, datetime(2027, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("schedule", "lines"),
    [
        ("0 6 * * *", ("OnCalendar=*-*-* 06:00:00",)),
        ("@daily", ("OnCalendar=*-*-* 00:00:00",)),
        ("@weekly", ("OnCalendar=Sun *-*-* 00:00:00",)),
        ("30 4 1,15 * 5", ("OnCalendar=*-*-01,15 04:30:00", "OnCalendar=Fri *-*-* 04:30:00")),
        ("30 4 */2 * 5", ("OnCalendar=Fri *-*-01..31/2 04:30:00",)),
        ("0 9-17/2 * jan-mar mon-fri", ("OnCalendar=Mon..Fri *-01..03-* 09..17/2:00:00",)),
        ("0 0 * * 7", ("OnCalendar=Sun *-*-* 00:00:00",)),
        ("0 0 * * 6-7", ("OnCalendar=Sat,Sun *-*-* 00:00:00",)),
        ("0 0 1 * 0-6", ("OnCalendar=*-*-* 00:00:00",)),
        ({"every": 300}, ("OnCalendar=*-*-* *:00..55/5:00 UTC",)),
        ({"every": 21600}, ("OnCalendar=*-*-* 00..18/6:00:00",)),
        ({"every": 420}, ("OnActiveSec=420s", "OnUnitActiveSec=420s")),
        ({"every": 0.5}, ("OnActiveSec=500ms", "OnUnitActiveSec=500ms")),
        ({"at": "boot"}, ("OnStartupSec=1s",)),
    ],
    ids=str,
)
def test_schedules_are_spelled_so(schedule: object, lines: tuple[str, ...]) -> None:
    assert timer_lines(schedule, None) == lines  # type: ignore[arg-type]


def test_a_zone_stands_at_the_end_of_each_line() -> None:
    lines = timer_lines("0 6 1 * 1", "Europe/Berlin")
    assert [line.endswith(" 06:00:00 Europe/Berlin") for line in lines] == [True, True]
