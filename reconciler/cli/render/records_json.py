"""Runs and their figures as data for programs. New fields may come at any time; secrets are masked by the caller."""

from __future__ import annotations

from datetime import datetime

from reconciler.model.data import Json
from reconciler.model.run import Run
from reconciler.records import Summary


def run_json(run: Run, *, whole: bool = False) -> dict[str, Json]:
    """A run for programs; `whole` with what only one run is asked for."""
    found: dict[str, Json] = {
        "run": run.name,
        "automation": run.automation,
        "id": run.id,
        "scheduled": _iso(run.scheduled),
        "started": _iso(run.started),
        "ended": _iso(run.ended),
        "verdict": run.verdict.value,
        "reason": run.reason,
        "exit": run.exit,
        "signal": run.signal,
        "attempts": run.attempts,
        "trigger": run.trigger,
        "duration": run.duration,
        "cpu": run.cpu,
        "peak": run.peak,
        "outputBytes": run.output_bytes,
        "host": run.host,
        "revision": run.revision,
    }
    return found | {"command": list(run.command), "log": run.log, "tail": run.tail} if whole else found


def summary_json(found: Summary) -> dict[str, Json]:
    """The figures of one automation."""
    stats = found.stats
    return {
        "automation": found.name,
        "schedule": found.table.schedule if found.table else None,
        "recorded": bool(found.table and found.table.recorded),
        "runs": stats.runs,
        "succeeded": stats.succeeded,
        "failed": stats.failed,
        "skipped": stats.skipped,
        "running": found.running,
        "rate": stats.rate,
        "p50": stats.p50,
        "p95": stats.p95,
        "longest": stats.longest,
        "trend": stats.trend,
        "rising": stats.rising,
        "flakiness": stats.flakiness,
        "flaky": stats.flaky,
        "missed": [_iso(slot.at) for slot in found.missed],
        "late": [
            {"slot": _iso(slot.at), "by": slot.delay, "run": slot.run.name if slot.run else None}
            for slot in found.late
        ],
        "last": found.runs[0].name if found.runs else None,
        "lastSuccess": _iso(stats.last_success),
        "next": _iso(found.next),
    }


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
