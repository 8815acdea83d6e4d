"""Changes of the clock ahead: what is skipped or repeated, whom it meets, what each scheduler does then. Pure.

The embedded scheduler does as Debian's cron; systemd as `systemd-analyze calendar` says; launchd documents nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from reconciler.model.schedule import ScheduleError, cron_text
from reconciler.runs.grid import Shift, minute, shifts, skipped, zone_named
from reconciler.runs.slots import Timetable
from reconciler.runs.times import Times, times

YEAR = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Effect:
    """What the same scheduler does with these entries."""

    does: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one zone's clock. Wall-clock times from `first` on, before `last`, are skipped or repeated."""

    zone: str  # "" for that of the host
    at: datetime  # aware UTC
    skips: bool
    first: datetime  # without a zone, as the wall clock reads
    last: datetime
    inside: bool  # within the period
    effects: tuple[Effect, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(sorted(name for effect in self.effects for name in effect.names))


def changes(tables: Sequence[Timetable], start: datetime, end: datetime, zone: tzinfo) -> tuple[Change, ...]:
    """The changes within the period and, where it has none, the next within a year; for every zone that is used."""
    zones: dict[str, list[Timetable]] = {}
    for table in tables:
        zones.setdefault(table.timezone, []).append(table)
    found: list[Change] = []
    for name, members in zones.items():
        try:
            where = zone_named(name) if name else zone
        except ScheduleError:
            continue  # said by the remarks
        found += _of_zone(name, where, members, start, end)
    return tuple(sorted(found, key=lambda change: (change.at, change.zone)))


def _of_zone(
    name: str, zone: tzinfo, tables: Sequence[Timetable], start: datetime, end: datetime
) -> Iterator[Change]:
    far = minute(max(end, start + YEAR))
    for number, shift in enumerate(shifts(zone, minute(start), far)):
        change = _change(name, shift, tables, end)
        if not change.inside and number:
            return
        yield change


def _change(name: str, shift: Shift, tables: Sequence[Timetable], end: datetime) -> Change:
    groups: dict[str, list[str]] = {}
    for table in tables:
        if does := effect(table, shift):
            groups.setdefault(does, []).append(table.name)
    at, first = datetime.fromtimestamp(shift.at * 60, UTC), shift.at + min(shift.before, shift.after)
    return Change(
        zone=name,
        at=at,
        skips=shift.skips,
        first=_wall(first),
        last=_wall(first + shift.size),
        inside=at <= end,
        effects=tuple(Effect(does, tuple(sorted(names))) for does, names in sorted(groups.items())),
    )


def _wall(local: int) -> datetime:
    return datetime.fromtimestamp(local * 60, UTC).replace(tzinfo=None)


def effect(table: Timetable, shift: Shift) -> str:
    """What happens to the starts that fall into the change; "" where none does or nobody would notice."""
    try:
        text = cron_text(table.schedule)
        when = None if text == "@reboot" else times(text)
    except ScheduleError:
        return ""
    if when is None or not skipped(when, shift):
        return ""
    resumes = f"{_wall(shift.at + shift.after):%H:%M}"
    return _at_a_gap(table.provider, when, resumes) if shift.skips else _at_a_double(table.provider, when)


def _hourly(when: Times) -> bool:
    """Whether every hour is like any other, so that one that is skipped makes no gap."""
    hour = when.minutes & ((1 << 60) - 1)
    return when.minutes == sum(hour << 60 * each for each in range(24))


def _at_a_gap(provider: str, when: Times, resumes: str) -> str:
    if _hourly(when):
        return ""
    if provider == "launchd":
        return "launchd does not say: expect a start up to an hour late, or none"
    if provider == "systemd":
        return "systemd leaves this start out"
    if when.fixed:
        return f"{_called(provider)} starts it when the clock resumes, at {resumes}"
    return f"{_called(provider)} leaves this start out"


def _at_a_double(provider: str, when: Times) -> str:
    if provider == "launchd":
        return "" if _hourly(when) else "launchd does not say: it may start twice"
    if provider == "systemd":
        return "" if when.everywhere else "systemd starts it the first time only"
    if when.fixed:
        return f"{_called(provider)} starts it the first time only"
    return "" if _hourly(when) else f"{_called(provider)} starts it both times"


def _called(provider: str) -> str:
    return {"crontab": "cron", "embedded": "the embedded scheduler"}.get(provider, provider)
