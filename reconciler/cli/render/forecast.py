"""A forecast for a terminal of 80 columns: load, collisions, overlaps, changes of the clock, remarks, next starts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from reconciler.cli.render.characters import Palette, cells, several, visible, wrap
from reconciler.model.duration import format_duration
from reconciler.model.schedule import ScheduleError, describe
from reconciler.runs.clocks import Change
from reconciler.runs.entry import Entry, Overlap
from reconciler.runs.forecast import Collision, Forecast, Hour

BLOCKS = " ▁▂▃▄▅▆▇█"
ASCII = " .:-=+*#@"  # where the terminal cannot show blocks
_ROWS = 40  # entries that are listed before the rest is only counted
_FEW = 10  # of everything else
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("", "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class Heading:
    """What a forecast is about, besides its numbers."""

    host: str
    zone: str  # name of the clock
    unread: tuple[tuple[str, str], ...] = ()  # foreign entries that are in no count: where, and why


def forecast_text(
    found: Forecast, heading: Heading, *, blocks: str = BLOCKS, colour: bool = False, width: int = 80
) -> str:
    """The whole forecast, ending in a newline. `blocks` are nine characters from nothing to full."""
    page = _Page(found, heading, Palette(colour), width)
    lines = [*page.head(), *page.load(blocks), *page.collisions(), *page.overlaps(), *page.changes()]
    return "\n".join([*lines, *page.remarks(), *page.unread(), *page.next()]) + "\n"


@dataclass(frozen=True, slots=True)
class _Page:
    found: Forecast
    heading: Heading
    palette: Palette
    width: int

    def head(self) -> Iterator[str]:
        title = f"What starts on {self.heading.host} from {span_words(self.found)}, {self.heading.zone}"
        for line in wrap(visible(title), self.width):
            yield self.palette.paint("bold", line)
        yield from wrap(summary(self.found), self.width)
        if not self.found.rows:
            yield "Nothing is applied here; `reconcile forecast PATH` looks at what manifests would do."

    def load(self, blocks: str) -> Iterator[str]:
        if not self.found.starts:
            return
        most = max(hour.starts for hour in self.found.hours)
        yield from self._heading(f"Load: starts per hour, {most:,} in the fullest")
        label, columns = 11, "".join(f"{hour:<6}" for hour in range(0, 24, 3))
        yield f"  {'':{label}}{columns}{'starts':>8}{'busy':>9}".rstrip()
        for day, hours in days_of(self.found).items():
            strip = "".join(blocks[level(hours[hour].starts if hour in hours else 0, most)] * 2 for hour in range(24))
            starts, busy = sum(one.starts for one in hours.values()), sum(one.busy for one in hours.values())
            taken = span(busy) if busy else ""
            yield f"  {day_name(day):{label}}{strip}{starts:>8,}{taken:>9}".rstrip()

    def collisions(self) -> Iterator[str]:
        found = self.found
        if not found.collisions:
            return
        minutes = several(found.crowded.bit_count(), "minute")
        yield from self._heading(f"Collisions: {minutes} with {found.crowd} or more starts", "yellow")
        for collision in found.collisions[:_FEW]:
            yield from self._item(f"{self._day(collision.first)}: {collision_words(collision)}")
        yield from self._rest(found.crowded.bit_count() - sum(c.minutes for c in found.collisions[:_FEW]), "minute")

    def overlaps(self) -> Iterator[str]:
        if not self.found.overlaps:
            return
        yield from self._heading("Likely to start again before their last run is over", "yellow")
        for overlap in self.found.overlaps[:_FEW]:
            yield from self._item(f"{overlap.entry.name}: {overlap_words(overlap)}, first {self._day(overlap.first)}")
        yield from self._rest(len(self.found.overlaps) - _FEW, "automation")

    def changes(self) -> Iterator[str]:
        if not self.found.changes:
            return
        yield from self._heading("Changes of the clock")
        for change in self.found.changes:
            yield from self._item(change_words(change, self.heading.zone))
            for effect in change.effects:
                yield from self._item(f"{effect.does}: {listed(effect.names)}", "    ")
            if not change.effects:
                yield "    meets no start of these automations"

    def remarks(self) -> Iterator[str]:
        if not self.found.remarks:
            return
        yield from self._heading("To know")
        for remark in self.found.remarks[:_FEW]:
            yield from self._item(f"{remark.name}: {'never starts: ' if remark.never else ''}{remark.says}")
        yield from self._rest(len(self.found.remarks) - _FEW, "remark")

    def unread(self) -> Iterator[str]:
        if not self.heading.unread:
            return
        yield from self._heading("Of other people, and in no count")
        for where, why in self.heading.unread[:_FEW]:
            yield from self._item(f"{where}: {why}")
        yield from self._rest(len(self.heading.unread) - _FEW, "entry", "entries")

    def next(self) -> Iterator[str]:
        coming = sorted((row for row in self.found.rows if row.next), key=lambda row: (row.next[0], row.entry.name))
        if not coming:
            return
        yield from self._heading("What starts next")
        rows = [("NEXT", "STARTS", "NAME", "SCHEDULER", "WHEN")]
        for row in coming[:_ROWS]:
            name, words = visible(row.entry.name), visible(when(row.entry))
            rows.append((self._day(row.next[0]), f"{row.starts:,}", name, whose(row.entry), words))
        yield from _table(rows, self.width)
        yield from self._rest(len(coming) - _ROWS, "automation")
        if any(row.entry.foreign for row in coming[:_ROWS]):
            yield "  * not ours"

    def _heading(self, text: str, style: str = "bold") -> Iterator[str]:
        yield ""
        yield self.palette.paint(style, text)

    def _item(self, text: str, indent: str = "  ") -> Iterator[str]:
        for number, line in enumerate(wrap(visible(text), self.width - len(indent) - 2)):
            yield indent + ("  " if number else "") + line

    def _rest(self, count: int, one: str, many: str | None = None) -> Iterator[str]:
        if count > 0:
            yield f"  and {several(count, one, many)} more; `-o json` has all of them"

    def _day(self, moment: datetime) -> str:
        return day_and_time(moment.astimezone(self.found.zone), self.found.period.start.astimezone(self.found.zone))


def summary(found: Forecast) -> str:
    """One sentence with the counts."""
    theirs = sum(bool(row.entry.foreign) for row in found.rows)
    others = f" ({theirs:,} not ours)" if theirs else ""
    fullest = found.fullest
    most = f", at most {fullest:,} in one minute" if fullest > 1 else ""
    return f"{several(len(found.rows), 'automation')}{others}, {several(found.starts, 'start')}{most}."


def span_words(found: Forecast) -> str:
    """First and last instant of the period."""
    start, end = found.period.start.astimezone(found.zone), found.period.end.astimezone(found.zone)
    return f"{day_name(start.date())} {start.year} {start:%H:%M} to {day_and_time(end, start)}"


def days_of(found: Forecast) -> Mapping[date, Mapping[int, Hour]]:
    """Hours by local day and hour; one that the clock repeats counts into the same."""
    days: dict[date, dict[int, Hour]] = {}
    for hour in found.hours:
        local = hour.at.astimezone(found.zone)
        day = days.setdefault(local.date(), {})
        before = day.get(local.hour)
        day[local.hour] = hour if before is None else _together(before, hour)
    return days


def _together(one: Hour, other: Hour) -> Hour:
    return Hour(one.at, one.starts + other.starts, one.busy + other.busy, max(one.peak, other.peak))


def level(value: int, most: int) -> int:
    """0 for nothing, 1 to 8 for a share of the most."""
    return 0 if not value else max(1, round(value * 8 / most))


def day_name(day: date) -> str:
    return f"{_DAYS[day.weekday()]} {day.day} {_MONTHS[day.month]}"


def day_and_time(moment: datetime, now: datetime) -> str:
    """`Sat 21 Nov 06:00`, with its year where that is not this one."""
    year = f" {moment.year}" if moment.year != now.year else ""
    return f"{day_name(moment.date())}{year} {moment:%H:%M}"


def span(seconds: int) -> str:
    """A sum of work: `3h 20m`; below an hour minutes and seconds."""
    minutes, rest = divmod(seconds, 60)
    hours, within = divmod(minutes, 60)
    return f"{hours:,}h {within:02}m" if hours else f"{within}m {rest:02}s"


def listed(names: Sequence[str], most: int = 8) -> str:
    shown = [visible(name) for name in names]
    if len(shown) <= most:
        return ", ".join(shown)
    return f"{', '.join(shown[: most - 1])} and {len(shown) - most + 1:,} more"


def collision_words(collision: Collision) -> str:
    more = collision.minutes - 1
    again = f", and so in {more:,} more {'minute' if more == 1 else 'minutes'}" if more else ""
    return f"{several(collision.starts, 'start')} ({listed(collision.names)}){again}"


def overlap_words(overlap: Overlap) -> str:
    """How long it takes, by whom that is known, and how often it is too long."""
    entry = overlap.entry
    known = "95 % of its runs are over within" if entry.measured else "a run is expected to take"
    return f"{known} {format_duration(entry.takes or 0)}, {several(overlap.times, 'start')} too early"


def change_words(change: Change, zone: str) -> str:
    does = "are skipped" if change.skips else "come twice"
    inside = "" if change.inside else ", after this period"
    first, last = change.first, change.last
    day = f"{day_name(first.date())} {first.year}"
    return f"{day}: the times from {first:%H:%M} to {last:%H:%M} {does} in {change.zone or zone}{inside}"


def when(entry: Entry) -> str:
    """The schedule in words, with its zone where it has one of its own."""
    try:
        words = describe(entry.table.schedule)
    except (ScheduleError, ValueError):
        words = str(entry.table.schedule)
    return f"{words} ({entry.table.timezone})" if entry.table.timezone else words


def whose(entry: Entry) -> str:
    return f"{entry.table.provider}*" if entry.foreign else entry.table.provider


def _table(rows: Sequence[tuple[str, ...]], width: int) -> Iterator[str]:
    """Columns; the second is of numbers, the last is cut where the terminal ends."""
    widths = [max(cells(row[column]) for row in rows) for column in range(len(rows[0]))]
    widths[2] = min(widths[2], 24)
    for row in rows:
        parts = [
            _cut(cell, size).rjust(size) if column == 1 else _padded(_cut(cell, size), size)
            for column, (cell, size) in enumerate(zip(row, widths, strict=True))
        ]
        yield _cut(("  " + "  ".join(parts)).rstrip(), width)


def _padded(text: str, size: int) -> str:
    return text + " " * (size - cells(text))


def _cut(text: str, size: int) -> str:
    if cells(text) <= size:
        return text
    while cells(text) > size - 3:
        text = text[:-1]
    return text + "..."


def blocks_for(encoding: str, locale: str) -> str:
    """Block characters where both the stream and the locale can show them."""

    def plain(text: str) -> str:
        return text.lower().replace("-", "")

    return BLOCKS if plain(encoding) == "utf8" and "utf8" in plain(locale) else ASCII
