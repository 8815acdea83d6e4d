"""Slots as bits are the slots that cronsim finds, through changes of the clock, in every zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from reconciler.model.schedule import ScheduleError, normalise
from reconciler.runs.grid import Grid, bits, period, shifts
from reconciler.runs.slots import slots
from reconciler.runs.tally import Tally
from tests.runs.build import table

BERLIN = ZoneInfo("Europe/Berlin")
# At two; at midnight; in the south; none. None that moves by half an hour: there cronsim itself errs.
ZONES = ["Europe/Berlin", "America/New_York", "Africa/Cairo", "America/Santiago", "Asia/Kolkata"]


def found(schedule: object, start: datetime, length: timedelta, zone: tzinfo = UTC, **more: object) -> list[datetime]:
    about = period(start, length, zone)
    return [about.instant(bit) for bit in bits(Grid(about, zone).starts(table(schedule, **{"timezone": "", **more})))]


def brute(text: str, start: datetime, length: timedelta, zone: tzinfo) -> list[datetime]:
    """Every start by cronsim itself; of several skipped times that resume together one run is made."""
    starts: list[datetime] = []
    for run in CronSim(text, start.astimezone(zone)):
        at = run.astimezone(UTC)
        if at > start + length:
            return starts
        if at > (starts[-1] if starts else start):
            starts.append(at)
    return starts


def field(low: int, high: int) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    single = number.map(str)
    span = st.tuples(number, number).map(lambda pair: f"{min(pair)}-{max(pair)}")
    step = st.integers(1, max(2, (high - low) // 2)).map(lambda step: f"*/{step}")
    wide = span.filter(lambda pair: len(set(pair.split("-"))) == 2)  # cronsim reads 5-5/1 as 5/1, cron as 5
    stepped = st.builds(lambda pair, step: f"{pair}/{step}", wide, st.integers(1, 3))
    several = st.lists(st.one_of(single, span), min_size=1, max_size=3).map(",".join)
    return st.one_of(st.just("*"), single, span, step, several, stepped)


def accepted(text: str) -> bool:
    """Whether a manifest may say so: a step that is longer than its range is refused there."""
    try:
        normalise(text)
    except ScheduleError:
        return False
    return True


SCHEDULES = st.tuples(field(0, 59), field(0, 23), st.one_of(st.just("*"), field(1, 28)), st.just("*"), field(0, 6))


@settings(max_examples=300, deadline=None)
@given(
    fields=SCHEDULES,
    zone=st.sampled_from(ZONES),
    minutes=st.integers(0, 2 * 365 * 24 * 60),
    hours=st.integers(1, 80),
)
def test_the_bits_are_the_starts_that_cronsim_finds(
    fields: tuple[str, ...], zone: str, minutes: int, hours: int
) -> None:
    assume(accepted(" ".join(fields)))
    where, length = ZoneInfo(zone), timedelta(hours=hours)
    start = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    assert found(" ".join(fields), start, length, where) == brute(" ".join(fields), start, length, where)


@settings(max_examples=200, deadline=None)
@given(
    fields=st.tuples(field(0, 59), field(0, 4), st.just("*"), st.just("*"), st.just("*")),
    zone=st.sampled_from(ZONES),
    change=st.integers(0, 3),
    before=st.integers(0, 30 * 60),
)
def test_the_bits_are_right_around_a_change_of_the_clock(
    fields: tuple[str, ...], zone: str, change: int, before: int
) -> None:
    assume(accepted(" ".join(fields)))
    where, length = ZoneInfo(zone), timedelta(hours=36)
    first, last = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp() // 60) for year in (2026, 2029))
    changes = list(shifts(where, first, last)) or [None]
    shift = changes[change % len(changes)]
    at = shift.at if shift is not None else first
    start = datetime.fromtimestamp((at - before) * 60, UTC)
    text = " ".join(fields)
    # cronsim that is started inside a repeated hour cannot know what ran before: it starts a day earlier.
    wanted = [run for run in brute(text, start - timedelta(days=1), length + timedelta(days=1), where) if run > start]
    assert found(text, start, length, where) == wanted


@pytest.mark.parametrize("every", [1, 45, 60, 90, 3600, 5400])
def test_an_interval_of_the_embedded_scheduler_has_a_bit_for_every_minute_with_a_start(every: int) -> None:
    start, length = datetime(2026, 11, 21, 5, 12, 30, tzinfo=UTC), timedelta(hours=5)
    wanted = slots(table({"every": every}, provider="embedded"), start, start + length)
    minutes = {slot.replace(second=0) for slot in wanted}
    got = found({"every": every}, start, length, provider="embedded")
    assert set(got) - {start.replace(second=0)} == minutes - {start.replace(second=0)}


def test_a_leap_day_and_the_end_of_a_short_month() -> None:
    leap = found("0 12 29 2 *", datetime(2028, 2, 28, tzinfo=UTC), timedelta(days=3))
    assert leap == [datetime(2028, 2, 29, 12, tzinfo=UTC)]
    assert found("0 12 29 2 *", datetime(2027, 2, 20, tzinfo=UTC), timedelta(days=20)) == []


def test_a_zone_that_moves_by_half_an_hour() -> None:
    """Lord Howe goes from 02:00 back to 01:30 on 5 April 2026, which is 15:00 UTC the day before."""
    where, start = ZoneInfo("Australia/Lord_Howe"), datetime(2026, 4, 4, 14, 0, tzinfo=UTC)
    fixed = found("45 1 * * *", start, timedelta(hours=30), where)
    assert [f"{run:%d %H:%M}" for run in fixed] == ["04 14:45", "05 15:15"]
    each = found("*/15 1 * * *", start, timedelta(hours=3), where)
    assert [f"{run:%H:%M}" for run in each] == ["14:15", "14:30", "14:45", "15:00", "15:15"]
    assert len(found("* 0 * * *", start, timedelta(hours=26), where)) == 60


def test_systemd_leaves_out_what_is_skipped_and_repeats_nothing() -> None:
    """As `systemd-analyze calendar --iterations` answers for Europe/Berlin."""
    spring, autumn = datetime(2026, 3, 28, 23, tzinfo=UTC), datetime(2026, 10, 24, 22, tzinfo=UTC)
    day = timedelta(hours=8)
    assert found("30 2 * * *", spring, day, BERLIN, provider="systemd") == []
    assert [run.hour for run in found("30 2 * * *", spring, day, BERLIN)] == [1]
    hourly = [
        f"{run:%d %H:%M}" for run in found("20 * * * *", autumn, timedelta(hours=5), BERLIN, provider="systemd")
    ]
    assert hourly == ["24 22:20", "24 23:20", "25 00:20", "25 02:20"]
    assert len(found("*/15 * * * *", autumn, timedelta(hours=5), BERLIN, provider="systemd")) == 20


@pytest.mark.parametrize("text", ["", "* * * *", "61 * * * *", "nonsense", "* * * * * *"])
def test_what_is_no_schedule_is_said(text: str) -> None:
    with pytest.raises(ScheduleError):
        found(text, datetime(2026, 1, 1, tzinfo=UTC), timedelta(hours=1))


def test_an_unknown_zone_is_said() -> None:
    with pytest.raises(ScheduleError, match="Mars"):
        found("0 6 * * *", datetime(2026, 1, 1, tzinfo=UTC), timedelta(hours=1), timezone="Mars/Olympus")


@given(st.lists(st.tuples(st.integers(0, 255), st.integers(0, 9)), max_size=12), st.integers(0, 40))
def test_a_tally_counts_like_fingers(masks: list[tuple[int, int]], number: int) -> None:
    tally, other = Tally(), Tally()
    for mask, weight in masks:
        tally.add(mask, weight)
    for mask, weight in masks[1:]:
        other.add(mask, weight)
    sums = [sum(weight for mask, weight in masks if mask >> bit & 1) for bit in range(8)]
    less = [sum(weight for mask, weight in masks[1:] if mask >> bit & 1) for bit in range(8)]
    assert [tally.at(bit) for bit in range(8)] == sums
    assert tally.total(2, 4) == sum(sums[2:6])
    assert list(bits(tally.at_least(number) & 255)) == [bit for bit in range(8) if sums[bit] >= number]
    assert list(bits(tally.above(other) & 255)) == [bit for bit in range(8) if sums[bit] > less[bit]]
    most, where = tally.highest(255)
    assert most == max(sums)
    assert list(bits(where)) == [bit for bit in range(8) if sums[bit] == most]
