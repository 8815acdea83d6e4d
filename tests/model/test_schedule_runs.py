"""When schedules run, against a cron evaluator that shares nothing with the code under test."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.model.data import Json
from reconciler.model.schedule import describe, normalise, upcoming

BERLIN = "Europe/Berlin"

# A cron evaluator that shares nothing with the code under test: expand, then look at every minute.

LIMITS = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 7)]
MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
NAMES = [[], [], [], MONTHS, ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]]


def expand(field: int, text: str) -> set[int]:
    low, high = LIMITS[field]
    found: set[int] = set()
    for term in text.lower().split(","):
        base, _, step = term.partition("/")
        first, _, last = (f"{low}-{high}" if base == "*" else base).partition("-")
        ends = [NAMES[field].index(end) + low if end in NAMES[field] else int(end) for end in (first, last or first)]
        found |= set(range(ends[0], ends[1] + 1, int(step or 1)))
    return {value % 7 for value in found} if field == 4 else found


def fires(fields: list[str], moment: datetime) -> bool:
    minute, hour, day, month, weekday = (expand(index, text) for index, text in enumerate(fields))
    if moment.minute not in minute or moment.hour not in hour or moment.month not in month:
        return False
    by_day, by_weekday = moment.day in day, (moment.weekday() + 1) % 7 in weekday
    if fields[2].startswith("*") or fields[4].startswith("*"):
        return by_day and by_weekday
    return by_day or by_weekday


@st.composite
def cron_field(draw: st.DrawFn, index: int) -> str:
    low, high = LIMITS[index]

    def value(number: int) -> str:
        names = NAMES[index]
        return (
            draw(st.sampled_from([str(number), names[number - low].upper()]))
            if number - low < len(names)
            else str(number)
        )

    terms = []
    for _ in range(draw(st.integers(1, 2))):
        first = draw(st.integers(low, high))
        last = draw(st.integers(first, high))
        span = min(last - first, 6) if index == 4 else last - first
        step = f"/{draw(st.integers(1, span))}" if span > 0 and draw(st.booleans()) else ""
        star = f"*/{draw(st.integers(1, 6 if index == 4 else high - low))}"
        terms.append(draw(st.sampled_from(["*", star, value(first), f"{value(first)}-{value(last)}{step}"])))
    return ",".join(terms)


@st.composite
def cron_fields(draw: st.DrawFn) -> list[str]:
    return [
        draw(st.one_of(st.just("*"), cron_field(index))) if index > 1 else draw(cron_field(index))
        for index in range(5)
    ]


EVERY_DAY = [datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=day) for day in range(366)]  # a leap year


def attempt(text: str) -> tuple[Json, str]:
    try:
        return normalise(text), ""
    except ValueError as error:
        return None, str(error)


@settings(max_examples=150, deadline=None)
@given(cron_fields(), st.datetimes(datetime(2024, 1, 1), datetime(2028, 12, 1)))  # noqa: DTZ001
def test_next_runs_are_those_of_a_brute_force_evaluator(fields: list[str], naive: datetime) -> None:
    after = naive.replace(tzinfo=UTC)
    schedule, refusal = attempt(" ".join(fields))
    if refusal:
        assert "never fires" in refusal
        assert not any(fires([*"**", *fields[2:]], day) for day in EVERY_DAY)
        return
    found = upcoming(schedule, after, "UTC", 3)
    moment = after.replace(second=0, microsecond=0)
    expected: list[datetime] = []
    day_end = after + timedelta(days=3)
    while len(expected) < 3 and (moment := moment + timedelta(minutes=1)) < day_end:
        if fires(fields, moment):
            expected.append(moment)
    assert [run for run in found if run < day_end] == expected
    assert all(fires(fields, run) for run in found)
    assert len(found) == 3


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["0 * * * *", "30 2 * * *", "*/20 1-3 * * *", "15 */2 * * *", "0 3 * * 0", "59 1 * * *"]),
    st.sampled_from([BERLIN, "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"]),
    st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 1)),  # noqa: DTZ001
)
def test_runs_always_move_forward_across_clock_changes(text: str, zone: str, naive: datetime) -> None:
    after = naive.replace(tzinfo=UTC)
    runs = [after, *(run.astimezone(UTC) for run in upcoming(text, after, zone, 40))]
    assert all(earlier < later for earlier, later in pairwise(runs))


@given(st.text(alphabet="0123456789*/-, @abcjnLW#?~", max_size=24))
def test_any_text_is_either_normalised_once_and_for_all_or_refused_in_words(text: str) -> None:
    schedule, refusal = attempt(text)
    if schedule is None:
        assert refusal
        return
    assert normalise(schedule) == schedule
    assert describe(schedule)
    assert upcoming(schedule, datetime(2026, 1, 1, tzinfo=UTC), "UTC", 1)
