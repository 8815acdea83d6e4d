"""What happened, while it happens: the only link between the engine and whoever shows or alerts."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import TypeAlias

from reconciler.model.address import ResourceId
from reconciler.model.frozen import dataclass


class EventType(StrEnum):
    ROLLOUT_STARTED = "rollout-started"
    STEPS_STARTED = "steps-started"
    STEP_PROGRESS = "step-progress"
    STEPS_DONE = "steps-done"
    STEPS_FAILED = "steps-failed"
    GATE_WAITING = "gate-waiting"
    GATE_PASSED = "gate-passed"
    GATE_FAILED = "gate-failed"
    STEPS_OVER = "steps-over"  # nothing of this walk is waited for any more
    UNDO_STARTED = "undo-started"
    UNDO_DONE = "undo-done"
    UNDO_FAILED = "undo-failed"
    NOTED = "noted"


@dataclass(frozen=True, slots=True)
class Event:
    """`message` is a whole sentence for people; `ids` are the resources concerned."""

    type: EventType
    message: str
    ids: tuple[ResourceId, ...] = ()
    done: int = 0  # steps finished so far
    total: int = 0  # steps of the rollout
    limit: float = 0.0  # seconds that what begins here may take; 0: it does not wait


Listener: TypeAlias = Callable[[Event], None]


def ignore(_event: Event) -> None:
    """A listener for callers that show nothing."""
