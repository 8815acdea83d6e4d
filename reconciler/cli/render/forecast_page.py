"""A forecast as one HTML file: the timeline and its tables. No script, nothing from elsewhere, for light and dark."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from reconciler.cli.render.forecast import (
    Heading,
    change_words,
    collision_words,
    day_and_time,
    listed,
    overlap_words,
    span,
    summary,
    when,
)
from reconciler.cli.render.timeline import text, timeline
from reconciler.model.duration import format_duration
from reconciler.runs.forecast import Forecast, Row

_STYLE = """
:root{color-scheme:light dark;--ink:#1b2430;--soft:#5d6b7e;--line:#e3e8ef;--back:#fff;--hit:#cf222e}
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9aa7b6;--line:#232b36;--back:#0d1117;--hit:#ff7b72}}
body{margin:0 auto;max-width:1200px;padding:8px 20px 48px;background:var(--back);color:var(--ink);\
font:14px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
svg{display:block;width:calc(100% + 40px);height:auto;margin:0 -20px}
h2{font-size:16px;margin:28px 0 6px}ul{margin:0;padding-left:20px}li{margin:3px 0}
table{border-collapse:collapse;width:100%}th{color:var(--soft);font-weight:500;text-align:left}
th,td{padding:5px 14px 5px 0;border-bottom:1px solid var(--line);vertical-align:top}
.number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}.time{white-space:nowrap}
.soft{color:var(--soft)}.never{color:var(--hit)}.wide{overflow-x:auto}
"""


def forecast_page(found: Forecast, heading: Heading) -> str:
    """The page, ending in a newline. The same forecast gives the same bytes."""
    return "\n".join(_parts(found, heading)) + "\n"


def _parts(found: Forecast, heading: Heading) -> Iterator[str]:
    yield '<!doctype html><html lang="en"><head><meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width,initial-scale=1">'
    rule = "default-src 'none'; style-src 'unsafe-inline'"
    yield f'<meta http-equiv="Content-Security-Policy" content="{rule}">'
    yield f"<title>Forecast of {text(heading.host)}</title><style>{_STYLE}</style></head><body>"
    yield timeline(found, heading)
    yield from _list("Collisions", [f"{_day(found, one.first)}: {collision_words(one)}" for one in found.collisions])
    yield from _list(
        "Likely to start again before their last run is over",
        [f"{one.entry.name}: {overlap_words(one)}, first {_day(found, one.first)}" for one in found.overlaps],
    )
    yield from _list("Changes of the clock", list(_changes(found, heading)))
    never = [f"{one.name}: {'never starts: ' if one.never else ''}{one.says}" for one in found.remarks]
    yield from _list("To know", never)
    yield from _list("Of other people, and in no count", [f"{where}: {why}" for where, why in heading.unread])
    yield from _automations(found)
    yield from _hours(found)
    yield "</body></html>"


def _changes(found: Forecast, heading: Heading) -> Iterator[str]:
    for change in found.changes:
        effects = "; ".join(f"{one.does}: {listed(one.names)}" for one in change.effects)
        yield f"{change_words(change, heading.zone)}; {effects or 'it meets no start of these automations'}"


def _list(title: str, items: Sequence[str]) -> Iterator[str]:
    if items:
        yield f"<h2>{title}</h2><ul>"
        yield from (f"<li>{text(item)}</li>" for item in items)
        yield "</ul>"


def _automations(found: Forecast) -> Iterator[str]:
    yield f"<h2>Automations</h2><p class=soft>{text(summary(found))}</p><div class=wide><table>"
    yield "<tr><th>Name<th>Scheduler<th>When<th>Next<th class=number>Starts<th class=number>Takes</tr>"
    yield from (_automation(found, row) for row in found.rows)
    yield "</table></div>"


def _automation(found: Forecast, row: Row) -> str:
    entry = row.entry
    where = f" <span class=soft>{text(entry.foreign)}</span>" if entry.foreign else ""
    coming = text(_day(found, row.next[0])) if row.next else ""
    takes = format_duration(round(entry.takes, 1)) if entry.takes is not None else ""
    return (
        f"<tr><td>{text(entry.name)}{where}<td>{text(entry.table.provider)}<td>{text(when(entry))}"
        f"<td class=time>{coming or '<span class=never>never</span>' if entry.never else coming}"
        f"<td class=number>{row.starts:,}<td class=number>{takes}</tr>"
    )


def _hours(found: Forecast) -> Iterator[str]:
    yield "<h2>Hours</h2><div class=wide><table><tr><th>From<th class=number>Starts<th class=number>Work"
    yield "<th class=number>At once, at most</tr>"
    for hour in found.hours:
        if hour.starts or hour.busy:
            yield (
                f"<tr><td class=time>{text(_day(found, hour.at))}<td class=number>{hour.starts:,}"
                f"<td class=number>{span(hour.busy) if hour.busy else ''}<td class=number>{hour.peak:,}</tr>"
            )
    yield "</table></div>"


def _day(found: Forecast, moment: datetime) -> str:
    return day_and_time(moment.astimezone(found.zone), found.period.start.astimezone(found.zone))
