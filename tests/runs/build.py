"""Runs and timetables as tests want them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from reconciler.model.run import Run, Verdict
from reconciler.runs.slots import Timetable

START = datetime(2026, 11, 21, 0, 0, tzinfo=UTC)


def table(schedule: Any = "0 * * * *", **more: Any) -> Timetable:
    return Timetable(**{"name": "a", "provider": "crontab", "schedule": schedule, "timezone": "UTC", **more})


def run(minutes: float, *, took: float | None = 1.0, verdict: Verdict = Verdict.SUCCEEDED, **more: Any) -> Run:
    """A run that started so many minutes after START and took so many seconds."""
    started = START + timedelta(minutes=minutes)
    ended = None if took is None else started + timedelta(seconds=took)
    known: dict[str, Any] = {"automation": "a", "id": f"{minutes}", "scheduled": None, "duration": took, **more}
    return Run(started=started, ended=ended, verdict=verdict, **known)
