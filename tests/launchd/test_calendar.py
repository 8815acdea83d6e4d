"""Cron fields as calendar intervals: the same minutes, by two plain evaluators, one of cron and one of launchd."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.model.schedule import ScheduleError, normalise
from reconciler.providers.launchd.calendar import CAP, Interval, TooMany, cron_of, intervals

BOUNDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))


def matches(field: str, value: int, low: int, high: int) -> bool:
    for term in field.split(","):
        base, _, step = term.partition("/")
        first, last = (low, high) if base == "*" else (int(base.split("-")[0]), int(base.split("-")[-1]))
        if value in range(first, last + 1, int(step or 1)):
            return True
    return False


def cron_fires(fields: list[str], at: datetime) -> bool:
    """Vixie cron: day or weekday where both are restricted, that is where neither begins with a star."""
    minute, hour, day, month, weekday = fields
    sunday = at.isoweekday() % 7
    on_day = matches(day, at.day, 1, 31)
    on_weekday = matches(weekday, sunday, 0, 7) or (sunday == 0 and matches(weekday, 7, 0, 7))
    both = day.startswith("*") or weekday.startswith("*")
    return (
        matches(minute, at.minute, 0, 59)
        and matches(hour, at.hour, 0, 23)
        and matches(month, at.month, 1, 12)
        and ((on_day and on_weekday) if both else (on_day or on_weekday))
    )


def launchd_fires(found: list[Interval], at: datetime) -> bool:
    now = {"Minute": at.minute, "Hour": at.hour, "Day": at.day, "Month": at.month, "Weekday": at.isoweekday() % 7}
    return any(all(now[key] == value for key, value in each.items()) for each in found)


@st.composite
def field(draw: st.DrawFn, index: int) -> str:
    low, high = BOUNDS[index]
    number = st.integers(low, high)
    terms = []
    for _ in range(draw(st.integers(1, 2))):
        kind = draw(st.sampled_from(["star", "star", "step", "one", "range", "range step"]))
        first, last = sorted((draw(number), draw(number)))
        step = draw(st.integers(1, 7))
        terms.append(
            {
                "star": "*",
                "step": f"*/{step}",
                "one": str(first),
                "range": f"{first}-{last}",
                "range step": f"{first}-{last}/{step}",
            }[kind]
        )
    return ",".join(terms)


@settings(max_examples=400, deadline=None)
@given(
    fields=st.tuples(*(field(index) for index in range(5))),
    days=st.integers(0, 1500),
)
def test_the_intervals_fire_when_cron_does(fields: tuple[str, ...], days: int) -> None:
    try:
        text = str(normalise(" ".join(fields)))
        found = intervals(text)
    except (ScheduleError, TooMany):
        return
    start = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=days)
    moments = [start + timedelta(days=day, minutes=37 * day) for day in range(0, 400, 3)]
    moments += [start + timedelta(minutes=minute * 11) for minute in range(150)]
    for at in moments:
        assert launchd_fires(found, at) == cron_fires(text.split(), at), (text, at)


@settings(max_examples=200, deadline=None)
@given(fields=st.tuples(*(field(index) for index in range(5))))
def test_intervals_are_few_and_distinct_and_lead_back(fields: tuple[str, ...]) -> None:
    try:
        found = intervals(str(normalise(" ".join(fields))))
    except (ScheduleError, TooMany):
        return
    assert 0 < len(found) <= CAP
    assert len({tuple(sorted(each.items())) for each in found}) == len(found)
    back = cron_of(found)
    assert back is None or intervals(back) == found


@pytest.mark.parametrize(
    ("cron", "expected"),
    [
        ("* * * * *", [{}]),
        ("@daily", [{"Minute": 0, "Hour": 0}]),
        ("0 6 * * 7", [{"Minute": 0, "Hour": 6, "Weekday": 0}]),
        ("0 6 * * 0,7", [{"Minute": 0, "Hour": 6, "Weekday": 0}]),
        ("0 6 1 * 1", [{"Minute": 0, "Hour": 6, "Weekday": 1}, {"Minute": 0, "Hour": 6, "Day": 1}]),
        ("0 6 */31 * 1", [{"Minute": 0, "Hour": 6, "Day": 1, "Weekday": 1}]),
        ("0 6 1-31 * 1", [{"Minute": 0, "Hour": 6}]),
        ("*/1 0-23 * jan-dec *", [{}]),
        ("0-59/30 6 * * *", [{"Minute": 0, "Hour": 6}, {"Minute": 30, "Hour": 6}]),
    ],
)
def test_cron_becomes_these_intervals(cron: str, expected: list[Interval]) -> None:
    assert intervals(cron) == expected


def test_more_intervals_than_the_cap_are_refused_with_their_number() -> None:
    with pytest.raises(TooMany, match="1,395") as caught:
        intervals("0-30 9-17 * * 1-5")
    assert caught.value.count == 1395


@pytest.mark.parametrize(
    "found",
    [
        [{"Minute": 1}, {"Hour": 2}],
        [{"Day": 1, "Weekday": 1, "Minute": 0, "Hour": 0}],
        [{"Minute": 0, "Hour": 1}, {"Minute": 5, "Hour": 2}],
        [{"Minute": 77}],
    ],
)
def test_intervals_that_no_cron_line_means_are_not_guessed_at(found: list[Interval]) -> None:
    assert cron_of(found) is None
