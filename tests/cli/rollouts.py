"""Rollouts as an apply would have journalled them, for the commands that tell of the past."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from reconciler.host.fake import FakeClock
from reconciler.journal.journal import Journal
from reconciler.model.plan import ApplyStep, VerifyStep
from reconciler.model.resource import Revision
from reconciler.model.rollout import RolloutStatus
from reconciler.testing.builders import address, apply_step, change, owned, state

STARTED = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
FAILURE = "Automation/backup does not answer --token=abcdefghijklmnop"


def steps() -> tuple[ApplyStep, VerifyStep]:
    after = state(schedule="0 6 * * *")
    first = apply_step(1, change("Automation/backup", None, after, reason="it is new"))
    return first, VerifyStep(2, (1,), address("Automation/backup"), "crontab", 60.0, 0.0, ())


def journal(folder: Path, clock: FakeClock | None = None) -> Journal:
    return Journal.open(folder, clock=clock or FakeClock(STARTED))


def stable(journal: Journal, revision: str = "a" * 32) -> int:
    """One rollout that passed its verification."""
    number = journal.begin(verb="apply", path="desired", revision=Revision(revision), steps=steps(), settings={})
    for step in (1, 2):
        journal.steps_started(number, [step])
        journal.steps_done(number, [step], [owned("Automation/backup", state(schedule="0 6 * * *"))], [])
    journal.finish(number, RolloutStatus.STABLE, "1 created")
    return number


def failed(journal: Journal) -> int:
    """One whose verification failed, and which was rolled back."""
    number = journal.begin(verb="apply", path="desired", revision=Revision("b" * 32), steps=steps(), settings={})
    journal.steps_started(number, [1])
    journal.steps_done(number, [1], [], [])
    journal.steps_started(number, [2])
    journal.steps_failed(number, [2], FAILURE)
    journal.undoing(number, FAILURE)
    journal.steps_undone(number, [1], [], [])
    journal.finish(number, RolloutStatus.ROLLED_BACK, "undone")
    return number


def interrupted(journal: Journal) -> int:
    """One whose process died after its first step."""
    number = journal.begin(verb="apply", path="desired", revision=Revision("c" * 32), steps=steps(), settings={})
    journal.steps_started(number, [1])
    return number
