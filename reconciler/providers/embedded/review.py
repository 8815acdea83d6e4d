"""Review: what changes of definitions interrupt. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.model.change import Action, Change, Danger, Hazard
from reconciler.provider import Finding
from reconciler.providers.embedded.table import LOADED

_PROGRAM = ("command", "directory", "environment")  # attributes whose change restarts a service


def review(changes: Sequence[Change]) -> tuple[Finding, ...]:
    """A service that is restarted is down for that long."""
    return tuple(_down(change) for change in changes if _restarts(change))


def _restarts(change: Change) -> bool:
    before, after = change.before, change.after
    if change.id.kind != "Service" or change.action is not Action.UPDATE or before is None or after is None:
        return False
    if LOADED in before.attributes:
        return False
    return any(before.attributes.get(name) != after.attributes.get(name) for name in _PROGRAM)


def _down(change: Change) -> Finding:
    message = f"{change.id} is down while it is restarted"
    return Finding(message, (change.id,), None, Hazard(Danger.DOWNTIME, message))
