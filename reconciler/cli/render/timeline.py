"""A forecast as one SVG: load per hour above, a line of starts per entry below. Self-contained, for light and dark.

Every text passes `text`, which leaves no character that could end an element or that XML forbids.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from html import escape

from reconciler.cli.render.characters import cells, visible
from reconciler.cli.render.forecast import Heading, day_and_time, day_name, span_words, summary, when
from reconciler.runs.entry import smeared
from reconciler.runs.forecast import Forecast, Row
from reconciler.runs.grid import bits

WIDTH, LEFT, RIGHT = 1200, 224, 76
TOP, LOAD, GAP, LINE = 86, 64, 42, 20
_ROWS = 60  # entries with a line of their own
_APART = 40  # collisions that are marked one by one
_STYLE = """
svg{--ink:#1b2430;--soft:#5d6b7e;--grid:#e3e8ef;--day:#b9c3d0;--back:#fff;--band:#f5f7fa;--ours:#1f6feb;--theirs:#9a6700;\
--hit:#cf222e;--shift:#8250df;font:12px system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
@media(prefers-color-scheme:dark){svg{--ink:#e6edf3;--soft:#9aa7b6;--grid:#232b36;--day:#475362;--back:#0d1117;\
--band:#141a23;--ours:#58a6ff;--theirs:#d29922;--hit:#ff7b72;--shift:#bc8cff}}
text{fill:var(--ink)}.soft{fill:var(--soft)}.title{font-size:16px;font-weight:600}.end{text-anchor:end}
.mid{text-anchor:middle;stroke:var(--back);stroke-width:4px;paint-order:stroke}.small{font-size:11px}.back{fill:var(--back)}.band{fill:var(--band)}
.grid{stroke:var(--grid)}.day{stroke:var(--day)}.load{fill:var(--ours);opacity:.75}
.ours{stroke:var(--ours)}.theirs{stroke:var(--theirs)}.run{stroke-width:9;opacity:.38}.start{stroke-width:11}
.hit{stroke:var(--hit);stroke-width:1;opacity:.4}.mark{fill:var(--hit)}.shift{stroke:var(--shift);\
stroke-dasharray:4 3}
.shifted{fill:var(--shift)}path{fill:none}.mark,.load{stroke:none}
"""


def text(value: str) -> str:
    """Any text as the content of an element or an attribute."""
    return escape(visible(value), quote=True)


def timeline(found: Forecast, heading: Heading) -> str:
    """The picture, ending in a newline. The same forecast gives the same bytes."""
    return "\n".join(_Picture(found, heading).parts()) + "\n"


class _Picture:
    def __init__(self, found: Forecast, heading: Heading) -> None:
        self.found, self.heading, self.about = found, heading, found.period
        silent = [row for row in found.rows if not row.mask]
        self.shown = [row for row in found.rows if row.mask][:_ROWS]
        self.left = len(found.rows) - len(self.shown) - len(silent)
        self.silent = len(silent)
        self.base = TOP + LOAD + GAP
        self.foot = self.base + LINE * max(1, len(self.shown))
        self.scale = (WIDTH - LEFT - RIGHT) / self.about.length

    def x(self, bit: float) -> float:
        return LEFT + bit * self.scale

    def parts(self) -> Iterator[str]:
        height = self.foot + 54
        name = f"What starts on {self.heading.host}"
        yield (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
            f'height="{height}" role="img" aria-label="{text(name)}">'
        )
        yield f"<title>{text(name)}</title><style>{_STYLE}</style>"
        yield f'<rect class="back" width="{WIDTH}" height="{height}"/>'
        yield f'<text class="title" x="20" y="30">{text(name)}</text>'
        about = f"{span_words(self.found)}, {self.heading.zone} · {summary(self.found)}"
        yield f'<text class="soft" x="20" y="50">{text(about)}</text>'
        yield from self._bands()
        yield from self._grid()
        yield from self._load()
        yield from self._shifts()
        yield from self._rows()
        yield from self._hits()
        yield from self._legend()
        yield "</svg>"

    def _bands(self) -> Iterator[str]:
        for number in range(0, len(self.shown), 2):
            y = self.base + number * LINE
            yield f'<rect class="band" x="20" y="{y}" width="{WIDTH - 40}" height="{LINE}"/>'

    def _grid(self) -> Iterator[str]:
        """A line per hour, three hours or day, with local times; days stand out."""
        hours = self.about.length / 60
        step = 1 if hours <= 30 else 6 if hours <= 24 * 8 else 24
        named = 1 if hours <= 16 else 2 if hours <= 30 else step
        every_day = max(1, round(hours / 24 / 12))
        for bit in range(0, self.about.length, 60):
            local = self.about.instant(bit).astimezone(self.found.zone)
            if local.hour % step:
                continue
            x, midnight = f"{self.x(bit):.1f}", local.hour == 0
            yield f'<path class="{"day" if midnight else "grid"}" d="M{x} {TOP}V{self.foot}"/>'
            y = TOP + LOAD + 14
            if midnight and local.toordinal() % every_day == 0:
                yield f'<text class="small mid" x="{x}" y="{y + 12}">{day_name(local.date())}</text>'
            if local.hour % named == 0 and hours <= 24 * 8 and self._roomy(hours, local):
                yield f'<text class="small soft mid" x="{x}" y="{y}">{local:%H}</text>'

    @staticmethod
    def _roomy(hours: float, local: datetime) -> bool:
        return hours <= 30 or local.hour % (6 if hours <= 24 * 4 else 12) == 0

    def _load(self) -> Iterator[str]:
        most = max((hour.starts for hour in self.found.hours), default=0)
        if not most:
            return
        yield f'<text class="small soft end" x="{LEFT - 10}" y="{TOP + 10}">{most:,} starts</text>'
        yield f'<text class="small soft end" x="{LEFT - 10}" y="{TOP + LOAD}">per hour</text>'
        for number, hour in enumerate(self.found.hours):
            if not hour.starts:
                continue
            tall = max(1.0, LOAD * hour.starts / most)
            first, last = self.x(number * 60), self.x(min(number * 60 + 60, self.about.length))
            gap = 1 if last - first > 3 else 0
            at = day_and_time(hour.at.astimezone(self.found.zone), hour.at)
            yield (
                f'<rect class="load" x="{first + gap / 2:.1f}" y="{TOP + LOAD - tall:.1f}" '
                f'width="{last - first - gap:.1f}" height="{tall:.1f}"><title>{at}: {hour.starts:,} starts, '
                f"{hour.busy:,} s of work, {hour.peak:,} at once</title></rect>"
            )

    def _shifts(self) -> Iterator[str]:
        for change in self.found.changes:
            if not change.inside:
                continue
            x = self.x((change.at - self.about.instant(0)) / timedelta(minutes=1))
            what = "skips" if change.skips else "repeats"
            label = f"clock {what} {change.first:%H:%M}-{change.last:%H:%M}"
            anchor = "end" if x > WIDTH - 260 else ""
            yield f'<path class="shift" d="M{x:.1f} {TOP - 8}V{self.foot}"/>'
            yield f'<text class="small shifted {anchor}" x="{x:.1f}" y="{TOP - 12}">{text(label)}</text>'

    def _rows(self) -> Iterator[str]:
        for number, row in enumerate(self.shown):
            yield from self._row(row, self.base + number * LINE + LINE // 2)

    def _row(self, row: Row, middle: int) -> Iterator[str]:
        entry = row.entry
        whose = "theirs" if entry.foreign else "ours"
        place = f" ({entry.foreign})" if entry.foreign else ""
        yield f"<g><title>{text(f'{entry.name}{place}: {when(entry)}, {entry.table.provider}')}</title>"
        yield f'<text class="end" x="{LEFT - 10}" y="{middle + 4}">{text(_short(entry.name, 30))}</text>'
        takes = int((entry.takes or 0) // 60)
        if takes * self.scale > 2:
            runs = smeared(row.mask, takes) & ((1 << self.about.length) - 1)
            yield f'<path class="{whose} run" d="{self._segments(runs, middle)}"/>'
        yield f'<path class="{whose} start" d="{self._segments(row.mask, middle, least=1.6)}"/>'
        yield f'<text class="small soft" x="{WIDTH - RIGHT + 10}" y="{middle + 4}">{row.starts:,}</text></g>'

    def _segments(self, mask: int, y: int, least: float = 0.0) -> str:
        """Minutes as pieces of a line; those that touch in the picture become one."""
        pieces: list[list[float]] = []
        for bit in bits(mask):
            first = self.x(bit)
            last = first + least if least else self.x(bit + 1)
            if pieces and first - pieces[-1][1] < 0.35:
                pieces[-1][1] = last
            else:
                pieces.append([first, last])
        return "".join(f"M{first:.1f} {y}h{last - first:.1f}" for first, last in pieces)

    def _hits(self) -> Iterator[str]:
        """The minutes with a collision, as thin lines through every row and marks above them."""
        places = sorted({round(self.x(bit + 0.5)) for bit in bits(self.found.crowded)})
        if not places:
            return
        y = self.base - 2
        if len(places) > _APART:
            yield f'<path class="mark" d="{"".join(f"M{x} {y - 5}h1v5h-1z" for x in places)}"/>'
            return
        yield f'<path class="hit" d="{"".join(f"M{x}.5 {self.base}V{self.foot}" for x in places)}"/>'
        yield f'<path class="mark" d="{"".join(f"M{x - 3} {y - 5}h7l-3.5 5z" for x in places)}"/>'

    def _legend(self) -> Iterator[str]:
        y = self.foot + 28
        items = [("ours", "ours"), ("theirs", "not ours")]
        x = LEFT
        for style, name in items:
            if style == "ours" or any(row.entry.foreign for row in self.shown):
                yield f'<path class="{style} start" d="M{x} {y - 4}h10"/>'
                yield f'<text class="small" x="{x + 16}" y="{y}">{name}</text>'
                x += 80
        if self.found.crowded:
            yield f'<path class="mark" d="M{x} {y - 8}h9l-4.5 7z"/>'
            yield f'<text class="small" x="{x + 16}" y="{y}">{self.found.crowd} or more start in one minute</text>'
        more = [f"{self.left:,} more start, not shown"] if self.left else []
        more += [f"{self.silent:,} without a start in this time"] if self.silent else []
        yield f'<text class="small soft end" x="{WIDTH - 20}" y="{y}">{", ".join(more)}</text>'


def _short(name: str, most: int) -> str:
    shown = visible(name)
    if cells(shown) <= most:
        return shown
    while cells(shown) > most - 1:
        shown = shown[:-1]
    return shown + "…"
