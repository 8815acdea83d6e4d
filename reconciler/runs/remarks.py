"""Schedules that do not do what they seem to: never, seldom, on other days than one would read. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from reconciler.model.duration import format_duration
from reconciler.model.schedule import ALIASES, ScheduleError, cron_text
from reconciler.runs.entry import at_login, unreadable
from reconciler.runs.slots import Timetable
from reconciler.runs.times import times

SELDOM = timedelta(days=300)
_WEEK = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")


@dataclass(frozen=True, slots=True)
class Remark:
    """What a reader should know about one entry. `never`: it does not start by itself."""

    name: str
    says: str
    never: bool = False


def remarks(rows: Sequence[tuple[Timetable, str, Sequence[datetime]]], end: datetime) -> tuple[Remark, ...]:
    """Remarks about timetables, each with why it never starts ("" if it does) and its next starts. Never first."""
    found = [remark for table, why, coming in rows for remark in _about(table, why, coming, end)]
    return tuple(sorted(found, key=lambda remark: (not remark.never, remark.name, remark.says)))


def _about(table: Timetable, why: str, coming: Sequence[datetime], end: datetime) -> Iterator[Remark]:
    if why or (why := unreadable(table)):
        yield Remark(table.name, why, never=True)
        return
    if says := at_login(table):
        yield Remark(table.name, says)
    if says := loose(table):
        yield Remark(table.name, says)
    if isinstance(table.schedule, Mapping):
        return
    if says := days(table):
        yield Remark(table.name, says)
    if table.schedule != "@reboot" and (not coming or coming[0] - end > SELDOM):
        when = f"it starts next on {coming[0]:%Y-%m-%d}" if coming else "no such day comes in 50 years"
        yield Remark(table.name, f"{table.schedule} is seldom: {when}", never=not coming)


def loose(table: Timetable) -> str:
    """An interval that counts from an instant which only its scheduler knows."""
    seconds = table.schedule.get("every") if isinstance(table.schedule, Mapping) else None
    if not isinstance(seconds, int | float) or table.provider == "embedded":
        return ""
    try:
        cron_text(table.schedule)
    except ScheduleError:
        known = f"counted from an instant that only {table.provider} knows; it is not in the counts"
        return f"it starts every {format_duration(seconds)}, {known}"
    return ""


def days(table: Timetable) -> str:
    """How day of the month and weekday go together, where both are given."""
    fields = ALIASES.get(str(table.schedule), str(table.schedule)).split()
    if len(fields) != 5 or "*" in (fields[2], fields[4]):
        return ""
    about = times(str(table.schedule)).days
    if about.every or len(about.days) == 31 or len(about.weekdays) == 7:
        return ""
    named = " and ".join(_WEEK[day] for day in sorted(about.weekdays))
    if about.either:
        day = f"day{'s' if len(about.days) > 1 else ''} {fields[2]} of the month"
        return f"it starts on {day} and also on every {named}: where both are given, either is enough"
    return f"it starts on a {named} whose day of the month is in {fields[2]}: with * in front, both must match"
