"""What a cron text matches: days as sets, minutes of a day as bits. Pure; every part is worked out once."""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from typing import NamedTuple

from reconciler.model.schedule import ALIASES, FORMS, ScheduleError, field_values

DAY = 1440  # minutes
_EPOCH = date(1970, 1, 1).toordinal()


class Times(NamedTuple):
    """The instants of a schedule on wall clocks. `minutes` has one bit per minute of a day."""

    minutes: int
    fixed: bool  # neither minute nor hour begins with *: cron carries such a time through a change of the clock
    days: Days

    @property
    def everywhere(self) -> bool:
        """The same instants in every zone: each is so many quarters of an hour away from UTC."""
        later = self.minutes >> 15 | self.minutes << DAY - 15
        return self.days.every and self.minutes == later & ((1 << DAY) - 1)


class Days(NamedTuple):
    """Which days match. Weekdays count from Sunday, 0."""

    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either: bool  # a day of the month or a weekday is enough, as neither field begins with *

    @property
    def every(self) -> bool:
        one = len(self.days) == 31 or len(self.weekdays) == 7
        both = len(self.days) == 31 and len(self.weekdays) == 7
        return len(self.months) == 12 and (one if self.either else both)

    def match(self, number: int) -> bool:
        """Whether a day matches, by its number since the epoch."""
        day, month, weekday = _day(number)
        if month not in self.months:
            return False
        if self.either:
            return day in self.days or weekday in self.weekdays
        return day in self.days and weekday in self.weekdays


@lru_cache(maxsize=4096)
def times(text: str) -> Times:
    """What a cron text or an alias matches. Raises ScheduleError."""
    fields = (ALIASES.get(text.lower(), text) if text[:1] == "@" else text).split()
    if len(fields) != 5:
        raise ScheduleError(f"{text!r} has not five fields", FORMS)
    minute, hour, day, month, weekday = fields
    fixed = minute[0] != "*" and hour[0] != "*"
    return Times(_minutes(minute) * _hours(hour), fixed, _days(day, month, weekday))


@lru_cache(maxsize=512)
def _minutes(text: str) -> int:
    """The minutes of an hour; times the hours of a day, they are minutes of a day."""
    return sum(1 << each for each in field_values(0, text))


@lru_cache(maxsize=512)
def _hours(text: str) -> int:
    """The first minutes of hours."""
    return sum(1 << 60 * each for each in field_values(1, text))


@lru_cache(maxsize=1024)
def _days(day: str, month: str, weekday: str) -> Days:
    either = not (day.startswith("*") or weekday.startswith("*"))
    weekdays = frozenset(each % 7 for each in field_values(4, weekday))
    return Days(field_values(2, day), field_values(3, month), weekdays, either)


@lru_cache(maxsize=1024)
def _day(number: int) -> tuple[int, int, int]:
    found = date.fromordinal(number + _EPOCH)
    return found.day, found.month, (number + 4) % 7
