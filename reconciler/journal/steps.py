"""The steps of a rollout: what was planned, never changed again, and how far each came.

Which status may follow which is `model.rollout`'s decision. Works inside the transaction of its caller.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime

from reconciler.journal.rollouts import BUG, status_of
from reconciler.journal.values import instant, pack, parse_instant, plain, unpack_each
from reconciler.model.errors import JournalError
from reconciler.model.frozen import dataclass
from reconciler.model.lazy import pattern
from reconciler.model.plan import Step
from reconciler.model.rollout import STEP_NEXT, RolloutStatus, StepStatus


@dataclass(frozen=True, slots=True)
class StepRecord:
    """One step as planned, and its latest status with the instant of it (None: never started)."""

    step: Step
    status: StepStatus
    message: str | None
    at: datetime | None


_JOB = pattern(r"@([0-9a-f]{12})\b")

# A batch that ran beside a failing one may end after the undo was decided.
_WHILE = {
    StepStatus.STARTED: frozenset({RolloutStatus.RUNNING}),
    StepStatus.DONE: frozenset({RolloutStatus.RUNNING, RolloutStatus.UNDOING}),
    StepStatus.FAILED: frozenset({RolloutStatus.RUNNING, RolloutStatus.UNDOING}),
    StepStatus.REFUSED: frozenset({RolloutStatus.RUNNING}),
    StepStatus.UNDONE: frozenset({RolloutStatus.UNDOING}),
}
_BEFORE = {
    target: tuple(status for status, following in STEP_NEXT.items() if target in following) for target in StepStatus
}
_UPDATE = {
    target: "UPDATE steps SET status = ?, message = ?, at = ?"  # noqa: S608 (only names of statuses)
    " WHERE rollout = ? AND number IN (SELECT value FROM json_each(?))"
    f" AND status IN ({', '.join(repr(status.value) for status in before)})"
    for target, before in _BEFORE.items()
}


def move(
    connection: sqlite3.Connection,
    rollout: int,
    numbers: Sequence[int],
    target: StepStatus,
    now: datetime,
    message: str | None = None,
) -> None:
    """Give these steps a new status; where one may not have it, raise JournalError."""
    present = status_of(connection, rollout)
    if present not in _WHILE[target]:
        raise JournalError(f"cannot mark steps of rollout {rollout} {target}: the rollout is {present}", hint=BUG)
    values = (target.value, None if message is None else plain(message), instant(now), rollout, pack(list(numbers)))
    changed = connection.execute(_UPDATE[target], values).rowcount
    if changed != len(numbers):
        raise JournalError(
            f"cannot mark {len(numbers)} steps of rollout {rollout} {target}: only {changed} of them"
            f" are {' or '.join(_BEFORE[target])}",
            hint=BUG,
        )


def records(connection: sqlite3.Connection, rollout: int) -> tuple[StepRecord, ...]:
    """Every step, in the order of the plan."""
    status_of(connection, rollout)
    (text,) = connection.execute("SELECT steps FROM plans WHERE rollout = ?", (rollout,)).fetchone() or ("[]",)
    planned: tuple[Step, ...] = unpack_each(Step, text)
    rows = connection.execute("SELECT number, status, message, at FROM steps WHERE rollout = ?", (rollout,))
    progress = {number: (status, message, at) for number, status, message, at in rows}
    if progress.keys() != {step.number for step in planned}:
        raise ValueError(f"the steps of rollout {rollout} do not match its plan")
    return tuple(_record(step, *progress[step.number]) for step in planned)


def jobs(connection: sqlite3.Connection) -> frozenset[str]:
    """The digests of job files that stand in any plan: `NAME@DIGEST`, whatever else in it looks like that."""
    found: set[str] = set()
    for (text,) in connection.execute("SELECT steps FROM plans"):
        found.update(_JOB.findall(text))
    return frozenset(found)


def _record(step: Step, status: str, message: str | None, at: str | None) -> StepRecord:
    return StepRecord(step, StepStatus(status), message, None if at is None else parse_instant(at))
