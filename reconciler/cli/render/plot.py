"""One automation's runs as an SVG: time to the right, runtime upwards, a mark for each run and each missed slot."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from html import escape

from reconciler.cli.render.characters import visible
from reconciler.cli.render.records import seconds
from reconciler.cli.render.review import Review
from reconciler.model.run import Run, Verdict
from reconciler.records import Summary

WIDTH, HEIGHT = 860, 150
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 12, 12, 26
_MOST = 800  # marks in one plot; beyond, of the runs that fall on one spot only the slowest is drawn
_CLASSES = {Verdict.SUCCEEDED: "good", Verdict.SKIPPED: "mild", Verdict.STOPPED: "mild", Verdict.RUNNING: "going"}
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400)


def plot(found: Summary, review: Review) -> str:
    """The plot; every word of it is escaped."""
    top = _top(found)
    span = max((review.until - review.since).total_seconds(), 1)

    def x(moment: datetime) -> float:
        share = (moment - review.since).total_seconds() / span
        return round(_LEFT + min(max(share, 0), 1) * (WIDTH - _LEFT - _RIGHT), 1)

    def y(value: float) -> float:
        return round(HEIGHT - _BOTTOM - min(value / top, 1) * (HEIGHT - _TOP - _BOTTOM), 1)

    label = escape(f"Runtimes of {visible(found.name)} and what became of its runs")
    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">']
    for value in (0.0, top / 2, top):
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y(value)}" y2="{y(value)}"/>')
        parts.append(
            f'<text class="axis" x="{_LEFT - 8}" y="{y(value) + 4}" text-anchor="end">{_short(value)}</text>'
        )
    for day in _days(review):
        parts.append(f'<line class="tick" x1="{x(day)}" x2="{x(day)}" y1="{_TOP}" y2="{HEIGHT - _BOTTOM}"/>')
        text = escape(f"{day:%a} {day.day}")
        parts.append(f'<text class="axis" x="{x(day)}" y="{HEIGHT - 8}" text-anchor="middle">{text}</text>')
    if found.stats.p95 is not None:
        at = y(found.stats.p95)
        parts.append(
            f'<line class="p95" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{at}" y2="{at}"><title>p95</title></line>'
        )
    for slot in found.missed[-_MOST:]:
        left, base = x(slot.at), HEIGHT - _BOTTOM
        title = escape(f"{review.at(slot.at)}: no run came")
        parts.append(
            f'<path class="missed" d="M{left - 3.5} {base - 3.5}l7 7m0 -7l-7 7"><title>{title}</title></path>'
        )
    for run in _drawn(found.runs, x):
        title = escape(f"{review.at(run.started)}: {run.verdict.value}, {seconds(run.duration) or 'not measured'}")
        kind = _CLASSES.get(run.verdict, "bad")
        parts.append(
            f'<circle class="{kind}" cx="{x(run.started)}" cy="{y(run.duration or 0)}" r="3.2">'
            f"<title>{title}</title></circle>"
        )
    return "\n".join([*parts, "</svg>"])


def _top(found: Summary) -> float:
    """A round number of seconds that no run exceeds."""
    longest = max((run.duration or 0 for run in found.runs), default=0)
    if longest > _STEPS[-1]:
        return float(longest)
    return next((float(step) for step in _STEPS if step >= longest), 1.0) if longest > 0.5 else 0.5


def _short(value: float) -> str:
    return escape(seconds(value) if value else "0")


def _days(review: Review) -> Iterator[datetime]:
    """Midnights on the host's clock, at most a dozen of them."""
    day = review.since.astimezone(review.zone).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    step = max(1, (review.until - review.since).days // 10)
    while day <= review.until:
        yield day
        day += timedelta(days=step)


def _drawn(runs: Sequence[Run], x: Callable[[datetime], float]) -> list[Run]:
    """Oldest first, so that the newest lie on top; bad ones after good ones."""
    shown = list(runs)
    if len(shown) > _MOST:
        spots: dict[tuple[float, str], Run] = {}
        for run in shown:
            spot = (round(x(run.started)), _CLASSES.get(run.verdict, "bad"))
            spots[spot] = max(spots.get(spot, run), run, key=lambda each: each.duration or 0)
        shown = list(spots.values())
    return sorted(shown, key=lambda run: (_CLASSES.get(run.verdict, "bad") == "bad", run.started))
