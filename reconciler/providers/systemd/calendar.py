"""Schedules as the lines of a [Timer] section. Pure.

Cron's day-or-weekday rule becomes two OnCalendar lines; an interval that no calendar holds counts from the last run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from reconciler.model.data import Json
from reconciler.model.schedule import ALIASES, ScheduleError, cron_text

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_WEEK = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_RANGES = ((0, 59, ()), (0, 23, ()), (1, 31, ()), (1, 12, _MONTHS), (0, 7, _DAYS))
_QUARTER = 15  # every zone is a multiple of this many minutes away from UTC


def timer_lines(schedule: Json, timezone: str | None) -> tuple[str, ...]:
    """`Name=value` lines that start a run when the schedule says so."""
    if isinstance(schedule, Mapping):
        if schedule.get("at") in ("boot", "login"):
            return ("OnStartupSec=1s",)
        try:
            text = cron_text(schedule)
        except ScheduleError:
            # OnActiveSec, and not OnBootSec: on a machine that is long up, OnBootSec would fire at once.
            interval = span(schedule["every"])
            return (f"OnActiveSec={interval}", f"OnUnitActiveSec={interval}")
    else:
        text = str(schedule)
    return tuple(f"OnCalendar={line}" for line in calendar(ALIASES.get(text.lower(), text), timezone))


def span(seconds: Json) -> str:
    """Seconds as systemd writes time spans, to the millisecond."""
    milliseconds = round(float(seconds) * 1000) if isinstance(seconds, int | float) else 0
    return f"{milliseconds}ms" if milliseconds % 1000 else f"{milliseconds // 1000}s"


def starts_with_manager(schedule: Json) -> bool:
    """Whether the timer fires when its manager starts, and must therefore not be started at any other time."""
    return isinstance(schedule, Mapping) and "at" in schedule


def calendar(text: str, timezone: str | None) -> tuple[str, ...]:
    """Calendar expressions that together elapse exactly when the five cron fields match."""
    fields = text.split()
    minutes, hours, days, months, weekdays = (_values(f, r) for f, r in zip(fields, _RANGES, strict=True))
    weekdays = {day % 7 for day in weekdays}
    either = not (fields[2].startswith("*") or fields[4].startswith("*"))
    all_days = len(days) == 31 and len(months) == 12 and len(weekdays) == 7
    if all_days and len(hours) == 24 and minutes == {(m + _QUARTER) % 60 for m in minutes}:
        # The same instants in every zone, and none is lost in the hour that clocks repeat in autumn.
        zone = " UTC"
    else:
        zone = f" {timezone}" if timezone else ""
    time = f"{_part(hours, 0, 23)}:{_part(minutes, 0, 59)}:00{zone}"
    month = _part(months, 1, 12)
    if either and len(days) < 31 and len(weekdays) < 7:
        return (f"*-{month}-{_part(days, 1, 31)} {time}", f"{_week(weekdays)}*-{month}-* {time}")
    if either:
        return (f"*-{month}-* {time}",)  # one of the two fields holds every day
    return (f"{_week(weekdays)}*-{month}-{_part(days, 1, 31)} {time}",)


def _values(text: str, about: tuple[int, int, Sequence[str]]) -> set[int]:
    low, high, names = about
    found: set[int] = set()
    for term in text.split(","):
        base, _, step = term.partition("/")
        first, dash, last = base.partition("-")
        start = low if base == "*" else _number(first, low, names)
        end = (6 if high == 7 else high) if base == "*" else _number(last, low, names) if dash else start
        found |= set(range(start, end + 1, int(step or 1)))
    return found


def _number(text: str, low: int, names: Sequence[str]) -> int:
    return names.index(text.lower()) + low if text.lower() in names else int(text)


def _part(values: set[int], low: int, high: int) -> str:
    """One component: `*`, or numbers with runs as `a..b`."""
    if len(values) == high - low + 1:
        return "*"
    ordered = sorted(values)
    step = ordered[1] - ordered[0] if len(ordered) > 3 else 0
    if step > 1 and ordered == list(range(ordered[0], ordered[-1] + 1, step)):
        return f"{ordered[0]:02}..{ordered[-1]:02}/{step}"
    return ",".join(_run(first, last, lambda n: f"{n:02}") for first, last in _runs(ordered))


def _week(weekdays: set[int]) -> str:
    if len(weekdays) == 7:
        return ""
    ordered = sorted((day - 1) % 7 for day in weekdays)
    return ",".join(_run(first, last, lambda n: _WEEK[n]) for first, last in _runs(ordered)) + " "


def _runs(ordered: Sequence[int]) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    for value in ordered:
        if runs and value == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], value)
        else:
            runs.append((value, value))
    return runs


def _run(first: int, last: int, show: Callable[[int], str]) -> str:
    if last - first < 2:
        return ",".join(show(value) for value in range(first, last + 1))
    return f"{show(first)}..{show(last)}"
