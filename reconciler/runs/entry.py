"""One thing that a scheduler starts: its minutes, whether it can start at all, whether its runs overlap. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from math import ceil
from typing import NamedTuple

from reconciler.model.data import Json
from reconciler.model.frozen import dataclass
from reconciler.model.schedule import ScheduleError, cron_text
from reconciler.runs.grid import Grid, Period, zone_named
from reconciler.runs.slots import Timetable
from reconciler.runs.times import times

CROWD = 5  # starts in one minute from which on it is called a collision


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that a scheduler starts. `takes`: seconds that a run is likely to last, None where nobody knows."""

    table: Timetable
    takes: float | None = None
    measured: bool = False  # `takes` comes from records, not from a manifest
    foreign: str = ""  # where it stands, if it is not ours
    never: str = ""  # why it does not start at all

    @property
    def name(self) -> str:
        return self.table.name


class Overlap(NamedTuple):
    """An entry that is likely to start again before its last run is over: when first, and how often."""

    entry: Entry
    first: datetime
    times: int


def mask_of(table: Timetable, grid: Grid) -> int:
    """The minutes in which a timetable wants a run; none where its schedule or its zone cannot be read."""
    try:
        return grid.starts(table)
    except ScheduleError:
        return 0


def first_bits(mask: int, count: int) -> Iterator[int]:
    """The lowest bits that are set."""
    while mask and count:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest
        count -= 1


def every(schedule: Json) -> float | None:
    """The seconds of an interval."""
    found = schedule.get("every") if isinstance(schedule, Mapping) else None
    return float(found) if isinstance(found, int | float) else None


def at_once(table: Timetable) -> int:
    """The most starts in one of its minutes: more than one where its interval is below a minute."""
    seconds = every(table.schedule)
    return ceil(60 / seconds) if seconds else 1


def smeared(mask: int, count: int) -> int:
    """Every bit, and the `count` - 1 bits after it."""
    found, width = mask, 1
    while width < count:
        step = min(width, count - width)
        found |= found << step
        width += step
    return found if count else 0


def overlap(entry: Entry, mask: int, about: Period) -> Overlap | None:
    """Where a slot begins before the run of an earlier one is likely to be over."""
    if entry.takes is None or not mask:
        return None
    seconds = every(entry.table.schedule)
    if seconds is not None and entry.table.provider == "embedded":
        again = mask if entry.takes > seconds else 0
    else:
        # A start k minutes later comes too early where 60 * k is less than a run takes.
        again = mask & (smeared(mask, ceil(entry.takes / 60) - 1) << 1) if entry.takes > 60 else 0
    first = next(first_bits(again, 1), None)
    return None if first is None else Overlap(entry, about.instant(first), again.bit_count())


def unreadable(table: Timetable) -> str:
    """Why nobody can tell when it starts, where that is so."""
    try:
        if table.timezone:
            zone_named(table.timezone)
        if isinstance(table.schedule, str) and (text := cron_text(table.schedule)) != "@reboot":
            times(text)
    except ScheduleError as error:
        return f"its schedule cannot be read: {error}"
    return ""


def at_login(table: Timetable) -> str:
    if isinstance(table.schedule, Mapping) and table.schedule.get("at") == "login":
        return "it starts when somebody logs in; where nobody does, it never starts"
    return ""
