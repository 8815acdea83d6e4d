"""The life of a rollout and of its steps, as transition tables.

Nothing else may decide which status follows which.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from reconciler.model.errors import ExitCode
from reconciler.model.frozen import dataclass
from reconciler.model.resource import Revision


class RolloutStatus(StrEnum):
    """RUNNING in the journal without a living lock holder means interrupted."""

    RUNNING = "running"
    STABLE = "stable"  # every step done, every gate passed
    UNDOING = "undoing"
    ROLLED_BACK = "rolled-back"
    ROLLBACK_FAILED = "rollback-failed"


class StepStatus(StrEnum):
    PLANNED = "planned"
    STARTED = "started"  # the intent is on disk; the host may or may not have changed
    DONE = "done"
    FAILED = "failed"  # the host may or may not have changed
    REFUSED = "refused"  # the host had changed meanwhile, so nothing was written
    UNDONE = "undone"


ROLLOUT_NEXT: dict[RolloutStatus, frozenset[RolloutStatus]] = {
    RolloutStatus.RUNNING: frozenset({RolloutStatus.STABLE, RolloutStatus.UNDOING}),
    RolloutStatus.UNDOING: frozenset({RolloutStatus.ROLLED_BACK, RolloutStatus.ROLLBACK_FAILED}),
    RolloutStatus.ROLLBACK_FAILED: frozenset({RolloutStatus.UNDOING}),
    RolloutStatus.STABLE: frozenset(),
    RolloutStatus.ROLLED_BACK: frozenset(),
}

STEP_NEXT: dict[StepStatus, frozenset[StepStatus]] = {
    StepStatus.PLANNED: frozenset({StepStatus.STARTED}),
    # again: the gate of an interrupted rollout is passed once more
    StepStatus.STARTED: frozenset(
        {StepStatus.STARTED, StepStatus.DONE, StepStatus.FAILED, StepStatus.REFUSED, StepStatus.UNDONE}
    ),
    StepStatus.DONE: frozenset({StepStatus.UNDONE}),
    StepStatus.FAILED: frozenset({StepStatus.UNDONE}),
    StepStatus.REFUSED: frozenset(),
    StepStatus.UNDONE: frozenset(),
}


@dataclass(frozen=True, slots=True)
class RolloutRecord:
    """One rollout as the journal tells it. Instants are aware and UTC."""

    number: int
    verb: str  # apply | adopt | release | rollback
    revision: Revision
    path: str
    status: RolloutStatus
    started: datetime
    ended: datetime | None
    summary: str
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a rollout ended. `left` names what could not be undone, `where` where it failed, `hint` what to do."""

    rollout: int
    code: ExitCode
    message: str
    left: tuple[str, ...] = ()
    where: str | None = None
    hint: str | None = None
    resumed: str = ""  # of a rollout that an earlier process left behind: what had become of it
