"""What will start when in a period, and what that means together: load, collisions, overlaps. Pure.

Works on masks of minutes (`grid`), so that a thousand automations over a week take tens of milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from itertools import islice
from math import ceil

from reconciler.model.schedule import upcoming
from reconciler.runs.clocks import Change, changes
from reconciler.runs.entry import (
    CROWD,
    Entry,
    Overlap,
    at_once,
    every,
    first_bits,
    mask_of,
    overlap,
    smeared,
    unreadable,
)
from reconciler.runs.grid import Grid, Period, minute, period
from reconciler.runs.remarks import Remark, remarks
from reconciler.runs.slots import Timetable, multiples
from reconciler.runs.tally import Tally

HOUR = 60
_SHOWN = 20  # groups of collisions that are told apart; the rest is only counted
_NEXT = 3


@dataclass(frozen=True, slots=True)
class Row:
    """One entry over the period: bits of the minutes in which it starts, and its next starts, also beyond the end."""

    entry: Entry
    mask: int
    starts: int
    next: tuple[datetime, ...]


@dataclass(frozen=True, slots=True)
class Hour:
    """The load of one hour. `busy`: seconds of all runs together; `peak`: the most that work in one minute."""

    at: datetime
    starts: int
    busy: int
    peak: int


@dataclass(frozen=True, slots=True)
class Collision:
    """Minutes in which the same entries start together: the first of them, and how many.

    `starts`: in one such minute; more than there are entries where one has an interval below a minute.
    """

    first: datetime
    names: tuple[str, ...]
    starts: int
    minutes: int


@dataclass(frozen=True, slots=True)
class Forecast:
    """Everything about one period. Instants are aware UTC; `zone` is the clock of the host."""

    period: Period
    zone: tzinfo
    crowd: int
    rows: tuple[Row, ...]
    hours: tuple[Hour, ...]
    collisions: tuple[Collision, ...]  # worst first
    crowded: int  # the minutes with a collision, as bits
    overlaps: tuple[Overlap, ...]
    changes: tuple[Change, ...]
    remarks: tuple[Remark, ...]

    @property
    def starts(self) -> int:
        return sum(row.starts for row in self.rows)

    @property
    def fullest(self) -> int:
        """The most starts in one minute."""
        return _starts(self.rows).highest(-1)[0]


def forecast(
    entries: Sequence[Entry], start: datetime, length: timedelta, zone: tzinfo, crowd: int = CROWD
) -> Forecast:
    """The forecast for (start, start + length]."""
    about = period(start, length, zone)
    grid = Grid(about, zone)
    rows = tuple(_rows(entries, grid))
    each, starts = Tally(), _starts(rows)
    for row in rows:
        each.add(row.mask)
    crowded = starts.at_least(crowd) & each.at_least(min(crowd, 2))  # nobody collides with itself
    return Forecast(
        period=about,
        zone=zone,
        crowd=crowd,
        rows=rows,
        hours=_hours(rows, each, about),
        collisions=tuple(_collisions(rows, starts, crowded, about)),
        crowded=crowded,
        overlaps=tuple(found for row in rows if (found := overlap(row.entry, row.mask, about)) is not None),
        changes=changes([row.entry.table for row in rows if not row.entry.never], start, about.end, zone),
        remarks=remarks([(row.entry.table, row.entry.never, row.next) for row in rows], about.end),
    )


def _starts(rows: Sequence[Row]) -> Tally:
    """How many start in each minute."""
    tally = Tally()
    for row in rows:
        tally.add(row.mask, at_once(row.entry.table))
    return tally


def _rows(entries: Sequence[Entry], grid: Grid) -> Iterator[Row]:
    later: dict[tuple[str, str, str], tuple[datetime, ...]] = {}
    for entry in sorted(entries, key=lambda entry: (entry.name, entry.foreign, entry.table.provider)):
        mask = 0 if entry.never else mask_of(entry.table, grid)
        coming = _coming(entry.table, mask, grid.period)
        if not coming and not entry.never and not unreadable(entry.table):
            key = (str(entry.table.schedule), entry.table.timezone, entry.table.provider)
            if key not in later:
                later[key] = _later(entry.table, grid)
            coming = later[key]
        yield Row(entry, mask, mask.bit_count() + _beside(entry.table, mask, grid.period), coming)


def _coming(table: Timetable, mask: int, about: Period) -> tuple[datetime, ...]:
    """The next starts within the period."""
    seconds = every(table.schedule)
    if mask and seconds is not None and seconds < 60:
        return tuple(islice(multiples(seconds, about.start, about.end), _NEXT))
    return tuple(about.instant(bit) for bit in first_bits(mask, _NEXT))


def _later(table: Timetable, grid: Grid) -> tuple[datetime, ...]:
    """The next start after the period."""
    end = grid.period.end.astimezone(grid.zone)
    try:
        return upcoming(table.schedule, end, table.timezone, 1)
    except ValueError:
        return ()


def _beside(table: Timetable, mask: int, about: Period) -> int:
    """Starts of an interval below a minute, beyond the one per minute that a mask holds."""
    seconds = every(table.schedule)
    if not mask or seconds is None or seconds >= 60:
        return 0
    count = int(about.end.timestamp() // seconds) - int(about.start.timestamp() // seconds)
    return count - mask.bit_count()


def _hours(rows: Sequence[Row], tally: Tally, about: Period) -> tuple[Hour, ...]:
    busy, working = Tally(), Tally()
    extra = 0.0
    for row in rows:
        takes, seconds = row.entry.takes or 0, every(row.entry.table.schedule)
        whole, rest = divmod(ceil(takes), 60)
        full = smeared(row.mask, whole) if whole else 0
        busy.add(full, 60)
        busy.add(row.mask << whole & ~full, rest)
        working.add(full | row.mask << whole if rest or not whole else full)
        if row.mask and seconds is not None and seconds < 60:
            extra += 3600 / seconds - HOUR
    found = []
    for first in range(0, about.length, HOUR):
        peak, _ = working.highest(((1 << HOUR) - 1) << first)
        whole_hour = first + HOUR <= about.length and about.origin + first >= minute(about.start)
        starts = tally.total(first, HOUR) + (round(extra) if whole_hour else 0)
        found.append(Hour(about.instant(first), starts, busy.total(first, HOUR), peak))
    return tuple(found)


def _collisions(rows: Sequence[Row], tally: Tally, crowded: int, about: Period) -> Iterator[Collision]:
    """Groups of minutes with the same starters, the fullest first, then the earliest."""
    masks: dict[int, list[str]] = {}
    for row in rows:
        if row.mask & crowded:
            masks.setdefault(row.mask, []).append(row.entry.name)
    for _ in range(_SHOWN):
        if not crowded:
            return
        count, fullest = tally.highest(crowded)
        first = next(first_bits(fullest, 1))
        same, names = fullest, []
        for mask, called in masks.items():
            if mask >> first & 1:
                same &= mask
                names += called
            else:
                same &= ~mask
        yield Collision(about.instant(first), tuple(sorted(names)), count, same.bit_count())
        crowded &= ~same
