"""Runs of automations for a terminal: the list, one run, the figures.

Everything that a job could have written is masked and made visible first.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, tzinfo

from reconciler.cli.render.characters import Palette, cells, visible
from reconciler.cli.render.runs import instant, zone_of
from reconciler.model.mask import Mask
from reconciler.model.run import Run, Verdict
from reconciler.model.schedule import describe
from reconciler.records import Summary
from reconciler.runs.listing import Line
from reconciler.runs.punctual import Fate, Slot

STYLES = {
    Verdict.RUNNING: "cyan",
    Verdict.SUCCEEDED: "green",
    Verdict.SKIPPED: "yellow",
    Verdict.STOPPED: "yellow",
}
_TAIL_LINES = 20
_DAY = 86400
_NAMES = 3


def seconds(value: float | None) -> str:
    """`85ms`, `3.2s`, `4m 10s`, `2h 5m`, `3d 4h`; empty where nothing was measured."""
    if value is None:
        return ""
    if value < 0:
        return f"-{seconds(-value)}"
    if value < 1:
        return f"{round(value * 1000)}ms"
    if value < 59.95:
        return f"{value:.1f}s" if value < 10 else f"{value:.0f}s"
    whole = round(value)
    for size, name, less, lesser in ((_DAY, "d", 3600, "h"), (3600, "h", 60, "m"), (60, "m", 1, "s")):
        if whole >= size:
            rest = whole % size // less
            return f"{whole // size}{name}{f' {rest}{lesser}' if rest else ''}"
    return f"{whole}s"


def share(value: float | None) -> str:
    """A share as a percentage that is 100% only where nothing is missing."""
    return "" if value is None else f"{int(value * 1000) / 10:g}%"


def runs_text(lines: Sequence[Line], *, timezone: str, mask: Mask, colour: bool = False, ids: bool = False) -> str:
    """One line for each run, and for the slots between that had none. `ids`: they are of one automation."""
    if not lines:
        return "No run is recorded for that.\n"
    palette, zone = Palette(colour), zone_of(timezone)
    head = ("When", "Run" if ids else "Automation", "Verdict", "Took", "Exit", "Trigger", "Reason")
    rows = [_row(line, zone, mask, ids) for line in lines]
    styles = ["red" if line.run is None else STYLES.get(line.run.verdict, "red") for line in lines]
    return "\n".join([*table(head, rows, styles, 2, palette), "", times_in(timezone)]) + "\n"


def table(
    head: tuple[str, ...], rows: Sequence[tuple[str, ...]], styles: Sequence[str], styled: int, palette: Palette
) -> list[str]:
    """Aligned columns; the column `styled` is coloured line by line."""
    widths = [max(cells(row[column]) for row in (head, *rows)) for column in range(len(head))]
    found = []
    for number, row in enumerate((head, *rows)):
        padded = [cell + " " * (width - cells(cell)) for cell, width in zip(row, widths, strict=True)]
        if number:
            padded[styled] = palette.paint(styles[number - 1], padded[styled])
        text = "  ".join(padded).rstrip()
        found.append(text if number else palette.paint("bold", text))
    return found


def times_in(timezone: str) -> str:
    return f"Times are in {visible(timezone) if zone_of(timezone) else 'UTC'}."


def missed_text(slots: Sequence[datetime], zone: tzinfo | None) -> str:
    """`missed 06:00`, or how many between which."""
    if len(slots) == 1:
        return f"missed {instant(slots[0], zone)[11:]}"
    return f"missed {len(slots):,}"


def _row(line: Line, zone: tzinfo | None, mask: Mask, ids: bool) -> tuple[str, ...]:
    run = line.run
    if run is None:
        first, last = instant(line.missed[0], zone), instant(line.missed[-1], zone)
        why = "no run came" if len(line.missed) == 1 else f"no run came, from {first} to {last}"
        return (last, "" if ids else visible(line.automation), missed_text(line.missed, zone), "", "", "", why)
    late = f"started {seconds(line.late)} late" if line.late is not None else ""
    return (
        instant(run.started, zone),
        visible(run.id if ids else run.automation),
        run.verdict.value,
        seconds(run.duration),
        "" if run.exit is None else str(run.exit),
        visible(run.trigger),
        "; ".join(filter(None, (clean(run.reason, mask), late))),
    )


def run_text(run: Run, *, timezone: str, mask: Mask, colour: bool = False) -> str:
    """Everything about one run, the end of its output last."""
    palette, zone = Palette(colour), zone_of(timezone)
    verdict = palette.paint(STYLES.get(run.verdict, "red"), run.verdict.value)
    lines = [f"{palette.paint('bold', visible(run.name))}: {verdict}"]
    lines += pairs(
        [
            ("reason", run.reason),
            ("scheduled", exact(run.scheduled, zone) if run.trigger != "manual" else ""),
            ("started", exact(run.started, zone)),
            ("ended", exact(run.ended, zone) or ("not yet" if run.verdict is Verdict.RUNNING else "not known")),
            ("took", seconds(run.duration)),
            ("exit code", "" if run.exit is None else str(run.exit)),
            ("signal", "" if run.signal is None else str(run.signal)),
            ("attempts", str(run.attempts)),
            ("trigger", run.trigger),
            ("command", _words(run.command)),
            ("processor", seconds(run.cpu) if run.cpu else ""),
            ("memory", f"{run.peak / 2**20:,.1f} MiB at most" if run.peak else ""),
            ("host", run.host),
            ("revision", run.revision),
            *([("output", f"{run.output_bytes:,} bytes")] if run.ended else []),
        ],
        mask,
    )
    last = run.tail.rstrip("\n").split("\n") if run.tail.strip() else []
    if last:
        shown = last[-_TAIL_LINES:]
        cut = "" if len(shown) == len(last) else f" (the last {len(shown)} of its lines)"
        lines += ["", f"Output{cut}, whole with `reconcile logs {visible(run.automation)} --run {visible(run.id)}`:"]
        lines += [f"  | {clean(line, mask)}".rstrip() for line in mask.text("\n".join(shown)).split("\n")]
    return "\n".join([*lines, "", times_in(timezone)]) + "\n"


def stats_text(found: Sequence[Summary], *, timezone: str, mask: Mask, colour: bool = False) -> str:
    """The figures of each automation: a table, or a page where it is one."""
    palette, zone = Palette(colour), zone_of(timezone)
    if len(found) == 1:
        return "\n".join([*_page(found[0], zone, mask, palette), "", times_in(timezone)]) + "\n"
    if not found:
        return "No automation is applied on this host, and no run is recorded.\n"
    head = ("Automation", "Success", "Runs", "p50", "p95", "Trend", "Flaky", "Missed", "Late", "Next run")
    rows = [_figures(each, zone) for each in found]
    styles = ["red" if is_troubled(each) else "" for each in found]
    return "\n".join([*table(head, rows, styles, 0, palette), "", times_in(timezone)]) + "\n"


def is_troubled(found: Summary) -> bool:
    return bool(found.stats.failed or found.missed)


def lately(runs: Sequence[Run], trouble: Sequence[Slot]) -> str:
    """One line about the runs of the last day; empty where there was nothing."""
    missed = sorted({slot.automation for slot in trouble if slot.fate is Fate.MISSED})
    if not runs and not missed:
        return ""
    running = sorted({run.automation for run in runs if run.verdict is Verdict.RUNNING})
    failed = sorted({run.automation for run in runs if not run.good and run.verdict is not Verdict.RUNNING})
    parts = [f"{len(runs):,} in the last day"]
    for word, names in (("failed", failed), ("missed", missed), ("running", running)):
        if names:
            more = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
            parts.append(f"{word}: {', '.join(map(visible, names[:_NAMES]))}{more}")
    return "; ".join(parts)


def trend(value: float | None, *, rising: bool = False) -> str:
    """Growth of the runtime over the time looked at."""
    if value is None:
        return ""
    return f"{value:+.0%}{' rising' if rising else ''}"


def _figures(found: Summary, zone: tzinfo | None) -> tuple[str, ...]:
    stats = found.stats
    return (
        visible(found.name),
        share(stats.rate),
        str(stats.runs),
        seconds(stats.p50),
        seconds(stats.p95),
        trend(stats.trend, rising=stats.rising),
        share(stats.flakiness) if stats.flaky else "",
        str(len(found.missed) or ""),
        str(len(found.late) or ""),
        instant(found.next, zone) if found.next else "",
    )


def _page(found: Summary, zone: tzinfo | None, mask: Mask, palette: Palette) -> list[str]:
    stats, last = found.stats, found.runs[0] if found.runs else None
    skipped = f", {stats.skipped} skipped" if stats.skipped else ""
    missed = f"{len(found.missed)}, the last {instant(found.missed[-1].at, zone)}" if found.missed else "none"
    schedule = visible(describe(found.table.schedule)) if found.table else "none: it is not applied here any more"
    late = f"{len(found.late)}, at most {seconds(max(slot.delay or 0 for slot in found.late))}" if found.late else ""
    return [
        palette.paint("bold", visible(found.name)),
        *pairs(
            [
                ("schedule", schedule),
                ("runs", f"{stats.runs}, of which {stats.failed} failed{skipped}"),
                ("success rate", share(stats.rate) or "nothing to tell it from"),
                ("takes", _takes(found)),
                ("trend", trend(stats.trend, rising=stats.rising) or "too few runs to tell"),
                ("flakiness", _flakiness(found)),
                ("missed slots", missed if found.table and found.table.recorded else "not known: it is not recorded"),
                ("late", late or "none"),
                ("last run", f"{instant(last.started, zone)}, {last.verdict.value}" if last else "none"),
                ("last success", instant(stats.last_success, zone) if stats.last_success else "none"),
                ("next run", instant(found.next, zone) if found.next else "no clock decides that"),
            ],
            mask,
        ),
    ]


def _takes(found: Summary) -> str:
    stats = found.stats
    if stats.p50 is None:
        return "nothing was measured"
    expected = found.table.expected if found.table else None
    told = f", expected {seconds(expected)}" if expected else ""
    return f"{seconds(stats.p50)} (p50), {seconds(stats.p95)} (p95), {seconds(stats.longest)} at most{told}"


def _flakiness(found: Summary) -> str:
    stats = found.stats
    if stats.flakiness is None:
        return "too few runs to tell"
    word = "fails now and then" if stats.flaky else "steady"
    return f"{word}: {share(stats.flakiness)} of runs end otherwise than the one before"


def exact(moment: datetime | None, zone: tzinfo | None) -> str:
    """To the second, for one run."""
    return "" if moment is None else f"{instant(moment, zone)}:{moment:%S}"


def _words(command: Sequence[str]) -> str:
    from reconciler.cli.render.outline import quoted

    return " ".join(map(quoted, command))


def pairs(shown: Sequence[tuple[str, str]], mask: Mask) -> list[str]:
    """`name   value`, aligned; empty values are left out."""
    rows = [(name, clean(value, mask)) for name, value in shown if value]
    width = max(len(name) for name, _ in rows)
    return [f"  {name:<{width}}  {value}" for name, value in rows]


def clean(text: str, mask: Mask) -> str:
    return visible(mask.text(text))
