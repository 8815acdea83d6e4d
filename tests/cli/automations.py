"""Automations as an earlier apply left them: in the inventory, with timetables that are known for long."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from reconciler.host.fake import FakeClock
from reconciler.journal.journal import Journal
from reconciler.journal.runs import seen
from reconciler.model.address import ResourceId
from reconciler.model.data import Json
from reconciler.model.job import Job
from reconciler.model.state import Owned, State
from reconciler.records import _schedules


def owned(state: Path, name: str, schedule: Json, *, launcher: str, settings: Any = None, **more: Any) -> Owned:
    """One inventory entry, its command called through the runner."""
    called = name
    if settings:
        job = Job(name, settings)
        called = f"{name}@{job.digest}"
        (state / "jobs").mkdir(parents=True, exist_ok=True)
        (state / "jobs" / job.file_name).write_bytes(job.content)
    command = more.pop("command", ["true"])
    wrapped = [launcher, "exec", called, "--state", str(state), "--", *command]
    attributes = {"schedule": schedule, "command": wrapped, **more}
    return Owned(ResourceId("Automation", name), "crontab", State(attributes))


def apply(state: Path, *entries: Owned, since: datetime | None = None) -> None:
    """What an apply would have remembered, then or now."""
    now = datetime.now(UTC)
    with Journal.open(state, clock=FakeClock(now)) as journal:
        journal.confirm_inventory(entries)
        journal.remember(entries, ())
    seen(state, _schedules(entries), since or now - timedelta(days=30), all_of_them=True)
