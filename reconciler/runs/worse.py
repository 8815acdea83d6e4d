"""What a change of schedules makes worse: collisions, overlaps, starts that never come or fall into a gap. Pure.

Says nothing where nothing gets worse. Looks closely only at what changed; of the rest it needs the minutes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, NamedTuple

from reconciler.model.duration import format_duration
from reconciler.runs.entry import CROWD, Entry, at_login, first_bits, mask_of, overlap, unreadable
from reconciler.runs.grid import Grid, Period, minute, period, shifts
from reconciler.runs.slots import Timetable
from reconciler.runs.tally import Tally

if TYPE_CHECKING:
    from reconciler.runs.clocks import Change

AHEAD = timedelta(days=7)
GAP = timedelta(days=60)  # how far ahead a change of the clock counts
_NAMED = 3
_MOST = 3  # sentences of one sort


class Moved(NamedTuple):
    """One automation that is new, or starts at other times, or takes longer; `before` is None where it is new."""

    after: Entry
    before: Entry | None


def worse(
    same: Sequence[tuple[Timetable, int]],
    moved: Sequence[Moved],
    gone: Sequence[Entry],
    taken: datetime,
    zone: tzinfo,
    crowd: int = CROWD,
) -> tuple[str, ...]:
    """A sentence for everything that gets worse. `same` starts as ever, so many of each; `gone` starts no more."""
    if not moved:
        return ()
    grid = Grid(period(taken, AHEAD, zone), zone)
    return (
        *_fewer(list(_never(moved)), "never start"),
        *_collisions(same, moved, gone, grid, crowd),
        *_fewer(list(_overlaps(moved, grid)), "overlap themselves"),
        *_gaps(moved, taken, zone),
    )


def _fewer(sentences: list[str], what: str) -> list[str]:
    rest = len(sentences) - _MOST
    return [*sentences[:_MOST], f"{rest} more automations would {what}."] if rest > 1 else sentences


def _never(moved: Sequence[Moved]) -> Iterator[str]:
    readable: dict[tuple[str, str], str] = {}
    for one in moved:
        key = (str(one.after.table.schedule), one.after.table.timezone)
        if key not in readable:
            readable[key] = unreadable(one.after.table) or at_login(one.after.table)
        why = one.after.never or readable[key]
        if why and (one.before is None or why != _stuck(one.before)):
            yield f"Automation/{one.after.name} may never start: {why}."


def _stuck(entry: Entry) -> str:
    return entry.never or unreadable(entry.table) or at_login(entry.table)


def _collisions(
    same: Sequence[tuple[Timetable, int]], moved: Sequence[Moved], gone: Sequence[Entry], grid: Grid, crowd: int
) -> Iterator[str]:
    masks = [(one.after.name, mask_of(one.after.table, grid)) for one in moved]
    if not any(mask for _, mask in masks):
        return
    before, within = Tally(), 0
    for table, count in same:
        before.add(mask_of(table, grid), count)
    after = Tally(before.planes)
    for _, mask in masks:
        after.add(mask)
        within |= mask
    for left in (*gone, *(one.before for one in moved if one.before is not None)):
        before.add(mask_of(left.table, grid))
    found = after.at_least(crowd) & after.above(before) & within
    if found:
        count, fullest = after.highest(found)
        bit = next(first_bits(fullest, 1))
        names = sorted(name for name, mask in masks if mask >> bit & 1)
        yield _collision(count, before.at(bit), names, found.bit_count() - 1, _clock(grid.period, bit, grid.zone))


def _collision(count: int, now: int, names: Sequence[str], others: int, clock: str) -> str:
    more = f" {others:,} more {'minute' if others == 1 else 'minutes'} of that week get fuller too." if others else ""
    return (
        f"{count:,} jobs would start in one minute, {clock}, where {now:,} {'does' if now == 1 else 'do'} now; "
        f"this change brings {_listed(names)}.{more} `reconcile forecast` shows the load."
    )


def _overlaps(moved: Sequence[Moved], grid: Grid) -> Iterator[str]:
    for one in moved:
        if not _laps(one.after, grid) or (one.before is not None and _laps(one.before, grid)):
            continue
        known = "95 % of its runs are over within" if one.after.measured else "a run is expected to take"
        takes = format_duration(one.after.takes or 0)
        yield f"Automation/{one.after.name} would start again before its last run is over: {known} {takes}."


def _laps(entry: Entry, grid: Grid) -> bool:
    return entry.takes is not None and overlap(entry, mask_of(entry.table, grid), grid.period) is not None


def _gaps(moved: Sequence[Moved], taken: datetime, zone: tzinfo) -> Iterator[str]:
    end = taken + GAP
    if not any(one.after.table.timezone for one in moved) and not any(shifts(zone, minute(taken), minute(end))):
        return
    from reconciler.runs.clocks import changes

    after = changes([one.after.table for one in moved], taken, end, zone)
    before = changes([one.before.table for one in moved if one.before is not None], taken, end, zone)
    known = {(change.at, name) for change in before if change.skips for name in change.names}
    for change in after:
        if not change.skips or not change.inside:
            continue
        for effect in change.effects:
            names = [name for name in effect.names if (change.at, name) not in known]
            if names:
                yield _gap(change, names, effect.does)


def _gap(change: Change, names: Sequence[str], does: str) -> str:
    verb = "falls" if len(names) == 1 else "fall"
    skipped = f"{change.first:%H:%M} to {change.last:%H:%M} on {change.first:%Y-%m-%d}"
    zone = f" in {change.zone}" if change.zone else ""
    who = _listed([f"Automation/{name}" for name in names])
    return f"{who} {verb} into the time from {skipped}, which clocks skip{zone}: {does}."


def _clock(about: Period, bit: int, zone: tzinfo) -> str:
    return f"{about.instant(bit).astimezone(zone):%Y-%m-%d %H:%M}"


def _listed(names: Sequence[str]) -> str:
    if len(names) > _NAMED + 1:
        return f"{', '.join(names[:_NAMED])} and {len(names) - _NAMED:,} more"
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
