"""What the live lines say while a rollout is undone."""

from __future__ import annotations

from reconciler.cli.render.progress import UnderWay
from reconciler.model.address import ResourceId
from reconciler.model.event import Event, EventType


def test_what_is_undone_is_not_called_applied() -> None:
    ids, state = (ResourceId("Automation", "a"),), UnderWay(0.0)
    state.hear(Event(EventType.UNDO_STARTED, "undoing rollout 1"), 0.0)
    state.hear(Event(EventType.STEPS_STARTED, "undoing Automation/a", ids), 0.0)
    assert "undoing Automation/a" in state.lines(1.0, 80, 10)[0]
    state.hear(Event(EventType.STEPS_DONE, "Automation/a undone", ids), 1.0)
    assert state.lines(1.0, 80, 10) == []
