"""The review of a time: what deserves a look, and the figures of each automation, as Markdown and as data.

The HTML page shows the same; it is made in `page`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from reconciler.cli.render.characters import several, visible
from reconciler.cli.render.records import clean, seconds, share, times_in, trend
from reconciler.cli.render.records_json import run_json, summary_json
from reconciler.cli.render.runs import instant, zone_of
from reconciler.model.data import Json
from reconciler.model.mask import Mask
from reconciler.model.run import Run, Verdict
from reconciler.model.schedule import describe
from reconciler.records import Summary

FORMAT = 1
HEAD = ("Automation", "Schedule", "Runs", "Success", "p50", "p95", "Trend", "Missed", "Late", "Next run")
_FAILURES = 5  # shown of each automation
_STARVED = 3  # runs that newer ones ended, without a success: no accident any more
_SHORT = 200


@dataclass(frozen=True, slots=True)
class Review:
    """The runs of a host from `since` to `until`. `mask` hides what must not be seen."""

    host: str
    timezone: str
    since: datetime
    until: datetime
    found: tuple[Summary, ...]
    mask: Mask

    @property
    def zone(self) -> tzinfo | None:
        return zone_of(self.timezone)

    @property
    def title(self) -> str:
        return f"Runs on {visible(self.host)}, {self.at(self.since)[:10]} to {self.at(self.until)[:10]}"

    def at(self, moment: datetime) -> str:
        return instant(moment, self.zone)

    @property
    def total(self) -> str:
        """One sentence about everything."""
        succeeded = sum(each.stats.succeeded for each in self.found)
        failed = sum(each.stats.failed for each in self.found)
        missed = sum(len(each.missed) for each in self.found)
        runs = sum(each.stats.runs for each in self.found)
        rate = f", {share(succeeded / (succeeded + failed))} of them good" if succeeded + failed else ""
        slots = f"{several(missed, 'scheduled time')} without a run" if missed else "no scheduled time without a run"
        return f"{several(len(self.found), 'automation')}, {several(runs, 'run')}{rate}, {slots}."


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that deserves a look. `weight` sorts: what is worse is higher."""

    kind: str
    automation: str
    text: str
    weight: int


def findings(review: Review) -> list[Finding]:
    """The worst first."""
    found = [finding for each in review.found for finding in _of(each, review)]
    return sorted(found, key=lambda finding: (-finding.weight, finding.automation))


def _of(found: Summary, review: Review) -> Iterator[Finding]:
    stats, name = found.stats, visible(found.name)
    bad = failures(found)
    replaced = [run for run in found.runs if run.replaced]
    never = bad or (replaced if len(replaced) >= _STARVED else [])
    if never and not stats.succeeded:
        text = f"has not succeeded once in {several(stats.runs, 'run')}{_why(never[0], review)}"
        yield Finding("failing", name, text, 5)
    elif stats.flaky:
        text = f"fails now and then: {stats.failed} of {several(stats.runs, 'run')}{_why(bad[0], review)}"
        yield Finding("intermittent", name, text, 4)
    elif bad:
        yield Finding("failed", name, f"failed {several(len(bad), 'time')}{_why(bad[0], review)}", 3)
    if found.missed:
        last = review.at(found.missed[-1].at)
        text = f"did not run at {several(len(found.missed), 'scheduled time')}, the last on {last}"
        yield Finding("missed", name, text, 4)
    if stats.rising:
        text = f"takes longer and longer: {trend(stats.trend)} over this time, now {seconds(stats.p95)} (p95)"
        yield Finding("rising", name, text, 2)
    if found.late:
        worst = seconds(max(slot.delay or 0 for slot in found.late))
        yield Finding("late", name, f"started late {several(len(found.late), 'time')}, at most by {worst}", 1)


def failures(found: Summary) -> list[Run]:
    """Runs that ended badly, newest first."""
    return [run for run in found.runs if not run.good and run.verdict is not Verdict.RUNNING]


def _why(run: Run, review: Review) -> str:
    reason = clean(run.reason or run.verdict.value, review.mask)
    return f"; the last on {review.at(run.started)}: {reason[:_SHORT]}{'…' if len(reason) > _SHORT else ''}"


def cells_of(found: Summary, review: Review) -> tuple[str, ...]:
    """One row under HEAD."""
    stats = found.stats
    return (
        visible(found.name),
        visible(describe(found.table.schedule)) if found.table else "not applied any more",
        str(stats.runs),
        share(stats.rate),
        seconds(stats.p50),
        seconds(stats.p95),
        trend(stats.trend, rising=stats.rising),
        str(len(found.missed) or ""),
        str(len(found.late) or ""),
        review.at(found.next) if found.next else "",
    )


def recent_failures(found: Summary, review: Review) -> list[tuple[str, str, str, str]]:
    """Instant, id, verdict and reason of the newest failures."""
    shown = failures(found)[:_FAILURES]
    return [(review.at(r.started), visible(r.id), r.verdict.value, clean(r.reason, review.mask)) for r in shown]


def review_markdown(review: Review) -> str:
    """The review for a mail, a wiki or a pull request."""
    from reconciler.cli.render.markdown import inline

    lines = [f"# {inline(review.title)}", "", inline(review.total), "", "## To look at", ""]
    worth = findings(review)
    lines += [f"- **{inline(each.automation)}**: {inline(each.text)}" for each in worth] or ["Nothing."]
    lines += ["", "## Automations", "", _row(HEAD), _row(["---"] * len(HEAD))]
    lines += [_row([inline(cell) for cell in cells_of(each, review)]) for each in review.found]
    for each in review.found:
        if shown := recent_failures(each, review):
            lines += [
                "",
                f"## Failures of {inline(visible(each.name))}",
                "",
                _row(("When", "Run", "Verdict", "Reason")),
            ]
            lines += [_row(["---"] * 4), *(_row([inline(cell) for cell in row]) for row in shown)]
    return "\n".join([*lines, "", inline(times_in(review.timezone))]) + "\n"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def review_json(review: Review) -> Json:
    """The review for programs, with every run that it is made of."""
    return {
        "format": FORMAT,
        "host": review.host,
        "since": review.since.isoformat(),
        "until": review.until.isoformat(),
        "findings": [
            {"kind": each.kind, "automation": each.automation, "text": each.text} for each in findings(review)
        ],
        "automations": [
            {**summary_json(each), "history": [review.mask.json(run_json(run)) for run in each.runs]}
            for each in review.found
        ],
    }
