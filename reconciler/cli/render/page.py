"""The review as one HTML file: no scripts, nothing loaded from anywhere, readable in light and in dark.

Whatever a job or a person wrote is escaped after hidden characters were spelled out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from reconciler.cli.render.plot import plot
from reconciler.cli.render.records import is_troubled, times_in
from reconciler.cli.render.review import HEAD, Review, cells_of, findings, recent_failures
from reconciler.records import Summary

_NUMBERS = frozenset(range(2, 9))  # columns of HEAD that are figures
_STYLE = """\
:root { color-scheme: light dark; --ink: #1d232b; --soft: #5c6672; --line: #d9dee4; --back: #ffffff; --card: #f6f8fa;
  --good: #1a7f37; --bad: #c4272e; --mild: #9a6700; --going: #0969da; --missed: #b35900; }
@media (prefers-color-scheme: dark) { :root { --ink: #e3e8ee; --soft: #98a2ae; --line: #343b44; --back: #14181d;
  --card: #1c2128; --good: #3fb950; --bad: #ff6b6b; --mild: #d4a72c; --going: #58a6ff; --missed: #f0883e; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 60rem; padding: 2rem 1.25rem 4rem; background: var(--back); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; } h2 { font-size: 1.1rem; margin: 2.25rem 0 .5rem; }
h3 { font-size: 1rem; margin: 0; overflow-wrap: anywhere; } p { margin: .25rem 0; } .soft { color: var(--soft); }
ul { padding-left: 1.1rem; margin: .25rem 0; } li { margin: .2rem 0; overflow-wrap: anywhere; }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: .87rem; }
th, td { text-align: left; padding: .35rem .6rem .35rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; }
th { color: var(--soft); font-weight: 600; white-space: nowrap; }
td.text { overflow-wrap: anywhere; min-width: 8rem; }
.number { text-align: right; padding-right: 1rem; font-variant-numeric: tabular-nums; white-space: nowrap; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: .9rem 1rem;
  margin: .8rem 0; }
.trouble { color: var(--bad); } svg { display: block; width: 100%; height: auto; margin: .5rem 0; }
.card svg { min-width: 35rem; }
svg .grid { stroke: var(--line); } svg .tick { stroke: var(--line); stroke-dasharray: 2 4; }
svg .p95 { stroke: var(--soft); stroke-dasharray: 5 4; } svg .axis { fill: var(--soft); font-size: 11px; }
svg circle { fill-opacity: .8; } .good { fill: var(--good); } .bad { fill: var(--bad); } .mild { fill: var(--mild); }
.going { fill: var(--going); } .missed { stroke: var(--missed); stroke-width: 2; fill: none; }
.legend { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; font-size: .82rem; color: var(--soft); }
.legend svg { display: inline; width: 11px; height: 11px; margin: 0 .35rem 0 0; vertical-align: -1px; }
"""
_MARKS = (
    ('<circle class="good" cx="6" cy="6" r="4"/>', "succeeded"),
    ('<circle class="bad" cx="6" cy="6" r="4"/>', "failed, rejected, timed out, overran or lost"),
    ('<circle class="mild" cx="6" cy="6" r="4"/>', "skipped or stopped"),
    ('<circle class="going" cx="6" cy="6" r="4"/>', "running"),
    ('<path class="missed" d="M2 2l8 8m0 -8l-8 8"/>', "no run came"),
)


def review_html(review: Review) -> str:
    """The whole page."""
    return "\n".join(_page(review)) + "\n"


def _page(review: Review) -> Iterator[str]:
    title = escape(review.title)
    yield '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
    yield "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>{title}</title>\n<style>\n{_STYLE}</style>\n</head>\n<body>"
    yield f"<h1>{title}</h1>\n<p>{escape(review.total)}</p>"
    yield f'<p class="soft">{escape(times_in(review.timezone))}</p>\n<h2>To look at</h2>'
    worth = findings(review)
    items = [f"<li><b>{escape(each.automation)}</b> {escape(each.text)}</li>" for each in worth]
    yield "\n".join(["<ul>", *items, "</ul>"]) if items else "<p>Nothing.</p>"
    yield "<h2>Automations</h2>"
    yield _table(HEAD, [cells_of(each, review) for each in review.found], _NUMBERS)
    yield "<h2>Runtimes</h2>"
    marks = (f'<span><svg viewBox="0 0 12 12">{mark}</svg>{escape(text)}</span>' for mark, text in _MARKS)
    yield f'<div class="legend">{"".join(marks)}<span>- - p95</span></div>'
    for each in review.found:
        yield from _card(each, review)
    yield "</body>\n</html>"


def _card(found: Summary, review: Review) -> Iterator[str]:
    name, schedule, runs, rate = (escape(cell) for cell in cells_of(found, review)[:4])
    trouble = ' class="trouble"' if is_troubled(found) else ""
    facts = f"{schedule} · {runs} runs{f' · {rate} good' if rate else ''}"
    yield f'<div class="card">\n<h3{trouble}>{name}</h3>\n<p class="soft">{facts}</p>'
    if found.runs or found.missed:
        yield f'<div class="wide">{plot(found, review)}</div>'
    else:
        yield '<p class="soft">No run in this time.</p>'
    if shown := recent_failures(found, review):
        yield _table(("When", "Run", "Verdict", "Reason"), shown, frozenset())
    yield "</div>"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], numbers: frozenset[int]) -> str:
    def cell(tag: str, column: int, text: str) -> str:
        kind = ' class="number"' if column in numbers else ' class="text"' if column == len(head) - 1 else ""
        return f"<{tag}{kind}>{escape(text)}</{tag}>"

    lines = [f"<tr>{''.join(cell('th', column, text) for column, text in enumerate(head))}</tr>"]
    lines += [f"<tr>{''.join(cell('td', column, text) for column, text in enumerate(row))}</tr>" for row in rows]
    return "\n".join(['<div class="wide"><table>', *lines, "</table></div>"])
