"""Slots as bits, one per minute of a period: many schedules over many days at the price of a few additions. Pure.

Gives the minutes that `slots` gives, and follows systemd's own rules where a clock changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import NamedTuple

from reconciler.model.schedule import ScheduleError, cron_text
from reconciler.runs.slots import Timetable, slots
from reconciler.runs.times import DAY, Days, Times, times


class Shift(NamedTuple):
    """A change of a zone's clock: until `at` it is `before` minutes ahead of UTC, from then on `after`."""

    at: int  # minutes since the epoch
    before: int
    after: int

    @property
    def skips(self) -> bool:
        return self.after > self.before

    @property
    def size(self) -> int:
        """Minutes that are skipped or repeated."""
        return abs(self.after - self.before)


class Period(NamedTuple):
    """The minutes after `start` up to `end`, both aware. Bit 0 stands for minute `origin` since the epoch."""

    start: datetime
    end: datetime
    origin: int

    @property
    def length(self) -> int:
        """Bits of a mask: the minute that holds `end` is the last."""
        return minute(self.end) - self.origin + 1

    def instant(self, bit: int) -> datetime:
        return datetime.fromtimestamp((self.origin + bit) * 60, UTC)


def period(start: datetime, length: timedelta, zone: tzinfo) -> Period:
    """The period of that length; its bits begin with the hour, as the zone counts hours."""
    local = start.astimezone(zone)
    return Period(start, start + length, minute(start) - local.minute)


def minute(moment: datetime) -> int:
    return int(moment.timestamp() // 60)


def bits(mask: int) -> Iterator[int]:
    """The bits that are set, lowest first."""
    text = bin(mask)[:1:-1]
    at = text.find("1")
    while at >= 0:
        yield at
        at = text.find("1", at + 1)


class Grid:
    """The masks of many timetables over one period. Equal schedules are worked out once."""

    def __init__(self, period: Period, zone: tzinfo) -> None:
        self.period = period
        self.zone = zone  # of timetables that name none
        self._masks: dict[tuple[str, str, bool], int] = {}
        self._clocks: dict[str, _Clock] = {}

    def starts(self, table: Timetable) -> int:
        """The minutes in which a timetable wants a run; none where no clock decides. Raises ScheduleError."""
        if isinstance(table.schedule, Mapping):
            if "at" in table.schedule:
                return 0
            if table.provider == "embedded":
                return self._interval(table)
        try:
            text = cron_text(table.schedule)
        except ScheduleError:
            if isinstance(table.schedule, Mapping):
                return 0
            raise
        key = (text, table.timezone, table.provider == "systemd")
        found = self._masks.get(key)
        if found is None:
            found = self._masks[key] = 0 if text == "@reboot" else self._cron(*key)
        return found

    def _interval(self, table: Timetable) -> int:
        every = table.schedule.get("every") if isinstance(table.schedule, Mapping) else None
        if isinstance(every, int | float) and every < 60:
            return self._within((1 << self.period.length) - 1)
        mask = 0
        for slot in slots(table, self.period.start, self.period.end):
            mask |= 1 << (minute(slot) - self.period.origin)
        return mask

    def _within(self, mask: int) -> int:
        """Without the minutes that began at the start of the period or before, and those after its end."""
        return mask & ((1 << self.period.length) - 1) & -(1 << (minute(self.period.start) + 1 - self.period.origin))

    def clock(self, name: str) -> _Clock:
        """The clock of a zone by name; "" stands for that of the grid. Raises ScheduleError."""
        found = self._clocks.get(name)
        if found is None:
            zone = zone_named(name) if name else self.zone
            found = self._clocks[name] = _Clock.over(zone, self.period)
        return found

    def _cron(self, text: str, zone: str, systemd: bool) -> int:
        clock, when = self.clock(zone), times(text)
        once = when.fixed or (systemd and not when.everywhere)  # systemd is given those in UTC
        day, mask = when.minutes, 0
        for piece in clock.pieces:
            if piece.repeats and once:
                continue
            found = 0
            for shift in piece.places(when.days, self.period.origin):
                found |= day << shift if shift >= 0 else day >> -shift
            mask |= found & piece.window
        if when.fixed and not systemd:
            for change in clock.shifts:
                at = change.at - self.period.origin
                if change.skips and at >= 0 and skipped(when, change):
                    mask |= 1 << at  # cron starts it when the clock resumes
        return self._within(mask)


def skipped(when: Times, change: Shift) -> bool:
    """Whether a schedule matches a time of day that a change of the clock skips or repeats."""
    first = change.at + min(change.before, change.after)
    last = first + change.size
    for number in range(first // DAY, (last - 1) // DAY + 1):
        low, high = max(first - number * DAY, 0), min(last - number * DAY, DAY)
        if when.minutes >> low & ((1 << (high - low)) - 1) and when.days.match(number):
            return True
    return False


class _Piece(NamedTuple):
    """Minutes during which a zone keeps its distance from UTC; `repeats`: its wall clock shows them again."""

    first: int
    last: int  # the first minute behind it
    offset: int
    repeats: bool
    window: int  # its bits
    known: dict[Days, tuple[int, ...]]

    def places(self, days: Days, origin: int) -> tuple[int, ...]:
        """The bits at which matching days begin."""
        found = self.known.get(days)
        if found is None:
            numbers = range((self.first + self.offset) // DAY, (self.last - 1 + self.offset) // DAY + 1)
            found = tuple(number * DAY - self.offset - origin for number in numbers if days.match(number))
            self.known[days] = found
        return found


class _Clock(NamedTuple):
    """One zone over a period: pieces without a change, and the changes."""

    pieces: tuple[_Piece, ...]
    shifts: tuple[Shift, ...]

    @staticmethod
    def over(zone: tzinfo, period: Period) -> _Clock:
        first, end = period.origin, period.origin + period.length
        around = tuple(shifts(zone, first - DAY, end))
        pieces: list[_Piece] = []

        def add(start: int, last: int, offset: int, repeats: bool) -> None:
            start, last = max(start, first), min(last, end)
            if start < last:
                window = ((1 << (last - start)) - 1) << (start - first)
                pieces.append(_Piece(start, last, offset, repeats, window, {}))

        at, again, offset = first - DAY, 0, offset_at(zone, first - DAY)
        for shift in (*around, Shift(end, 0, 0)):
            add(at, at + again, offset, repeats=True)
            add(at + again, shift.at, offset, repeats=False)
            at, offset, again = shift.at, shift.after, 0 if shift.skips else shift.size
        return _Clock(tuple(pieces), around)


def zone_named(name: str) -> tzinfo:
    """Raises ScheduleError where this machine does not know the zone."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ScheduleError(f"there is no time zone {name!r} here", "write an IANA name, Europe/Berlin") from None


def offset_at(zone: tzinfo, at: int) -> int:
    """Minutes that the zone is ahead of UTC at a minute since the epoch."""
    found = datetime.fromtimestamp(at * 60, zone).utcoffset()
    return int((found or timedelta()).total_seconds() // 60)


def shifts(zone: tzinfo, first: int, last: int) -> Iterator[Shift]:
    """Changes of the clock between two minutes since the epoch, looked for day by day."""
    if zone is UTC:
        return
    at, offset = first, offset_at(zone, first)
    while at < last:
        ahead = min(at + DAY, last)
        after = offset_at(zone, ahead)
        if after != offset:
            low, high = at, ahead
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if offset_at(zone, middle) == offset else (low, middle)
            after = offset_at(zone, high)
            yield Shift(high, offset, after)
            at, offset = high, after
        else:
            at = ahead
